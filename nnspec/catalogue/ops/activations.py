"""Activations: one tensor in, one of the same shape out."""

from __future__ import annotations

from collections.abc import Iterator

from nnspec.catalogue.ops.base import Example, Layout, Op, declare
from nnspec.catalogue.ops.helpers import need_float, normal_axis
from nnspec.core.dims import Dim, product, symbol
from nnspec.core.fields import arg
from nnspec.core.kinds import axis
from nnspec.core.types import TensorType

N = symbol("N")


class Unary(Op):
    """Element by element on floats."""

    layout = Layout.CARRY

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        need_float(*inputs)
        return (inputs[0],)

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        return product(outputs[0].shape)

    @classmethod
    def examples(cls) -> Iterator[Example]:
        yield Example(cls(), (TensorType("f32", (N, 5)),))
        yield Example(cls(), (TensorType("f32", (2, 3, 5, 4)),))


@declare
class Relu(Unary):
    """`max(x, 0)`."""

    name = "relu"


@declare
class Sigmoid(Unary):
    """`1 / (1 + exp(-x))`."""

    name = "sigmoid"


@declare
class Tanh(Unary):
    """Hyperbolic tangent."""

    name = "tanh"


class AlongAxis(Op):
    """Over one axis, the last by default."""

    layout = Layout.AXES
    axis: int

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        need_float(*inputs)
        normal_axis(self.axis, inputs[0].rank)
        return (inputs[0],)

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        return product(outputs[0].shape) * 5

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


@declare
class LogSoftmax(AlongAxis):
    """`log(softmax(x))`, computed without overflow."""

    name = "log_softmax"
    axis: int = arg("the axis whose exponentials sum to 1", axis, default=-1)
