"""Comparison and choice, element by element."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from nnspec.catalogue.ops.base import Example, Operand, ShapeError, declare
from nnspec.catalogue.ops.derivatives import unbroadcast
from nnspec.catalogue.ops.forms import Elementwise
from nnspec.catalogue.ops.helpers import broadcast, same_dtype
from nnspec.catalogue.ops.site import Site, Term
from nnspec.core.dims import Dim, product, symbol
from nnspec.core.lazy import np
from nnspec.core.types import TensorType

if TYPE_CHECKING:
    from nnspec.catalogue.ops.base import Array

N = symbol("N")


class Comparison(Elementwise):
    """True where it holds; the operands are broadcast against each other."""

    operands = (Operand("a"), Operand("b"))

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        same_dtype(*inputs)
        return (TensorType("bool", broadcast(*inputs)),)

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        return product(outputs[0].shape)

    @classmethod
    def examples(cls) -> Iterator[Example]:
        x, i = TensorType("f32", (N, 5)), TensorType("i64", (N, 5))
        yield Example(cls(), (x, x))
        yield Example(cls(), (i, i))
        yield Example(cls(), (TensorType("f32", (2, 1, 5, 4)), TensorType("f32", (3, 1, 4))))


@declare
class Equal(Comparison):
    """Whether `a == b`."""

    name = "equal"

    def evaluate(self, a: Array, b: Array) -> Array:
        return np.equal(a, b)


@declare
class NotEqual(Comparison):
    """Whether `a != b`."""

    name = "not_equal"

    def evaluate(self, a: Array, b: Array) -> Array:
        return np.not_equal(a, b)


class Ordering(Comparison):
    """A comparison of numbers."""

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        if inputs[0].dtype == "bool":
            raise ShapeError(f"expects numbers, found {inputs[0]}", 0)
        return super().infer(*inputs)


@declare
class Less(Ordering):
    """Whether `a < b`."""

    name = "less"

    def evaluate(self, a: Array, b: Array) -> Array:
        return np.less(a, b)


@declare
class LessEqual(Ordering):
    """Whether `a <= b`."""

    name = "less_equal"

    def evaluate(self, a: Array, b: Array) -> Array:
        return np.less_equal(a, b)


@declare
class Greater(Ordering):
    """Whether `a > b`."""

    name = "greater"

    def evaluate(self, a: Array, b: Array) -> Array:
        return np.greater(a, b)


@declare
class GreaterEqual(Ordering):
    """Whether `a >= b`."""

    name = "greater_equal"

    def evaluate(self, a: Array, b: Array) -> Array:
        return np.greater_equal(a, b)


class Logical(Elementwise):
    """On booleans, broadcast against each other."""

    operands: ClassVar[tuple[Operand, ...]] = (
        Operand("a", domain="boolean"),
        Operand("b", domain="boolean"),
    )

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        for i, x in enumerate(inputs):
            if x.dtype != "bool":
                raise ShapeError(f"expects booleans, found {x}", i)
        return (TensorType("bool", broadcast(inputs[0], inputs[-1])),)

    @classmethod
    def examples(cls) -> Iterator[Example]:
        x, y = TensorType("bool", (N, 5)), TensorType("bool", (2, 3, 5, 4))
        count = len(cls.operands)
        yield Example(cls(), (x,) * count)
        yield Example(cls(), (y, TensorType("bool", (3, 1, 4)))[:count])


@declare
class LogicalAnd(Logical):
    """Whether both are true."""

    name = "logical_and"

    def evaluate(self, a: Array, b: Array) -> Array:
        return np.logical_and(a, b)


@declare
class LogicalOr(Logical):
    """Whether one or both are true."""

    name = "logical_or"

    def evaluate(self, a: Array, b: Array) -> Array:
        return np.logical_or(a, b)


@declare
class LogicalNot(Logical):
    """Whether it is false."""

    name = "logical_not"
    operands = (Operand("x", domain="boolean"),)

    def evaluate(self, x: Array) -> Array:
        return np.logical_not(x)


@declare
class Where(Elementwise):
    """`a` where the condition is true, `b` elsewhere; all three are broadcast."""

    name = "where"
    operands = (Operand("condition", domain="boolean"), Operand("a"), Operand("b"))

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        condition, a, b = inputs
        if condition.dtype != "bool":
            raise ShapeError(f"expects a condition of booleans, found {condition}", 0)
        try:
            dtype = same_dtype(a, b)
        except ShapeError as error:
            raise ShapeError(error.message, 1, 2, help=error.help) from None
        both = TensorType(dtype, broadcast(a, b))
        return (TensorType(dtype, broadcast(condition, both)),)

    def evaluate(self, condition: Array, a: Array, b: Array) -> Array:
        return np.where(condition, a, b)

    def gradient(
        self,
        to: Site,
        operands: tuple[Term, ...],
        results: tuple[Term, ...],
        gradients: tuple[Term | None, ...],
    ) -> tuple[Term | None, ...]:
        (condition, a, b), (flow,) = operands, gradients
        if flow is None or not a.type.is_float:
            return None, None, None
        return (
            None,
            unbroadcast(to, to.where(condition, flow, 0), a.type),
            unbroadcast(to, to.where(condition, 0, flow), b.type),
        )

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        return product(outputs[0].shape)

    @classmethod
    def examples(cls) -> Iterator[Example]:
        x, c = TensorType("f32", (N, 5)), TensorType("bool", (N, 5))
        yield Example(cls(), (c, x, x))
        y = TensorType("f32", (2, 3, 5, 4))
        yield Example(cls(), (TensorType("bool", (3, 1, 1)), y, y.with_shape((4,))))
