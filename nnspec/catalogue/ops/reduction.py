"""Reductions over axes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from nnspec.catalogue.ops.base import Example, Op, Reordered, ShapeError, declare
from nnspec.catalogue.ops.forms import Forms, Types, order_of
from nnspec.catalogue.ops.helpers import need_float, normal_axis, without
from nnspec.core.dims import Dim, product, symbol
from nnspec.core.fields import arg
from nnspec.core.kinds import axes, boolean, optional
from nnspec.core.orders import Form, without_axes
from nnspec.core.types import TensorType

N = symbol("N")


class Reduce(Op):
    """Over the given axes, all by default."""

    axis: tuple[int, ...] | None
    keepdims: bool

    def over(self, rank: int) -> tuple[int, ...]:
        """The axes, counted from 0, in order."""
        if self.axis is None:
            return tuple(range(rank))
        found = sorted(normal_axis(a, rank) for a in self.axis)
        if len(set(found)) < len(found):
            raise ShapeError(f"names an axis twice: {list(self.axis)}", 0)
        return tuple(found)

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        (x,) = inputs
        need_float(x)
        return (x.with_shape(without(x.shape, self.over(x.rank), self.keepdims)),)

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        return product(inputs[0].shape)

    def reordered(self, forms: Forms, inputs: Types, outputs: Types) -> Reordered | None:
        order = order_of(forms[0])
        if order is None:
            return None
        over = self.over(len(order))
        left = forms[0] if self.keepdims else Form(without_axes(order, over))
        if self.axis is None:
            return Reordered(self, forms, (left,))
        axis = tuple(sorted(order.index(a) for a in over))
        return Reordered(replace(self, axis=axis), forms, (left,))

    @classmethod
    def examples(cls) -> Iterator[Example]:
        x = TensorType("f32", (N, 5, 3, 4))
        for axis in (None, (1,), (-1,), (1, 2), (0, 3)):
            yield Example(cls(axis=axis, keepdims=False), (x,))
            yield Example(cls(axis=axis, keepdims=True), (x,))


@declare
class Mean(Reduce):
    """The mean over axes."""

    name = "mean"
    axis: tuple[int, ...] | None = arg(
        "axes that vanish; none is all", optional(axes), default=None
    )
    keepdims: bool = arg("whether they stay, with size 1", boolean, default=False)


@declare
class Sum(Reduce):
    """The sum over axes."""

    name = "sum"
    axis: tuple[int, ...] | None = arg(
        "axes that vanish; none is all", optional(axes), default=None
    )
    keepdims: bool = arg("whether they stay, with size 1", boolean, default=False)
