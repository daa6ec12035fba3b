"""Elements beside each other: padding, repeating, joining, taking apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from nnspec.catalogue.ops.base import Example, Op, Operand, Reordered, ShapeError, declare
from nnspec.catalogue.ops.derivatives import Flows, Terms, part, unbroadcast
from nnspec.catalogue.ops.forms import Forms, Types, order_of
from nnspec.catalogue.ops.helpers import broadcast, normal_axes, normal_axis, numbers, same_dtype
from nnspec.catalogue.ops.site import LONGEST, Site, Term
from nnspec.core.dims import Dim, Shape, symbol
from nnspec.core.fields import arg
from nnspec.core.kinds import (
    axes,
    axis,
    choice,
    counts,
    optional,
    pairs,
    parts,
    real,
    shape,
    whole,
)
from nnspec.core.lazy import np
from nnspec.core.orders import lay
from nnspec.core.types import TensorType

if TYPE_CHECKING:
    from nnspec.catalogue.ops.base import Array

N, T = symbol("N"), symbol("T")


@declare
class Pad(Op):
    """Cells around a tensor: for each axis how many before and how many after.

    By `mode` they hold `"constant"` the `value`, `"reflect"` what lies on the other side of the edge, without the edge
    itself, or `"edge"` the edge: NumPy's words. `pad(image, [(0, 0), (1, 1), (1, 1), (0, 0)], mode = "reflect")`.
    """

    name = "pad"
    pads: tuple[tuple[Dim, Dim], ...] = arg("for each axis (before, after)", pairs)
    value: float = arg("what is put there", real(), default=0.0)
    mode: str = arg(
        "what the cells hold", choice("constant", "reflect", "edge"), default="constant"
    )

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        (x,) = inputs
        if len(self.pads) != x.rank:
            raise ShapeError(f"expects a pair for each axis of {x}, found {len(self.pads)}", 0)
        if self.mode != "constant" and self.value:
            raise ShapeError(f'puts {self.value} nowhere where `mode` is "{self.mode}"')
        for size, pair in zip(x.shape, self.pads, strict=True):
            most = max((d for d in pair if isinstance(d, int)), default=0)
            if self.mode == "reflect" and isinstance(size, int) and most >= size:
                raise ShapeError(f"reflects {most} cells, and has {size - 1} beside an edge", 0)
        if not x.is_float and self.value not in (
            (0, 1) if x.dtype == "bool" else (self.value // 1,)
        ):
            raise ShapeError(f"cannot put {self.value} around {x}", 0)
        sizes = zip(x.shape, self.pads, strict=True)
        return (x.with_shape(tuple(d + before + after for d, (before, after) in sizes)),)

    def evaluate(self, x: Array) -> Array:
        pads = [numbers(pair) for pair in self.pads]
        if self.mode == "reflect":
            return np.pad(x, pads, "reflect")
        if self.mode == "edge":
            return np.pad(x, pads, "edge")
        return np.pad(x, pads, constant_values=self.value)

    def gradient(self, to: Site, operands: Terms, results: Terms, gradients: Flows) -> Flows:
        (x,), (flow,) = operands, gradients
        assert flow is not None
        for i, (before, after) in enumerate(self.pads):
            if before != 0 or after != 0:
                flow = self.back(to, flow, i, x.shape[i])
        return (flow,)

    def back(self, to: Site, flow: Term, axis: int, size: Dim) -> Term:
        """Along one axis of `size` cells before the padding: what flows into each, and into its copies."""
        before, after = self.pads[axis]
        end = -after if isinstance(after, int) and after else before + size
        own = part(to, flow, axis, before, None if after == 0 else end)
        if self.mode == "constant":
            return own
        sides: list[tuple[Term, tuple[Dim, Dim], tuple[Dim, Dim]]] = []
        if before != 0:
            sides.append((part(to, flow, axis, 0, before), (1, size - 1 - before), (0, size - 1)))
        if after != 0:
            copies = part(to, flow, axis, before + size, None)
            sides.append((copies, (size - 1 - after, 1), (size - 1, 0)))
        for copies, mirrored, edge in sides:
            if self.mode == "reflect":
                added, gap = to.flip(copies, (axis,)), mirrored
            else:
                added, gap = to.sum(copies, axis=(axis,), keepdims=True), edge
            around = tuple(gap if i == axis else (0, 0) for i in range(flow.rank))
            own = own + to.pad(added, around)
        return own

    def reordered(self, forms: Forms, inputs: Types, outputs: Types) -> Reordered | None:
        order = order_of(forms[0])
        if order is None or len(order) != len(self.pads):
            return None
        return Reordered(replace(self, pads=lay(self.pads, order)), forms, forms)

    @classmethod
    def examples(cls) -> Iterator[Example]:
        x = TensorType("f32", (N, 5, 3, 4))
        yield Example(cls(((0, 0), (1, 2), (0, 1), (0, 0))), (x,))
        yield Example(cls(((0, 0), (2, 0), (0, 0), (1, 1)), 2.5), (x,))
        yield Example(cls(((0, 0), (0, 3))), (TensorType("f32", (N, 5)),))
        for mode in ("reflect", "edge"):
            yield Example(cls(((0, 0), (1, 2), (0, 1), (0, 0)), mode=mode), (x,))
            yield Example(cls(((1, 1), (2, 0)), mode=mode), (TensorType("f32", (3, 5)),))
            sequence = TensorType("f32", (N, T, 3))
            yield Example(cls(((0, 0), (2, 3), (0, 0)), mode=mode), (sequence,))
        yield Example(cls(((0, 0), (0, 1), (2, 1)), mode="edge"), (TensorType("i64", (N, 4, 3)),))


@declare
class Crop(Op):
    """Without so many cells before and after along each axis: what `pad` would add, taken away."""

    name = "crop"
    cells: tuple[tuple[int, int], ...] = arg("for each axis (before, after)", pairs)

    def check(self, *inputs: TensorType) -> None:
        (x,) = inputs
        if len(self.cells) != x.rank:
            raise ShapeError(f"expects a pair for each axis of {x}, found {len(self.cells)}", 0)
        for size, pair in zip(x.shape, self.cells, strict=True):
            if sum(numbers(pair)) >= size if isinstance(size, int) else False:
                raise ShapeError(f"leaves nothing of {size} cells without {sum(pair)}", 0)

    def expand(self, to: Site, x: Term) -> Term:
        return to.slice(
            x,
            starts=tuple(before or None for before, _ in self.cells),
            ends=tuple(-after or None for _, after in self.cells),
            steps=(1,) * x.rank,
        )

    def reordered(self, forms: Forms, inputs: Types, outputs: Types) -> Reordered | None:
        order = order_of(forms[0])
        if order is None:
            return None
        return Reordered(replace(self, cells=lay(self.cells, order)), forms, forms)

    @classmethod
    def examples(cls) -> Iterator[Example]:
        yield Example(cls(((0, 0), (1, 2), (0, 1), (0, 0))), (TensorType("f32", (N, 5, 3, 4)),))
        yield Example(cls(((0, 0), (2, 0), (0, 1))), (TensorType("f32", (N, T, 3)),))


@declare
class BroadcastTo(Op):
    """A tensor repeated to a shape, by the rule of NumPy: along axes of size 1, and along new ones in front."""

    name = "broadcast_to"
    shape: Shape = arg("the sizes of the result", shape)

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        (x,) = inputs
        wanted = x.with_shape(self.shape)
        if -1 in self.shape or broadcast(x, wanted) != self.shape:
            raise ShapeError(f"cannot repeat {x} to {wanted}", 0)
        return (wanted,)

    def evaluate(self, x: Array) -> Array:
        return np.broadcast_to(x, numbers(self.shape))

    def gradient(self, to: Site, operands: Terms, results: Terms, gradients: Flows) -> Flows:
        (x,), (flow,) = operands, gradients
        assert flow is not None
        return (unbroadcast(to, flow, x.type),)

    @classmethod
    def examples(cls) -> Iterator[Example]:
        yield Example(cls((N, 3, 5)), (TensorType("f32", (N, 1, 5)),))
        yield Example(cls((2, 3, 5)), (TensorType("f32", (3, 1)),))
        yield Example(cls((4, 3)), (TensorType("i64", (3,)),))


@declare
class Flip(Op):
    """The elements along axes in the opposite order."""

    name = "flip"
    axis: tuple[int, ...] = arg("axes that are turned round", axes)

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        (x,) = inputs
        normal_axes(self.axis, x.rank)
        return (x,)

    def evaluate(self, x: Array) -> Array:
        return np.flip(x, self.axis)

    def gradient(self, to: Site, operands: Terms, results: Terms, gradients: Flows) -> Flows:
        return (to.flip(gradients[0], self.axis),)

    def reordered(self, forms: Forms, inputs: Types, outputs: Types) -> Reordered | None:
        order = order_of(forms[0])
        if order is None:
            return None
        axis = tuple(order.index(normal_axis(a, len(order))) for a in self.axis)
        return Reordered(replace(self, axis=axis), forms, forms)

    @classmethod
    def examples(cls) -> Iterator[Example]:
        yield Example(cls((1,)), (TensorType("f32", (N, 5)),))
        yield Example(cls((1, -1)), (TensorType("f32", (N, 5, 3, 4)),))
        yield Example(cls((-1,)), (TensorType("i64", (N, T)),))


@declare
class ExpandDims(Op):
    """A new axis of size 1."""

    name = "expand_dims"
    axis: int = arg("where it stands in the result", axis)

    def expand(self, to: Site, x: Term) -> Term:
        at = normal_axis(self.axis, x.rank + 1)
        return to.reshape(x, (*x.shape[:at], 1, *x.shape[at:]))

    @classmethod
    def examples(cls) -> Iterator[Example]:
        yield Example(cls(1), (TensorType("f32", (N, 5)),))
        yield Example(cls(-1), (TensorType("f32", (N, T, 3)),))
        yield Example(cls(0), (TensorType("f32", ()),))


@declare
class Squeeze(Op):
    """Without axes of size 1."""

    name = "squeeze"
    axis: tuple[int, ...] | None = arg(
        "axes that vanish; none is all that are known to have size 1", optional(axes), default=None
    )

    def over(self, x: TensorType | Term) -> tuple[int, ...]:
        """The axes that vanish, counted from 0."""
        if self.axis is None:
            return tuple(i for i, d in enumerate(x.shape) if d == 1)
        return normal_axes(self.axis, x.rank)

    def check(self, *inputs: TensorType) -> None:
        (x,) = inputs
        for i in self.over(x):
            if x.shape[i] != 1:
                raise ShapeError(f"can leave out axes of size 1 only: axis {i} of {x}", 0)

    def expand(self, to: Site, x: Term) -> Term:
        over = self.over(x)
        return to.reshape(x, tuple(d for i, d in enumerate(x.shape) if i not in over))

    @classmethod
    def examples(cls) -> Iterator[Example]:
        yield Example(cls((1,)), (TensorType("f32", (N, 1, 5)),))
        yield Example(cls(), (TensorType("f32", (N, 1, 5, 1)),))
        yield Example(cls(), (TensorType("f32", (N, 5)),))
        yield Example(cls(), (TensorType("f32", (1,)),))


@declare
class Stack(Op):
    """Tensors of one shape beside each other, along a new axis."""

    name = "stack"
    operands = (Operand("x", "one or more tensors", variadic=True),)
    axis: int = arg("where the new axis stands in the result", axis, default=-1)

    def check(self, *inputs: TensorType) -> None:
        same_dtype(*inputs)
        normal_axis(self.axis, inputs[0].rank + 1)
        for i, x in enumerate(inputs[1:], 1):
            if x.shape != inputs[0].shape:
                raise ShapeError(f"expects operands of one shape, found {inputs[0]} and {x}", 0, i)

    def expand(self, to: Site, *xs: Term) -> Term:
        return to.concat(*(to.expand_dims(x, self.axis) for x in xs), axis=self.axis)

    @classmethod
    def examples(cls) -> Iterator[Example]:
        x = TensorType("f32", (N, 5, 3))
        yield Example(cls(), (x, x))
        yield Example(cls(1), (x, x, x))
        yield Example(cls(), (TensorType("f32", ()),) * 2)


@declare
class Split(Op):
    """Parts of a tensor along an axis: so many equal ones, or of these sizes."""

    name = "split"
    parts: int | tuple[int, ...] = arg("how many, or the size of each", parts)
    axis: int = arg("the axis that is taken apart", axis, default=-1)

    def sizes(self, x: TensorType | Term) -> tuple[int, ...]:
        """The size of each part."""
        size = x.shape[normal_axis(self.axis, x.rank)]
        if not isinstance(size, int):
            raise ShapeError(f"needs a number to take apart, found {size}", 0)
        if isinstance(self.parts, tuple):
            if sum(self.parts) != size:
                raise ShapeError(f"cannot take {size} apart into {list(self.parts)}", 0)
            return self.parts
        if size % self.parts:
            raise ShapeError(f"cannot take {size} apart into {self.parts} equal parts", 0)
        if self.parts > LONGEST:
            raise ShapeError(f"makes {self.parts} parts, more than {LONGEST}", 0)
        return (size // self.parts,) * self.parts

    def check(self, *inputs: TensorType) -> None:
        self.sizes(inputs[0])

    def expand(self, to: Site, x: Term) -> tuple[Term, ...]:
        at, start, terms = normal_axis(self.axis, x.rank), 0, []
        for size in self.sizes(x):
            terms.append(part(to, x, at, start, start + size))
            start += size
        return tuple(terms)

    def reordered(self, forms: Forms, inputs: Types, outputs: Types) -> Reordered | None:
        order = order_of(forms[0])
        if order is None:
            return None
        axis = order.index(normal_axis(self.axis, len(order)))
        return Reordered(replace(self, axis=axis), forms, forms * len(outputs))

    @classmethod
    def examples(cls) -> Iterator[Example]:
        yield Example(cls(2), (TensorType("f32", (N, 6)),))
        yield Example(cls((1, 3, 1), 1), (TensorType("f32", (N, 5, 3)),))
        yield Example(cls((3, 1)), (TensorType("f32", (N, 5, 3, 4)),))


@declare
class Tile(Op):
    """A tensor so many times beside itself along each of its last axes."""

    name = "tile"
    times: tuple[int, ...] = arg("how often, for each of the last axes", counts)

    def check(self, *inputs: TensorType) -> None:
        (x,) = inputs
        if len(self.times) > x.rank:
            raise ShapeError(f"has {len(self.times)} counts for the {x.rank} axes of {x}", 0)

    def expand(self, to: Site, x: Term) -> Term:
        times = (1,) * (x.rank - len(self.times)) + self.times
        pairs = tuple(zip(times, x.shape, strict=True))
        apart = to.reshape(x, tuple(d for _, size in pairs for d in (1, size)))
        spread = to.broadcast_to(apart, tuple(d for pair in pairs for d in pair))
        return to.reshape(spread, tuple(n * size for n, size in pairs))

    @classmethod
    def examples(cls) -> Iterator[Example]:
        yield Example(cls((2, 3)), (TensorType("f32", (N, 5, 3)),))
        yield Example(cls((3,)), (TensorType("f32", (2, 5)),))


@declare
class Repeat(Op):
    """Each element so many times in a row along an axis."""

    name = "repeat"
    times: int = arg("how often each stands", whole(1))
    axis: int = arg("the axis along which", axis, default=-1)

    def expand(self, to: Site, x: Term) -> Term:
        at = normal_axis(self.axis, x.rank)
        before, size, after = x.shape[:at], x.shape[at], x.shape[at + 1 :]
        apart = to.reshape(x, (*before, size, 1, *after))
        spread = to.broadcast_to(apart, (*before, size, self.times, *after))
        return to.reshape(spread, (*before, size * self.times, *after))

    @classmethod
    def examples(cls) -> Iterator[Example]:
        yield Example(cls(3), (TensorType("f32", (N, 5)),))
        yield Example(cls(2, 1), (TensorType("f32", (N, 5, 3)),))
