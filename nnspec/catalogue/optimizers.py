"""Optimizers: how a gradient becomes an update. Values of the language, as in `Adam(lr = 1e-3)`."""

from __future__ import annotations

from nnspec.core.declare import Catalogue, Declaration, declaration
from nnspec.core.fields import arg
from nnspec.core.kinds import boolean, real, whole


@declaration
class Optimizer(Declaration):
    """Base of all optimizers."""


OPTIMIZERS: Catalogue[Optimizer] = Catalogue()


@declaration
class Making(Declaration):
    """What a program decides of an update, whatever the optimizer: given with its parameters."""

    name = "using"
    every: int = arg("the update is made on each so-many-th step", whole(1), default=1)


@OPTIMIZERS.add
class SGD(Optimizer):
    """`v = momentum * v + g; w = w - lr * v`; with `nesterov`, `w = w - lr * (g + momentum * v)`.

    The velocity does not hold the learning rate (PyTorch's form; Sutskever et al. 2013).
    """

    name = "SGD"
    lr: float = arg("learning rate", real(0), default=0.01)
    momentum: float = arg("share of the velocity that is kept", real(0, 1), default=0.0)
    nesterov: bool = arg("whether the step looks ahead", boolean, default=False)
    weight_decay: float = arg("times the weight, added to the gradient", real(0), default=0.0)


@OPTIMIZERS.add
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
