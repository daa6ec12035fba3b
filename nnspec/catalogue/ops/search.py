"""Where elements stand in order, and elements in order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from nnspec.catalogue.ops.base import Example, Op, Reordered, ShapeError, declare
from nnspec.catalogue.ops.derivatives import Flows, Terms, kept
from nnspec.catalogue.ops.forms import Forms, Types, order_of
from nnspec.catalogue.ops.helpers import need_float, need_numbers, normal_axis, without
from nnspec.catalogue.ops.site import Site, Term
from nnspec.core.dims import Dim, product, symbol
from nnspec.core.fields import arg
from nnspec.core.kinds import axis, boolean, whole
from nnspec.core.lazy import np
from nnspec.core.orders import Form, without_axes
from nnspec.core.types import TensorType

if TYPE_CHECKING:
    from nnspec.catalogue.ops.base import Array

N, T = symbol("N"), symbol("T")


class Position(Op):
    """Where along an axis; of equals the first."""

    axis: int
    keepdims: bool

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        (x,) = inputs
        need_numbers(x)
        over = (normal_axis(self.axis, x.rank),)
        return (TensorType("i64", without(x.shape, over, self.keepdims)),)

    def reordered(self, forms: Forms, inputs: Types, outputs: Types) -> Reordered | None:
        order = order_of(forms[0])
        if order is None:
            return None
        axis = normal_axis(self.axis, len(order))
        left = forms[0] if self.keepdims else Form(without_axes(order, (axis,)))
        return Reordered(replace(self, axis=order.index(axis)), forms, (left,))

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        return product(inputs[0].shape)

    @classmethod
    def examples(cls) -> Iterator[Example]:
        yield Example(cls(axis=-1, keepdims=False), (TensorType("f32", (N, 5)),))
        yield Example(cls(axis=1, keepdims=True), (TensorType("f32", (N, 5, 3, 4)),))


@declare
class ArgMax(Position):
    """Where the greatest element stands along an axis; of equals the first."""

    name = "argmax"
    axis: int = arg("the axis that is searched", axis, default=-1)
    keepdims: bool = arg("whether it stays, with size 1", boolean, default=False)

    def evaluate(self, x: Array) -> Array:
        result: Array = np.argmax(x, self.axis, keepdims=self.keepdims).astype("int64")
        return result


@declare
class ArgMin(Position):
    """Where the least element stands along an axis; of equals the first."""

    name = "argmin"
    axis: int = arg("the axis that is searched", axis, default=-1)
    keepdims: bool = arg("whether it stays, with size 1", boolean, default=False)

    def evaluate(self, x: Array) -> Array:
        result: Array = np.argmin(x, self.axis, keepdims=self.keepdims).astype("int64")
        return result


@declare
class CumSum(Op):
    """Along an axis the sum of each element and all before it."""

    name = "cumsum"
    axis: int = arg("the axis along which", axis, default=-1)

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        (x,) = inputs
        need_float(x)
        normal_axis(self.axis, x.rank)
        return (x,)

    def evaluate(self, x: Array) -> Array:
        return np.cumsum(x, self.axis)

    def gradient(self, to: Site, operands: Terms, results: Terms, gradients: Flows) -> Flows:
        flow = to.flip(gradients[0], (self.axis,))
        return (to.flip(to.cumsum(flow, self.axis), (self.axis,)),)

    def reordered(self, forms: Forms, inputs: Types, outputs: Types) -> Reordered | None:
        order = order_of(forms[0])
        if order is None:
            return None
        axis = order.index(normal_axis(self.axis, len(order)))
        return Reordered(replace(self, axis=axis), forms, forms)

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        return product(inputs[0].shape)

    @classmethod
    def examples(cls) -> Iterator[Example]:
        yield Example(cls(), (TensorType("f32", (N, 5)),))
        yield Example(cls(1), (TensorType("f32", (N, 5, 3)),))


@declare
class TopK(Op):
    """Along an axis the `k` greatest elements, the greatest first, and where they stood (of equals the first)."""

    name = "topk"
    k: int = arg("how many", whole(1))
    axis: int = arg("the axis that is searched", axis, default=-1)

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        (x,) = inputs
        need_float(x)
        at = normal_axis(self.axis, x.rank)
        size = x.shape[at]
        if isinstance(size, int) and self.k > size:
            raise ShapeError(f"cannot choose {self.k} of the {size} along axis {at} of {x}", 0)
        shape = (*x.shape[:at], self.k, *x.shape[at + 1 :])
        return x.with_shape(shape), TensorType("i64", shape)

    def evaluate(self, x: Array) -> tuple[Array, Array]:
        order = np.argsort(-x, self.axis, kind="stable")
        order = np.take(order, np.arange(self.k), self.axis)
        return np.take_along_axis(x, order, self.axis), order.astype("int64")

    def gradient(self, to: Site, operands: Terms, results: Terms, gradients: Flows) -> Flows:
        """Each element's flow goes where it came from."""
        (x,), (_, places), (flow, _) = operands, results, gradients
        if flow is None:
            return (None,)
        at = normal_axis(self.axis, x.rank)
        last = (*(i for i in range(x.rank) if i != at), at)
        places, flow = to.transpose(places, last), to.transpose(flow, last)
        came = to.one_hot(places, x.shape[at], x.dtype)
        spread = to.sum(came * kept(to, flow, (*flow.shape, 1), ()), axis=(-2,))
        return (to.transpose(spread, tuple(last.index(i) for i in range(x.rank))),)

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        return product(inputs[0].shape)

    @classmethod
    def examples(cls) -> Iterator[Example]:
        yield Example(cls(3), (TensorType("f32", (N, 7)),))
        yield Example(cls(2, 1), (TensorType("f32", (N, 5, 3)),))


@declare
class Sort(Op):
    """The elements along an axis from the least to the greatest, or the other way."""

    name = "sort"
    axis: int = arg("the axis along which", axis, default=-1)
    descending: bool = arg("whether the greatest stand first", boolean, default=False)

    def check(self, *inputs: TensorType) -> None:
        (x,) = inputs
        if not isinstance(x.shape[normal_axis(self.axis, x.rank)], int):
            raise ShapeError(f"needs a number of elements along the axis, found {x}", 0)

    def expand(self, to: Site, x: Term) -> Term:
        size = x.shape[normal_axis(self.axis, x.rank)]
        assert isinstance(size, int)
        values, _ = to.apply(TopK(size, self.axis), x if self.descending else -x)
        return values if self.descending else -values

    @classmethod
    def examples(cls) -> Iterator[Example]:
        yield Example(cls(), (TensorType("f32", (N, 7)),))
        yield Example(cls(1, True), (TensorType("f32", (N, 5, 3)),))
