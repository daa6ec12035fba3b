"""Optimizers: how a gradient becomes an update. Values of the language, as in `Adam(lr = 1e-3)`."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar, dataclass_transform

from nnspec.core.fields import arg
from nnspec.core.kinds import boolean, real


@dataclass(frozen=True)
class Optimizer:
    """Base of all optimizers; `name` is the one in the language."""

    name: ClassVar[str]

    @classmethod
    def arguments(cls) -> tuple[dataclasses.Field[Any], ...]:
        return dataclasses.fields(cls)


OPTIMIZERS: dict[str, type[Optimizer]] = {}
AnyOptimizer = TypeVar("AnyOptimizer", bound=Optimizer)


@dataclass_transform(frozen_default=True, field_specifiers=(arg,))
def declare(cls: type[AnyOptimizer]) -> type[AnyOptimizer]:
    """Class decorator: freeze the declaration and enter it into the catalogue."""
    frozen = dataclass(frozen=True)(cls)
    OPTIMIZERS[frozen.name] = frozen
    return frozen


@declare
class SGD(Optimizer):
    """`v = momentum * v + g; w = w - lr * v`; with `nesterov`, `w = w - lr * (g + momentum * v)`.

    The velocity does not hold the learning rate (PyTorch's form; Sutskever et al. 2013).
    """

    name = "SGD"
    lr: float = arg("learning rate", real(0), default=0.01)
    momentum: float = arg("share of the velocity that is kept", real(0, 1), default=0.0)
    nesterov: bool = arg("whether the step looks ahead", boolean, default=False)
    weight_decay: float = arg("times the weight, added to the gradient", real(0), default=0.0)


@declare
class Adam(Optimizer):
    """Running means of gradient and square, both corrected for their start (Kingma and Ba 2015).

    `w = w - lr * m / (sqrt(v) + epsilon)` with `m` and `v` after the correction.
    """

    name = "Adam"
    lr: float = arg("learning rate", real(0), default=1e-3)
    beta1: float = arg("share of the mean that is kept", real(0, 1, open_high=True), default=0.9)
    beta2: float = arg(
        "share of the square that is kept", real(0, 1, open_high=True), default=0.999
    )
    epsilon: float = arg("added to the root", real(0), default=1e-8)
    weight_decay: float = arg("times the weight, added to the gradient", real(0), default=0.0)
