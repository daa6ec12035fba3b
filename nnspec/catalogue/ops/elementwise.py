"""Element by element: arithmetic with NumPy's broadcasting, and functions of one number."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from nnspec.catalogue.ops.base import Example, Op, Operand, ShapeError, declare
from nnspec.catalogue.ops.derivatives import unbroadcast
from nnspec.catalogue.ops.forms import Elementwise
from nnspec.catalogue.ops.helpers import broadcast, need_float, same_dtype
from nnspec.catalogue.ops.site import Site, Term
from nnspec.core.dims import Dim, product, symbol
from nnspec.core.dtypes import DTYPES
from nnspec.core.fields import internal
from nnspec.core.lazy import np
from nnspec.core.types import TensorType

if TYPE_CHECKING:
    from nnspec.catalogue.ops.base import Array

N = symbol("N")
Terms = tuple[Term, ...]
Flows = tuple[Term | None, ...]


class Unary(Elementwise):
    """Element by element on floats. A primitive says `derivative`: how the result moves with `x`."""

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        need_float(*inputs)
        return (inputs[0],)

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        return product(outputs[0].shape)

    def derivative(self, to: Site, x: Term, y: Term) -> Term:
        """`dy/dx`, from `x` and the result `y`."""
        raise TypeError(f"{self.name} has no derivative")

    def gradient(self, to: Site, operands: Terms, results: Terms, gradients: Flows) -> Flows:
        (flow,) = gradients
        assert flow is not None
        return (flow * self.derivative(to, operands[0], results[0]),)

    @classmethod
    def examples(cls) -> Iterator[Example]:
        yield Example(cls(), (TensorType("f32", (N, 5)),))
        yield Example(cls(), (TensorType("f32", (2, 3, 5, 4)),))


class Binary(Elementwise):
    """Two operands, broadcast against each other. A primitive says `flows`: what each gets of the gradient."""

    operands = (Operand("a"), Operand("b"))

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        dtype = same_dtype(*inputs)
        if dtype == "bool":
            raise ShapeError(f"expects numbers, found {inputs[0]}", 0)
        return (TensorType(dtype, broadcast(*inputs)),)

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        return product(outputs[0].shape)

    def flows(self, to: Site, a: Term, b: Term, y: Term, flow: Term) -> tuple[Term, Term]:
        """What flows back to `a` and `b`, before it is summed over axes that were broadcast."""
        raise TypeError(f"{self.name} has no derivative")

    def gradient(self, to: Site, operands: Terms, results: Terms, gradients: Flows) -> Flows:
        (flow,) = gradients
        assert flow is not None
        if not operands[0].type.is_float:
            return None, None
        a, b = operands
        to_a, to_b = self.flows(to, a, b, results[0], flow)
        return unbroadcast(to, to_a, a.type), unbroadcast(to, to_b, b.type)

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

    def evaluate(self, a: Array, b: Array) -> Array:
        return np.add(a, b)

    def flows(self, to: Site, a: Term, b: Term, y: Term, flow: Term) -> tuple[Term, Term]:
        return flow, flow


@declare
class Subtract(Binary):
    """The difference `a - b`."""

    name = "subtract"

    def evaluate(self, a: Array, b: Array) -> Array:
        return np.subtract(a, b)

    def flows(self, to: Site, a: Term, b: Term, y: Term, flow: Term) -> tuple[Term, Term]:
        return flow, -flow


@declare
class Multiply(Binary):
    """The product `a * b`."""

    name = "multiply"

    def evaluate(self, a: Array, b: Array) -> Array:
        return np.multiply(a, b)

    def flows(self, to: Site, a: Term, b: Term, y: Term, flow: Term) -> tuple[Term, Term]:
        return flow * b, flow * a


@declare
class Divide(Binary):
    """The quotient `a / b` of numbers with a fraction: frameworks disagree on whole ones."""

    name = "divide"
    operands = (Operand("a"), Operand("b", domain="nonzero"))

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        result = super().infer(*inputs)
        need_float(*inputs)
        return result

    def evaluate(self, a: Array, b: Array) -> Array:
        return np.divide(a, b)

    def flows(self, to: Site, a: Term, b: Term, y: Term, flow: Term) -> tuple[Term, Term]:
        return flow / b, -flow * y / b


@declare
class Maximum(Binary):
    """The greater of the two; where they are equal, the gradient is `a`'s."""

    name = "maximum"

    def evaluate(self, a: Array, b: Array) -> Array:
        return np.maximum(a, b)

    def flows(self, to: Site, a: Term, b: Term, y: Term, flow: Term) -> tuple[Term, Term]:
        return to.where(a >= b, flow, 0), to.where(a >= b, 0, flow)


