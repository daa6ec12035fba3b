"""Optimizers as `gluon.Trainer` takes them; where MXNet's differ, a class of the snippets has their place.

MXNet's Adam adds epsilon before the bias correction, and its Nesterov momentum takes the decay from the weight
that has already moved; its velocities hold the learning rates of their steps. Others whose classes would do are
written from their blocks, since what the kernels are given is rounded to single precision (LAMB), or since their
states are made in that (AdaDelta).
"""

from __future__ import annotations

from codegen.python.optimizers import Setting, decays, looks_ahead, made, native, steady
from codegen.python.source import Call, Expr
from nnspec.graph.updates import Update

RATE, DECAY = Setting("learning_rate", "lr"), Setting("wd", "weight_decay", 0.0)
MOMENTUM = Setting("momentum", "momentum", 0.0)
NATIVE = (
    native(
        "Adam",
        "Adam",
        RATE,
        Setting("beta1", "beta1", 0.9),
        Setting("beta2", "beta2", 0.999),
        Setting("epsilon", "epsilon", 1e-8),
        DECAY,
    ),
    native(
        "SGD",
        "NAG",
        Setting("weight_decay", "weight_decay"),
        RATE,
        MOMENTUM,
        covers=lambda given: looks_ahead(given) and decays(given) and steady(given),
    ),
    native(
        "SGD",
        "mx.optimizer.NAG",
        RATE,
        MOMENTUM,
        covers=lambda given: looks_ahead(given) and not decays(given) and steady(given),
    ),
    native(
        "SGD",
        "mx.optimizer.SGD",
        RATE,
        MOMENTUM,
        DECAY,
        covers=lambda given: not looks_ahead(given) and steady(given),
    ),
)


def optimizer(update: Update, rate: Expr | None = None) -> Call:
    """Constructor of the optimizer; `rate`: in place of its own."""
    return made(NATIVE, update, rate)
