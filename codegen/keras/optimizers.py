"""Optimizers; where Keras's differ from the language's, a class of the snippets has their place.

Keras's Adam adds epsilon before the root is corrected, and its weight decay is apart from the gradient. Its Ftrl
begins with an accumulator that is rounded to single precision, its Lamb rounds the powers of the betas, and the decay that
it has beside a class does not count in the length of LAMB's step. Its velocities hold the learning rates of their steps.
"""

from __future__ import annotations

from codegen.python.optimizers import Setting, decays, looks_ahead, made, native, steady
from codegen.python.source import Call, Expr
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
LION = (
    Setting("learning_rate", "lr", 1e-3),
    Setting("beta_1", "beta1", 0.9),
    Setting("beta_2", "beta2", 0.99),
)
NATIVE = (
    native("Adam", "DecayedAdam", *ADAM, DECAY, covers=decays),
    native("Adam", "Adam", *ADAM),
    native("AdamW", "Adam", *ADAM, Setting("weight_decay", "weight_decay", 0.0)),
    native("Lion", "keras.optimizers.Lion", *LION, Setting("weight_decay", "weight_decay", 0.0)),
    native(
        "Adadelta",
        "keras.optimizers.Adadelta",
        Setting("learning_rate", "lr", 1e-3),
        Setting("rho", "rho", 0.95),
        Setting("epsilon", "epsilon", 1e-7),
        covers=lambda given: not decays(given),
    ),
    native(
        "SGD", "DecayedSGD", *MOMENTUM, DECAY, covers=lambda given: decays(given) and steady(given)
    ),
    native(
        "SGD",
        "keras.optimizers.SGD",
        *MOMENTUM,
        covers=lambda given: not decays(given) and steady(given),
    ),
)


def optimizer(update: Update, rate: Expr | None = None) -> Call:
    """`Adam(1e-3)`; `rate`: in place of the optimizer's own."""
    return made(NATIVE, update, rate)
