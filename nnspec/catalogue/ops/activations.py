"""Activations: one tensor in, one of the same shape out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from nnspec.catalogue.ops.base import Example, Op, Reordered, declare
from nnspec.catalogue.ops.elementwise import Unary
from nnspec.catalogue.ops.forms import Forms, Types, order_of
from nnspec.catalogue.ops.helpers import need_float, normal_axis
from nnspec.catalogue.ops.site import Site, Term
from nnspec.core.dims import Dim, product, symbol
from nnspec.core.fields import arg
from nnspec.core.kinds import axis
from nnspec.core.lazy import np
from nnspec.core.types import TensorType

if TYPE_CHECKING:
    from nnspec.catalogue.ops.base import Array

N = symbol("N")


@declare
class Relu(Unary):
    """`max(x, 0)`."""

    name = "relu"

    def expand(self, to: Site, x: Term) -> Term:
        # Not `maximum(x, 0)`, whose gradient at 0 is 1: every framework has 0 there.
        return to.where(x > 0, x, 0)


@declare
class Softplus(Unary):
    """`log(1 + exp(x))`, without overflow."""

    name = "softplus"

    def expand(self, to: Site, x: Term) -> Term:
        # Not `maximum(x, 0)`, whose gradient at 0 is not a half.
        return 0.5 * x + 0.5 * abs(x) + to.log1p(to.exp(-abs(x)))


@declare
class Sigmoid(Unary):
    """`1 / (1 + exp(-x))`."""

    name = "sigmoid"

    def evaluate(self, x: Array) -> Array:
        e = np.exp(-np.abs(x))
        return np.where(x >= 0, 1 / (1 + e), e / (1 + e)).astype(x.dtype)

    def derivative(self, to: Site, x: Term, y: Term) -> Term:
        return y * (1 - y)


@declare
class Tanh(Unary):
    """Hyperbolic tangent."""

    name = "tanh"

    def evaluate(self, x: Array) -> Array:
        return np.tanh(x)

    def derivative(self, to: Site, x: Term, y: Term) -> Term:
        return 1 - y * y


class AlongAxis(Op):
    """Over one axis, the last by default."""

    axis: int

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        need_float(*inputs)
        normal_axis(self.axis, inputs[0].rank)
        return (inputs[0],)

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        return product(outputs[0].shape) * 5

    def reordered(self, forms: Forms, inputs: Types, outputs: Types) -> Reordered | None:
        order = order_of(forms[0])
        if order is None:
            return None
        axis = order.index(normal_axis(self.axis, len(order)))
        return Reordered(replace(self, axis=axis), forms, forms)

    @classmethod
    def examples(cls) -> Iterator[Example]:
        yield Example(cls(axis=-1), (TensorType("f32", (N, 5)),))
        yield Example(cls(axis=1), (TensorType("f32", (N, 5, 3)),))
        yield Example(cls(axis=-2), (TensorType("f32", (2, 3, 5, 4)),))


@declare
class Softmax(AlongAxis):
    """`exp(x) / sum(exp(x))` along an axis."""

    name = "softmax"
    axis: int = arg("the axis that sums to 1", axis, default=-1)

    def expand(self, to: Site, x: Term) -> Term:
        over = (normal_axis(self.axis, x.rank),)
        e = to.exp(x - greatest(to, x, over))
        return e / to.sum(e, axis=over, keepdims=True)


@declare
class LogSoftmax(AlongAxis):
    """`log(softmax(x))`, computed without overflow."""

    name = "log_softmax"
    axis: int = arg("the axis whose exponentials sum to 1", axis, default=-1)

    def expand(self, to: Site, x: Term) -> Term:
        over = (normal_axis(self.axis, x.rank),)
        z = x - greatest(to, x, over)
        return z - to.log(to.sum(to.exp(z), axis=over, keepdims=True))


def greatest(to: Site, x: Term, over: tuple[int, ...]) -> Term:
    """What is taken away before exponentials are summed; it does not change the result."""
    return to.stop_gradient(to.max(x, axis=over, keepdims=True))
