"""Optimizers; where Keras's differ from the language's, a small class in the generated program puts
them right."""

from __future__ import annotations

from codegen.python.source import Expr, Name
from nnspec.catalogue.optimizers import SGD, Adam, Optimizer


def optimizer(value: Optimizer, rate: Expr | None = None) -> Expr:
    """`Adam(1e-3)`; `rate`: in place of the optimizer's own."""
    lr = getattr(value, "lr", None) if rate is None else rate
    match value:
        case Adam():
            made = Name("DecayedAdam" if value.weight_decay else "Adam")()
            given: dict[str, tuple[object, float | None]] = {
                "learning_rate": (lr, 1e-3),
                "beta_1": (value.beta1, 0.9),
                "beta_2": (value.beta2, 0.999),
                # Keras's own is 1e-7.
                "epsilon": (value.epsilon, 1e-7),
            }
        case SGD():
            made = Name("DecayedSGD" if value.weight_decay else "keras.optimizers.SGD")()
            given = {
                "learning_rate": (lr, None),
                "momentum": (value.momentum, 0.0),
                "nesterov": (value.nesterov and value.momentum > 0, False),
            }
        case _:
            raise TypeError(f"Keras has no optimizer for {value}")
    for name, (setting, default) in given.items():
        if setting != default:
            made = made.with_keyword(name, setting)
    return made.with_keyword("decay", value.weight_decay) if value.weight_decay else made
