"""Optimizers; where Keras's differ from the language's, a class of the snippets has their place.

Keras's Adam adds epsilon before the root is corrected, and its weight decay is apart from the gradient.
"""

from __future__ import annotations

from codegen.python.optimizers import Setting, decays, looks_ahead, made, native
from codegen.python.source import Expr
from nnspec.graph.updates import Update

DECAY = Setting("decay", "weight_decay")
ADAM = (
    Setting("learning_rate", "lr", 1e-3),
    Setting("beta_1", "beta1", 0.9),
    Setting("beta_2", "beta2", 0.999),
    Setting("epsilon", "epsilon", 1e-7),
)
MOMENTUM = (
    Setting("learning_rate", "lr"),
    Setting("momentum", "momentum", 0.0),
    Setting("nesterov", looks_ahead, False),
)
NATIVE = (
    native("Adam", "DecayedAdam", *ADAM, DECAY, covers=decays),
    native("Adam", "Adam", *ADAM),
    native("SGD", "DecayedSGD", *MOMENTUM, DECAY, covers=decays),
    native("SGD", "keras.optimizers.SGD", *MOMENTUM),
)


def optimizer(update: Update, rate: Expr | None = None) -> Expr:
    """`Adam(1e-3)`; `rate`: in place of the optimizer's own."""
    return made(NATIVE, update, rate)