@declare
class Minimum(Binary):
    """The lesser of the two; where they are equal, the gradient is `a`'s."""

    name = "minimum"

    def evaluate(self, a: Array, b: Array) -> Array:
        return np.minimum(a, b)

    def flows(self, to: Site, a: Term, b: Term, y: Term, flow: Term) -> tuple[Term, Term]:
        return to.where(a <= b, flow, 0), to.where(a <= b, 0, flow)


@declare
class Negative(Unary):
    """The negative `-x`."""

    name = "negative"
    hidden = True

    def evaluate(self, x: Array) -> Array:
        return np.negative(x)

    def derivative(self, to: Site, x: Term, y: Term) -> Term:
        return to.number(-1, x.dtype)


@declare
class Exp(Unary):
    """`e` to the power of `x`."""

    name = "exp"

    def evaluate(self, x: Array) -> Array:
        return np.exp(x)

    def derivative(self, to: Site, x: Term, y: Term) -> Term:
        return y


@declare
class Log(Unary):
    """Natural logarithm."""

    name = "log"
    operands = (Operand("x", domain="positive"),)

    def evaluate(self, x: Array) -> Array:
        return np.log(x)

    def derivative(self, to: Site, x: Term, y: Term) -> Term:
        return 1 / x

    @classmethod
    def examples(cls) -> Iterator[Example]:
        yield Example(cls(), (TensorType("f32", (N, 5)),))


@declare
class Log1p(Unary):
    """`log(1 + x)`, exact for small `x`."""

    name = "log1p"
    operands = (Operand("x", domain="positive"),)

    def evaluate(self, x: Array) -> Array:
        return np.log1p(x)

    def derivative(self, to: Site, x: Term, y: Term) -> Term:
        return 1 / (1 + x)


@declare
class Sign(Unary):
    """-1, 0 or 1."""

    name = "sign"

    def evaluate(self, x: Array) -> Array:
        return np.sign(x)

    def derivative(self, to: Site, x: Term, y: Term) -> Term:
        return 0 * x


@declare
class Sqrt(Unary):
    """Square root."""

    name = "sqrt"
    operands = (Operand("x", domain="positive"),)

    def evaluate(self, x: Array) -> Array:
        return np.sqrt(x)

    def derivative(self, to: Site, x: Term, y: Term) -> Term:
        return 0.5 / y


@declare
class Abs(Unary):
    """`x` without its sign."""

    name = "abs"

    def evaluate(self, x: Array) -> Array:
        return np.abs(x)

    def derivative(self, to: Site, x: Term, y: Term) -> Term:
        return to.sign(x)


class Same(Elementwise):
    """Any tensor, unchanged."""

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        return (inputs[0],)

    def evaluate(self, x: Array) -> Array:
        return x

    @classmethod
    def examples(cls) -> Iterator[Example]:
        yield Example(cls(), (TensorType("f32", (N, 5, 3)),))


@declare
class Identity(Same):
    """`x` itself: a branch of a parallel that goes straight through."""

    name = "identity"

    def gradient(self, to: Site, operands: Terms, results: Terms, gradients: Flows) -> Flows:
        return gradients


@declare
class StopGradient(Same):
    """`x`, but no gradient flows back through it."""

    name = "stop_gradient"


@declare
class Constant(Op):
    """A number that meets a tensor: a scalar of the tensor's dtype. Never written as such."""

    name = "constant"
    hidden = True
    operands = ()
    value: float = internal(default=0.0)
    dtype: str = internal(default="f32")

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        return (TensorType(self.dtype, ()),)

    def evaluate(self) -> Array:
        return np.asarray(self.value, DTYPES[self.dtype].numpy)
