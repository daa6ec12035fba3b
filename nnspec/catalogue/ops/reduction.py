"""Reductions over axes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from nnspec.catalogue.ops.base import Example, Op, Operand, Reordered, declare
from nnspec.catalogue.ops.derivatives import Flows, Terms, count_of, kept, repeated
from nnspec.catalogue.ops.forms import Forms, Types, order_of
from nnspec.catalogue.ops.helpers import need_float, need_numbers, normal_axes, without
from nnspec.catalogue.ops.site import Site, Term
from nnspec.core.dims import Dim, product, symbol
from nnspec.core.fields import arg
from nnspec.core.kinds import axes, boolean, optional
from nnspec.core.lazy import np
from nnspec.core.orders import Form, without_axes
from nnspec.core.types import TensorType

if TYPE_CHECKING:
    from nnspec.catalogue.ops.base import Array

N = symbol("N")


class Reduce(Op):
    """Over the given axes, all by default. `share` is what each element gets of the gradient."""

    axis: tuple[int, ...] | None
    keepdims: bool

    def over(self, rank: int) -> tuple[int, ...]:
        """The axes, counted from 0, in order."""
        return tuple(range(rank)) if self.axis is None else normal_axes(self.axis, rank)

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        (x,) = inputs
        need_float(x)
        return (x.with_shape(without(x.shape, self.over(x.rank), self.keepdims)),)

    def share(self, to: Site, x: Term, y: Term, flow: Term) -> Term:
        """What flows back; `y`, the result, and `flow` still have every axis."""
        raise TypeError(f"{self.name} has no derivative")

    def gradient(self, to: Site, operands: Terms, results: Terms, gradients: Flows) -> Flows:
        (x,), (y,), (flow,) = operands, results, gradients
        if flow is None or not x.type.is_float:
            return (None,)
        over = self.over(x.rank)
        y, flow = (kept(to, t, x.shape, over) for t in (y, flow))
        return (self.share(to, x, y, flow),)

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

    def evaluate(self, x: Array) -> Array:
        result: Array = np.mean(x, axis=self.over(x.ndim), keepdims=self.keepdims)
        return result

    def share(self, to: Site, x: Term, y: Term, flow: Term) -> Term:
        over = self.over(x.rank)
        return repeated(to, flow / count_of(to, x, over), x.shape, over)


@declare
class Sum(Reduce):
    """The sum over axes."""

    name = "sum"
    axis: tuple[int, ...] | None = arg(
        "axes that vanish; none is all", optional(axes), default=None
    )
    keepdims: bool = arg("whether they stay, with size 1", boolean, default=False)

    def evaluate(self, x: Array) -> Array:
        result: Array = np.sum(x, axis=self.over(x.ndim), keepdims=self.keepdims)
        return result

    def share(self, to: Site, x: Term, y: Term, flow: Term) -> Term:
        return repeated(to, flow, x.shape, self.over(x.rank))


class Extreme(Reduce):
    """The gradient is shared equally by the elements that attain it."""

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        (x,) = inputs
        need_numbers(x)
        return (x.with_shape(without(x.shape, self.over(x.rank), self.keepdims)),)

    def share(self, to: Site, x: Term, y: Term, flow: Term) -> Term:
        attain = to.cast(to.equal(x, y), x.dtype)
        return flow * attain / to.sum(attain, axis=self.over(x.rank), keepdims=True)


@declare
class Max(Extreme):
    """The greatest element over axes; the gradient is shared equally by those that attain it."""

    name = "max"
    axis: tuple[int, ...] | None = arg(
        "axes that vanish; none is all", optional(axes), default=None
    )
    keepdims: bool = arg("whether they stay, with size 1", boolean, default=False)

    def evaluate(self, x: Array) -> Array:
        result: Array = np.max(x, axis=self.over(x.ndim), keepdims=self.keepdims)
        return result


@declare
class Min(Extreme):
    """The least element over axes; the gradient is shared equally by those that attain it."""

    name = "min"
    axis: tuple[int, ...] | None = arg(
        "axes that vanish; none is all", optional(axes), default=None
    )
    keepdims: bool = arg("whether they stay, with size 1", boolean, default=False)

    def evaluate(self, x: Array) -> Array:
        result: Array = np.min(x, axis=self.over(x.ndim), keepdims=self.keepdims)
        return result


@declare
class Prod(Reduce):
    """The product over axes."""

    name = "prod"
    operands = (Operand("x", domain="nonzero"),)
    axis: tuple[int, ...] | None = arg(
        "axes that vanish; none is all", optional(axes), default=None
    )
    keepdims: bool = arg("whether they stay, with size 1", boolean, default=False)

    def evaluate(self, x: Array) -> Array:
        result: Array = np.prod(x, axis=self.over(x.ndim), keepdims=self.keepdims)
        return result

    def share(self, to: Site, x: Term, y: Term, flow: Term) -> Term:
        """The product of the others: where there is one zero, only that one has others without."""
        over = self.over(x.rank)
        zero = to.equal(x, 0)
        zeros = to.sum(to.cast(zero, x.dtype), axis=over, keepdims=True)
        rest = to.prod(to.where(zero, 1, x), axis=over, keepdims=True)
        lonely = to.where(to.equal(zeros, 1), rest, 0)
        others = to.where(to.equal(zeros, 0), rest, 0) / to.where(zero, 1, x)
        return flow * to.where(zero, lonely, others)

    @classmethod
    def examples(cls) -> Iterator[Example]:
        # Few factors: halves soon have no more room for a product.
        yield Example(cls(), (TensorType("f32", (2, 3)),))
        x = TensorType("f32", (N, 5, 2))
        for axis in ((1,), (0, 2)):
            yield Example(cls(axis=axis), (x,))
        yield Example(cls(axis=(-1,), keepdims=True), (x,))
