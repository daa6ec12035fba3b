"""Elements by their numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from nnspec.catalogue.ops.base import Example, Op, Operand, ShapeError, declare
from nnspec.catalogue.ops.derivatives import Flows, Terms
from nnspec.catalogue.ops.helpers import need_integer, need_numbers, normal_axis, same_dtype
from nnspec.catalogue.ops.site import Site
from nnspec.core.dims import Dim, symbol
from nnspec.core.dtypes import DTYPES
from nnspec.core.fields import arg
from nnspec.core.kinds import axis, choice, whole
from nnspec.core.lazy import np
from nnspec.core.types import TensorType

if TYPE_CHECKING:
    from nnspec.catalogue.ops.base import Array

N, T = symbol("N"), symbol("T")
INDICES = Operand("indices", "from 0 to the size of the axis - 1", domain="index")


@declare
class Gather(Op):
    """Parts of a tensor along an axis, by their numbers: the axis becomes those of the numbers.

    A number outside is an error in some frameworks and is clipped in others: keep it inside.
    """

    name = "gather"
    operands = (Operand("x"), INDICES)
    axis: int = arg("the axis along which parts are taken", axis, default=0)

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        x, indices = inputs
        need_integer(indices, "integer indices", 1)
        at = normal_axis(self.axis, x.rank)
        return (x.with_shape((*x.shape[:at], *indices.shape, *x.shape[at + 1 :])),)

    def evaluate(self, x: Array, indices: Array) -> Array:
        return np.take(x, indices, self.axis)

    def gradient(self, to: Site, operands: Terms, results: Terms, gradients: Flows) -> Flows:
        (x, indices), (flow,) = operands, gradients
        zeros = to.broadcast_to(to.number(0, x.dtype), x.shape)
        return to.scatter_add(zeros, indices, flow, axis=self.axis), None

    def index_bounds(self, *inputs: TensorType) -> dict[int, Dim]:
        x = inputs[0]
        return {1: x.shape[normal_axis(self.axis, x.rank)]}

    @classmethod
    def examples(cls) -> Iterator[Example]:
        yield Example(cls(), (TensorType("f32", (7, 5)), TensorType("i64", (N, 3))))
        yield Example(cls(1), (TensorType("f32", (N, 5, 3)), TensorType("i64", (4,))))
        yield Example(cls(-1), (TensorType("f32", (N, 5, 3)), TensorType("i32", (2, 4))))
        yield Example(cls(-1), (TensorType("f32", (N, 5)), TensorType("i64", ())))


@declare
class ScatterAdd(Op):
    """A tensor with parts added to it along an axis, by their numbers; equal numbers add up.

    The way back of `gather`: `updates` has the shape that `gather(x, indices)` has.
    """

    name = "scatter_add"
    operands = (Operand("x"), INDICES, Operand("updates", "what is added"))
    axis: int = arg("the axis along which parts stand", axis, default=0)

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        x, indices, updates = inputs
        same_dtype(x, updates)
        need_numbers(x)
        (parts,) = Gather(self.axis).infer(x, indices)
        if updates != parts:
            raise ShapeError(f"expects {parts} to add to {x}, found {updates}", 0, 2)
        return (x,)

    def evaluate(self, x: Array, indices: Array, updates: Array) -> Array:
        total = np.array(x)
        at = normal_axis(self.axis, x.ndim)
        place: Any = (slice(None),) * at + (indices,)
        np.add.at(total, place, updates)
        return total

    def gradient(self, to: Site, operands: Terms, results: Terms, gradients: Flows) -> Flows:
        (_, indices, _), (flow,) = operands, gradients
        return flow, None, to.gather(flow, indices, axis=self.axis)

    def index_bounds(self, *inputs: TensorType) -> dict[int, Dim]:
        x = inputs[0]
        return {1: x.shape[normal_axis(self.axis, x.rank)]}

    @classmethod
    def examples(cls) -> Iterator[Example]:
        x = TensorType("f32", (4, 5))
        yield Example(cls(), (x, TensorType("i64", (N, 3)), x.with_shape((N, 3, 5))))
        y = TensorType("f32", (2, 5, 3))
        yield Example(cls(1), (y, TensorType("i64", (7,)), y.with_shape((2, 7, 3))))


@declare
class OneHot(Op):
    """For each number a row of zeros with a one at its place.

    A number outside is an error in some frameworks, and a row of zeros in others: keep it inside.
    """

    name = "one_hot"
    operands = (Operand("x", "numbers from 0 to classes - 1", domain="index"),)
    classes: int = arg("size of the new last axis", whole(1))
    dtype: str = arg("of the result", choice(*DTYPES), default="f32")

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        (x,) = inputs
        need_integer(x, "integers", 0)
        return (TensorType(self.dtype, (*x.shape, self.classes)),)

    def evaluate(self, x: Array) -> Array:
        result: Array = (x[..., None] == np.arange(self.classes)).astype(DTYPES[self.dtype].numpy)
        return result

    def index_bounds(self, *inputs: TensorType) -> dict[int, Dim]:
        return {0: self.classes}

    @classmethod
    def examples(cls) -> Iterator[Example]:
        yield Example(cls(7), (TensorType("i64", (N,)),))
        yield Example(cls(5, "i32"), (TensorType("i32", (N, 3)),))
        yield Example(cls(4), (TensorType("i64", ()),))
