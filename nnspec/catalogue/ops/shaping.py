"""The same elements in another shape, order or type."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nnspec.catalogue.ops.base import Example, Op, Operand, Reordered, ShapeError, declare
from nnspec.catalogue.ops.derivatives import Flows, Terms, part
from nnspec.catalogue.ops.forms import Elementwise, Forms, Types, leading, order_of
from nnspec.catalogue.ops.helpers import normal_axis, numbers, same_dtype
from nnspec.catalogue.ops.site import Site, Term
from nnspec.core.dims import Dim, Shape, Sym, floor, modulo, product, show, symbol
from nnspec.core.dtypes import DTYPES
from nnspec.core.fields import arg, internal
from nnspec.core.kinds import axes, axis, choice, optional, shape
from nnspec.core.lazy import np
from nnspec.core.orders import (
    Form,
    Order,
    between,
    keeps_elements,
    lay,
    plain,
    plain_form,
    without_axes,
)
from nnspec.core.types import TensorType

if TYPE_CHECKING:
    from nnspec.catalogue.ops.base import Array

N, T = symbol("N"), symbol("T")


@declare
class Flatten(Op):
    """Join all axes but the first: `[N, H, W, C]` becomes `[N, H * W * C]`."""

    name = "flatten"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        (x,) = inputs
        if x.rank < 2:
            raise ShapeError(f"expects at least [N, C], found {x}", 0)
        return (x.with_shape((x.shape[0], product(x.shape[1:]))),)

    def expand(self, to: Site, x: Term) -> Term:
        return to.reshape(x, (x.shape[0], product(x.shape[1:])))

    def reordered(self, forms: Forms, inputs: Types, outputs: Types) -> Reordered | None:
        (form,), (x,) = forms, inputs
        if form.grid:
            return Reordered(self, forms, forms)
        if keeps_elements(x.shape, form.order):
            return Reordered(self, forms, (plain_form(2),))
        sizes = tuple(d for d in x.shape[1:] if isinstance(d, int))
        if form.order[0] != 0 or len(sizes) < x.rank - 1:
            return None
        inner = tuple(axis - 1 for axis in form.order[1:])
        return Reordered(self, forms, (Form(plain(2), sizes, inner),))

    @classmethod
    def examples(cls) -> Iterator[Example]:
        yield Example(cls(), (TensorType("f32", (N, 5, 3, 4)),))
        yield Example(cls(), (TensorType("f32", (2, 5)),))


@declare
class Reshape(Op):
    """The same elements, counted along the last axis first, in another shape; one size may be -1."""

    name = "reshape"
    shape: Shape = arg("the new sizes", shape)

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        (x,) = inputs
        count = product(x.shape)
        free = [i for i, d in enumerate(self.shape) if d == -1]
        if len(free) > 1:
            raise ShapeError("can work out only one size: -1 stands more than once")
        known = product(tuple(d for d in self.shape if d != -1))
        if not free:
            if known != count:
                raise ShapeError(
                    f"cannot reshape {x} of {count} elements to {show(self.shape)} of {known}", 0
                )
            return (x.with_shape(self.shape),)
        if known == 0 or modulo(count, known) != 0:
            raise ShapeError(
                f"cannot reshape {x} to {show(self.shape)}: {count} elements, not a multiple of {known}",
                0,
            )
        sizes = list(self.shape)
        sizes[free[0]] = floor(count, known)
        return (x.with_shape(tuple(sizes)),)

    def evaluate(self, x: Array) -> Array:
        return np.reshape(x, numbers(self.shape))

    def gradient(self, to: Site, operands: Terms, results: Terms, gradients: Flows) -> Flows:
        return (to.reshape(gradients[0], operands[0].shape),)

    def reordered(self, forms: Forms, inputs: Types, outputs: Types) -> Reordered | None:
        order, (x,), (y,) = order_of(forms[0]), inputs, outputs
        if order is None:
            return None
        if keeps_elements(x.shape, order):
            return Reordered(self, forms, (plain_form(y.rank),))
        after = regrouped(x.shape, y.shape, order)
        if after is None:
            return None
        return Reordered(replace(self, shape=lay(y.shape, after)), forms, (Form(after),))

    @classmethod
    def examples(cls) -> Iterator[Example]:
        yield Example(cls((N, 15, 4)), (TensorType("f32", (N, 5, 3, 4)),))
        yield Example(cls((N, 2, 3, 4)), (TensorType("f32", (N, 24)),))
        yield Example(cls((-1, 4)), (TensorType("f32", (N, 3, 4)),))
        yield Example(cls((N, T, 2, 3)), (TensorType("f32", (N, T, 6)),))


@declare
class Transpose(Op):
    """Axes in another order; by default the last two change places."""

    name = "transpose"
    axes: tuple[int, ...] | None = arg(
        "for each axis of the result, where it comes from", optional(axes), default=None
    )

    def order(self, rank: int) -> tuple[int, ...]:
        """The axes, counted from 0."""
        if self.axes is None:
            return (*range(rank - 2), rank - 1, rank - 2)
        return tuple(normal_axis(a, rank) for a in self.axes)

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        (x,) = inputs
        if x.rank < 2 and self.axes is None:
            raise ShapeError(f"expects at least two axes, found {x}", 0)
        order = self.order(x.rank)
        if sorted(order) != list(range(x.rank)):
            raise ShapeError(f"needs every axis of {x} once, found {list(self.axes or ())}", 0)
        return (x.with_shape(tuple(x.shape[i] for i in order)),)

    def evaluate(self, x: Array) -> Array:
        return np.transpose(x, self.order(x.ndim))

    def gradient(self, to: Site, operands: Terms, results: Terms, gradients: Flows) -> Flows:
        order = self.order(operands[0].rank)
        back = tuple(order.index(i) for i in range(len(order)))
        return (to.transpose(gradients[0], back),)

    def reordered(self, forms: Forms, inputs: Types, outputs: Types) -> Reordered | None:
        (form,) = forms
        if form.grid:
            return None
        return Reordered(None, forms, (Form(between(self.order(inputs[0].rank), form.order)),))

    @classmethod
    def examples(cls) -> Iterator[Example]:
        yield Example(cls(), (TensorType("f32", (3, 5)),))
        yield Example(cls((0, 2, 1, 3)), (TensorType("f32", (N, 5, 3, 4)),))


@declare
class Concat(Op):
    """Join tensors along an axis, the last by default."""

    name = "concat"
    operands = (Operand("x", "two or more tensors", variadic=True),)
    axis: int = arg("the axis along which they are joined", axis, default=-1)

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        first = inputs[0]
        dtype = same_dtype(*inputs)
        at = normal_axis(self.axis, first.rank)
        total: Dim = 0
        for i, x in enumerate(inputs):
            fits = x.rank == first.rank and all(
                m == n for j, (m, n) in enumerate(zip(x.shape, first.shape, strict=True)) if j != at
            )
            if not fits:
                raise ShapeError(
                    f"cannot join {first} and {x} along axis {self.axis}: the other axes differ",
                    0,
                    i,
                )
            total = total + x.shape[at]
        return (TensorType(dtype, (*first.shape[:at], total, *first.shape[at + 1 :])),)

    def evaluate(self, *xs: Array) -> Array:
        return np.concatenate(xs, self.axis)

    def gradient(self, to: Site, operands: Terms, results: Terms, gradients: Flows) -> Flows:
        (flow,) = gradients
        assert flow is not None
        axis = normal_axis(self.axis, flow.rank)
        flows, start = [], 0
        for x in operands:
            size = x.shape[axis]
            if not isinstance(size, int):
                raise ShapeError(f"has no derivative where a size is not a number: {x.type}")
            flows.append(part(to, flow, axis, start, start + size))
            start += size
        return tuple(flows)

    def reordered(self, forms: Forms, inputs: Types, outputs: Types) -> Reordered | None:
        lead = leading(forms, inputs)
        if lead is None or lead.grid:
            return None
        axis = lead.order.index(normal_axis(self.axis, len(lead.order)))
        return Reordered(replace(self, axis=axis), (lead,) * len(inputs), (lead,))

    @classmethod
    def examples(cls) -> Iterator[Example]:
        x = TensorType("f32", (N, 5, 3, 4))
        yield Example(cls(), (x, x.with_shape((N, 5, 3, 2))))
        yield Example(cls(1), (x, x.with_shape((N, 2, 3, 4)), x))


@declare
class Slice(Op):
    """Part of a tensor: what `x[:, 1:-1, 0]` becomes. Never written as such.

    starts, ends: for each axis a number (negative counts from the end), a size (within that of the axis)
        or none for the whole.
    steps: at least 1. squeeze: axes that were indexed by a number and vanish.
    """

    name = "slice"
    hidden = True
    starts: tuple[Dim | None, ...] = internal(default=())
    ends: tuple[Dim | None, ...] = internal(default=())
    steps: tuple[int, ...] = internal(default=())
    squeeze: tuple[int, ...] = internal(default=())

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        (x,) = inputs
        sizes: list[Dim] = []
        for i, size in enumerate(x.shape):
            length = _length(size, self.starts[i], self.ends[i], self.steps[i])
            if i in self.squeeze:
                start = self.starts[i] or 0
                if isinstance(size, int) and isinstance(start, int) and not -size <= start < size:
                    raise ShapeError(f"index {start} is outside axis {i} of {x}", 0)
                continue
            if isinstance(length, int) and length < 1:
                raise ShapeError(f"nothing is left of axis {i} of {x}", 0)
            sizes.append(length)
        return (x.with_shape(tuple(sizes)),)

    def evaluate(self, x: Array) -> Array:
        cuts = zip(self.starts, self.ends, self.steps, strict=True)
        index: list[Any] = [slice(*cut) for cut in cuts]
        for i in self.squeeze:
            index[i] = self.starts[i] or 0
        elements: Array = x[tuple(index)]
        return elements

    def gradient(self, to: Site, operands: Terms, results: Terms, gradients: Flows) -> Flows:
        """Zeros around it, and between its elements where the step is above one."""
        (x,), (flow,) = operands, gradients
        assert flow is not None
        whole = replace(self, squeeze=())
        sizes = list(x.shape)
        for i in range(x.rank):
            sizes[i] = 1 if i in self.squeeze else _length(sizes[i], *whole.cut(i))
        flow = to.reshape(flow, tuple(sizes))
        pads: list[tuple[Dim, Dim]] = []
        for i, size in enumerate(x.shape):
            start, _, step = whole.cut(i)
            flow = apart(to, flow, i, step)
            if isinstance(size, int) and not isinstance(start, Sym):
                before: Dim = slice(start, None).indices(size)[0]
            else:
                before = _from_start(start or 0, size)
            pads.append((before, size - before - flow.shape[i]))
        return (to.pad(flow, tuple(pads)) if any(map(any, pads)) else flow,)

    def cut(self, axis: int) -> tuple[Dim | None, Dim | None, int]:
        """Start, end and step along an axis."""
        return self.starts[axis], self.ends[axis], self.steps[axis]

    def reordered(self, forms: Forms, inputs: Types, outputs: Types) -> Reordered | None:
        order = order_of(forms[0])
        if order is None:
            return None
        op = replace(
            self,
            starts=lay(self.starts, order),
            ends=lay(self.ends, order),
            steps=lay(self.steps, order),
            squeeze=tuple(sorted(order.index(axis) for axis in self.squeeze)),
        )
        return Reordered(op, forms, (Form(without_axes(order, self.squeeze)),))

    @classmethod
    def examples(cls) -> Iterator[Example]:
        x = TensorType("f32", (N, 7, 5, 4))
        none = (None,) * 4
        one = (1,) * 4
        yield Example(cls((None, 1, None, None), (None, -1, None, None), one), (x,))
        yield Example(cls((None, 0, None, 2), none, (1, 2, 1, 1)), (x,))
        yield Example(cls((None, -1, None, None), none, one, (1,)), (x,))
        yield Example(cls((None, 0, None, 1), (None, 1, None, 2), one, (1, 3)), (x,))


def regrouped(before: Shape, after: Shape, order: Order) -> Order | None:
    """The order of a reshaped value, where axes are joined and split only among neighbours."""
    ends = {product(after[: i + 1]): i + 1 for i in reversed(range(len(after)))}
    groups: dict[int, tuple[range, range]] = {}
    start = begin = 0
    for stop in range(1, len(before) + 1):
        end = ends.get(product(before[:stop]), 0)
        if stop == len(before):
            end = len(after)
        if end > begin:
            groups[start] = range(start, stop), range(begin, end)
            start, begin = stop, end
    result: list[int] = []
    at = 0
    while at < len(order):
        joined, split = groups.get(order[at], (range(0), range(0)))
        if not joined or order[at : at + len(joined)] != tuple(joined):
            return None
        result += split
        at += len(joined)
    return tuple(result)


def _from_start(bound: Dim, size: Dim) -> Dim:
    return size + bound if isinstance(bound, int) and bound < 0 else bound


def _length(size: Dim, start: Dim | None, end: Dim | None, step: int) -> Dim:
    if isinstance(size, int) and not isinstance(start, Sym) and not isinstance(end, Sym):
        return len(range(*slice(start, end, step).indices(size)))
    low: Dim = 0 if start is None else _from_start(start, size)
    high: Dim = size if end is None else _from_start(end, size)
    return (high - low + (step - 1)) // step


def apart(to: Site, x: Term, axis: int, step: int) -> Term:
    """The elements along an axis `step` cells from each other, with zeros between."""
    if step == 1:
        return x
    before, size, after = x.shape[:axis], x.shape[axis], x.shape[axis + 1 :]
    pads = ((0, 0),) * (axis + 1) + ((0, step - 1),) + ((0, 0),) * len(after)
    spread = to.reshape(
        to.pad(to.reshape(x, (*before, size, 1, *after)), pads), (*before, size * step, *after)
    )
    none, one = (None,) * x.rank, (1,) * x.rank
    ends = (*none[:axis], 1 - step, *none[axis + 1 :])
    return to.slice(spread, starts=none, ends=ends, steps=one)


@declare
class Cast(Elementwise):
    """The same numbers in another dtype; a fraction is cut off towards zero."""

    name = "cast"
    dtype: str = arg("the new dtype", choice(*DTYPES))

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        return (TensorType(self.dtype, inputs[0].shape),)

    def evaluate(self, x: Array) -> Array:
        return x.astype(DTYPES[self.dtype].numpy)

    def gradient(self, to: Site, operands: Terms, results: Terms, gradients: Flows) -> Flows:
        (x,), (y,), (flow,) = operands, results, gradients
        return (to.cast(flow, x.dtype) if x.type.is_float and y.type.is_float else None,)

    @classmethod
    def examples(cls) -> Iterator[Example]:
        yield Example(cls("i64"), (TensorType("f32", (N, 5)),))
        yield Example(cls("f32"), (TensorType("i32", (N, 5)),))
        yield Example(cls("f64"), (TensorType("f32", (N, 5, 3, 4)),))
