"""Optimizers as `gluon.Trainer` takes them; where MXNet's differ from the language's, a small class
in the generated program puts them right."""

from __future__ import annotations

from codegen.python.source import Expr, Name
from nnspec.catalogue.optimizers import SGD, Adam, Optimizer


def optimizer(value: Optimizer, rate: Expr | None = None) -> Expr:
    """Constructor of the optimizer; `rate`: in place of its own."""
    lr = getattr(value, "lr", None) if rate is None else rate
    match value:
        case Adam():
            return Name("Adam")(
                **_given(
                    learning_rate=(lr, 1e-3),
                    beta1=(value.beta1, 0.9),
                    beta2=(value.beta2, 0.999),
                    epsilon=(value.epsilon, 1e-8),
                    wd=(value.weight_decay, 0.0),
                )
            )
        case SGD(nesterov=True) if value.weight_decay and value.momentum:
            return Name("NAG")(value.weight_decay, learning_rate=lr, momentum=value.momentum)
        case SGD():
            kind = "NAG" if value.nesterov and value.momentum else "SGD"
            return Name(f"mx.optimizer.{kind}")(
                learning_rate=lr,
                **_given(momentum=(value.momentum, 0.0), wd=(value.weight_decay, 0.0)),
            )
    raise TypeError(f"no Gluon optimizer for {value}")


def _given(**settings: tuple[object, float]) -> dict[str, object]:
    """The learning rate, and what differs from MXNet's defaults."""
    return {
        name: value
        for name, (value, default) in settings.items()
        if name == "learning_rate" or value != default
    }
