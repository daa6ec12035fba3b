"""Arithmetic, element by element with NumPy's broadcasting."""

from __future__ import annotations

from collections.abc import Iterator

from nnspec.catalogue.ops.activations import Unary
from nnspec.catalogue.ops.base import Example, Layout, Op, Operand, ShapeError, declare
from nnspec.catalogue.ops.helpers import broadcast, need_float, same_dtype
from nnspec.core.dims import Dim, product, symbol
from nnspec.core.fields import internal
from nnspec.core.types import TensorType

N = symbol("N")


class Binary(Op):
    """Two operands, broadcast against each other."""

    layout = Layout.CARRY
    operands = (Operand("a"), Operand("b"))

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        dtype = same_dtype(*inputs)
        if dtype == "bool":
            raise ShapeError(f"expects numbers, found {inputs[0]}", 0)
        return (TensorType(dtype, broadcast(*inputs)),)

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        return product(outputs[0].shape)

    @classmethod
    def examples(cls) -> Iterator[Example]:
        x, y = TensorType("f32", (N, 5)), TensorType("f32", (2, 3, 5, 4))
        yield Example(cls(), (x, x))
        yield Example(cls(), (y, y.with_shape((4,))))
        yield Example(cls(), (y.with_shape((2, 1, 5, 4)), y.with_shape((3, 1, 4))))


@declare
class Add(Binary):
    """The sum `a + b`."""

    name = "add"


@declare
class Subtract(Binary):
    """The difference `a - b`."""

    name = "subtract"


@declare
class Multiply(Binary):
    """The product `a * b`."""

    name = "multiply"


@declare
class Divide(Binary):
    """The quotient `a / b` of numbers with a fraction: frameworks disagree on whole ones."""

    name = "divide"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        result = super().infer(*inputs)
        need_float(*inputs)
        return result


@declare
class Maximum(Binary):
    """The greater of the two."""

    name = "maximum"


@declare
class Minimum(Binary):
    """The lesser of the two."""

    name = "minimum"


@declare
class Negative(Unary):
    """The negative `-x`."""

    name = "negative"


@declare
class Exp(Unary):
    """`e` to the power of `x`."""

    name = "exp"


@declare
class Log(Unary):
    """Natural logarithm."""

    name = "log"

    @classmethod
    def examples(cls) -> Iterator[Example]:
        yield Example(cls(), (TensorType("f32", (N, 5)),))


@declare
class Sqrt(Unary):
    """Square root."""

    name = "sqrt"


@declare
class Abs(Unary):
    """`x` without its sign."""

    name = "abs"


class Same(Op):
    """Any tensor, unchanged."""

    layout = Layout.CARRY

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        return (inputs[0],)

    @classmethod
    def examples(cls) -> Iterator[Example]:
        yield Example(cls(), (TensorType("f32", (N, 5, 3)),))


@declare
class Identity(Same):
    """`x` itself: a branch of a parallel that goes straight through."""

    name = "identity"


@declare
class StopGradient(Same):
    """`x`, but no gradient flows back through it."""

    name = "stop_gradient"


@declare
class Constant(Op):
    """A number that meets a tensor: a scalar of the tensor's dtype. Never written as such."""

    name = "constant"
    layout = Layout.CARRY
    operands = ()
    value: float = internal(default=0.0)
    dtype: str = internal(default="f32")

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        return (TensorType(self.dtype, ()),)
