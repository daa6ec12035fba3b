"""What layers over space come down to: sliding sums of products, their way back, sliding maxima.

The operand lies in the language's order, `[N, ...space, C]`, with any number of axes of space; kernels lie as
they are stored, features first. Padding is told in cells, and every size is a number when one is evaluated.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from itertools import product as every
from math import prod
from typing import TYPE_CHECKING, Any

from nnspec.catalogue.ops.base import Example, Op, Operand, ShapeError, declare
from nnspec.catalogue.ops.derivatives import Flows, Terms
from nnspec.catalogue.ops.helpers import need_float, numbers
from nnspec.catalogue.ops.site import Site, Term
from nnspec.catalogue.ops.windows import Pads, extent, window
from nnspec.core.declare import declaration
from nnspec.core.dims import Dim, product, symbol
from nnspec.core.fields import internal
from nnspec.core.lazy import np
from nnspec.core.types import TensorType

if TYPE_CHECKING:
    from nnspec.catalogue.ops.base import Array

N = symbol("N")


@declaration
class Sliding(Op):
    """steps: between places. spread: between a kernel's cells. One number for each axis of space."""

    hidden = True
    steps: tuple[int, ...] = internal(default=())

    @property
    def rank(self) -> int:
        return len(self.steps)


def windows_of(x: Array, spans: tuple[int, ...], steps: tuple[int, ...]) -> Array:
    """`[N, ...places, C, ...span]`: what the window sees at each place."""
    axes = tuple(range(1, 1 + len(spans)))
    slide: Any = np.lib.stride_tricks.sliding_window_view
    view: Array = slide(x, spans, axes)[(slice(None), *(slice(None, None, s) for s in steps))]
    return view


@declare
class Convolution(Sliding):
    """At each place the sum of what a kernel's cells see, each times its weight."""

    name = "convolution"
    operands = (Operand("x", "[N, ...space, C]"), Operand("kernel", "[filters, C / groups, ...]"))
    pads: Pads = internal(default=())
    spread: tuple[int, ...] = internal(default=())
    groups: int = internal(default=1)

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        x, kernel = inputs
        need_float(x, kernel)
        cells = numbers(kernel.shape[2:])
        along = zip(x.shape[1:-1], cells, self.steps, self.spread, self.pads, strict=True)
        places = tuple(window(*axis) for axis in along)
        return (x.with_shape((x.shape[0], *places, kernel.shape[0])),)

    def evaluate(self, x: Array, kernel: Array) -> Array:
        cells = kernel.shape[2:]
        x = np.pad(x, ((0, 0), *self.pads, (0, 0)))
        spans = tuple(extent(k, d) for k, d in zip(cells, self.spread, strict=True))
        view = windows_of(x, spans, self.steps)
        cut: Any = (..., *(slice(None, None, d) for d in self.spread))
        view = view[cut]
        over = [*range(1 + self.rank, 2 + 2 * self.rank)]
        parts = [
            np.tensordot(seen, weights, (over, [*range(1, 2 + self.rank)]))
            for seen, weights in zip(
                np.split(view, self.groups, 1 + self.rank),
                np.split(kernel, self.groups, 0),
                strict=True,
            )
        ]
        return np.concatenate(parts, -1)

    def gradient(self, to: Site, operands: Terms, results: Terms, gradients: Flows) -> Flows:
        (x, kernel), (flow,) = operands, gradients
        assert flow is not None
        x = to.pad(x, ((0, 0), *self.pads, (0, 0)))
        spread = {"steps": self.steps, "spread": self.spread, "groups": self.groups}
        full = to.convolution_transpose(flow, kernel, **spread)
        to_x = fitted(to, full, (0,) * self.rank, numbers(x.shape[1:-1]))
        sizes = numbers(operands[0].shape[1:-1])
        to_x = fitted(to, to_x, tuple(before for before, _ in self.pads), sizes)
        return to_x, kernel_flow(to, self, x, flow, kernel.type)

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        return product(outputs[0].shape) * product(inputs[1].shape[1:]) * 2

    def workspace(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        """What each window sees, in a row of its own."""
        return product(outputs[0].shape[:-1]) * product(inputs[1].shape[1:])

    @classmethod
    def examples(cls) -> Iterator[Example]:
        sequence, volume = TensorType("f32", (N, 9, 4)), TensorType("f32", (2, 5, 6, 4, 3))
        image = TensorType("f32", (N, 9, 7, 4))
        kernel = sequence.with_shape((6, 2, 3))
        yield Example(cls((2,), ((4, 0),), (2,), 2), (sequence, kernel))
        kernel = image.with_shape((5, 4, 3, 2))
        yield Example(cls((2, 1), ((0, 1), (1, 1)), (1, 2)), (image, kernel))
        kernel = volume.with_shape((2, 3, 2, 3, 1))
        yield Example(cls((1, 2, 1), ((1, 1), (1, 1), (1, 1)), (1, 1, 1)), (volume, kernel))


@declare
class ConvolutionTranspose(Sliding):
    """Each cell adds a scaled kernel to the result: what flows back through a convolution without padding."""

    name = "convolution_transpose"
    operands = (Operand("x", "[N, ...space, C]"), Operand("kernel", "[C, filters / groups, ...]"))
    spread: tuple[int, ...] = internal(default=())
    groups: int = internal(default=1)

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        x, kernel = inputs
        need_float(x, kernel)
        cells = numbers(kernel.shape[2:])
        along = zip(x.shape[1:-1], cells, self.steps, self.spread, strict=True)
        sizes = tuple((size - 1) * s + extent(k, d) for size, k, s, d in along)
        return (x.with_shape((x.shape[0], *sizes, kernel.shape[1] * self.groups)),)

    def evaluate(self, x: Array, kernel: Array) -> Array:
        cells, space = kernel.shape[2:], x.shape[1:-1]
        along = zip(space, cells, self.steps, self.spread, strict=True)
        sizes = [(size - 1) * s + extent(k, d) for size, k, s, d in along]
        total = np.zeros((x.shape[0], *sizes, kernel.shape[1] * self.groups), x.dtype)
        for cell in np.ndindex(*cells):
            places = tuple(
                slice(c * d, c * d + (size - 1) * s + 1, s)
                for c, size, s, d in zip(cell, space, self.steps, self.spread, strict=True)
            )
            parts = zip(np.split(x, self.groups, -1), np.split(kernel, self.groups, 0), strict=True)
            own: Any = (..., *cell)
            added = [part @ weights[own] for part, weights in parts]
            total[(slice(None), *places)] += np.concatenate(added, -1)
        return total

    def gradient(self, to: Site, operands: Terms, results: Terms, gradients: Flows) -> Flows:
        (x, kernel), (flow,) = operands, gradients
        assert flow is not None
        op = Convolution(self.steps, ((0, 0),) * self.rank, self.spread, self.groups)
        (to_x,) = to.apply(op, flow, kernel)
        return to_x, kernel_flow(to, op, flow, x, kernel.type)

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        return product(inputs[0].shape) * product(inputs[1].shape[1:]) * 2

    @classmethod
    def examples(cls) -> Iterator[Example]:
        sequence, volume = TensorType("f32", (N, 5, 4)), TensorType("f32", (2, 3, 2, 4, 3))
        yield Example(cls((2,), (2,), 2), (sequence, sequence.with_shape((4, 3, 3))))
        image = TensorType("f32", (N, 5, 4, 4))
        yield Example(cls((3, 1), (1, 2)), (image, image.with_shape((4, 5, 2, 3))))
        yield Example(cls((1, 2, 1), (1, 1, 1)), (volume, volume.with_shape((3, 2, 2, 3, 1))))


def kernel_flow(to: Site, op: Convolution, x: Term, flow: Term, kernel: TensorType) -> Term:
    """What flows back to a kernel: the convolution of the padded operand, its batch as channels, with the flow."""
    rank, groups = op.rank, op.groups
    batch, *space, channels = x.shape
    inside = tuple(range(1, 1 + rank))
    if not isinstance(channels, int):
        raise ShapeError(f"needs the number of channels, found {x.type}")
    apart = to.reshape(x, (batch, *space, groups, channels // groups))
    moved = to.transpose(apart, (2 + rank, *inside, 1 + rank, 0))
    turned = to.reshape(moved, (channels // groups, *space, groups * batch))
    seen = to.transpose(flow, (1 + rank, 0, *inside))
    none = ((0, 0),) * rank
    found = to.convolution(turned, seen, steps=op.spread, spread=op.steps, pads=none, groups=groups)
    found = fitted(to, found, (0,) * rank, numbers(kernel.shape[2:]))
    return to.transpose(found, (1 + rank, 0, *inside))


def fitted(to: Site, x: Term, starts: tuple[int, ...], sizes: tuple[int, ...]) -> Term:
    """`sizes` cells of space from `starts` on; zeros where there are none."""
    ends = tuple(start + size for start, size in zip(starts, sizes, strict=True))
    missing = tuple(
        (0, max(end - have, 0)) for end, have in zip(ends, numbers(x.shape[1:-1]), strict=True)
    )
    if any(after for _, after in missing):
        x = to.pad(x, ((0, 0), *missing, (0, 0)))
    if (*starts, *sizes) == ((0,) * len(starts) + x.shape[1:-1]):
        return x
    return to.slice(x, starts=(None, *starts, None), ends=(None, *ends, None), steps=(1,) * x.rank)


@declare
class MaxWindow(Sliding):
    """The greatest of what a window sees at each place; padding never is. Of equals, the first gets the gradient."""

    name = "max_window"
    pads: Pads = internal(default=())
    cells: tuple[int, ...] = internal(default=())

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        (x,) = inputs
        need_float(x)
        along = zip(x.shape[1:-1], self.cells, self.steps, (1,) * self.rank, self.pads, strict=True)
        return (x.with_shape((x.shape[0], *(window(*axis) for axis in along), x.shape[-1])),)

    def evaluate(self, x: Array) -> Array:
        padded = np.pad(x, ((0, 0), *self.pads, (0, 0)), constant_values=-np.inf)
        view = windows_of(padded, self.cells, self.steps)
        result: Array = view.max(tuple(range(-self.rank, 0)))
        return result

    def gradient(self, to: Site, operands: Terms, results: Terms, gradients: Flows) -> Flows:
        (x,), (y,), (flow,) = operands, results, gradients
        assert flow is not None
        around = ((0, 0), *self.pads, (0, 0))
        padded = to.pad(x, around, value=float("-inf"))
        places = numbers(y.shape[1:-1])
        seen: Term | None = None
        flows = []
        for cell in every(*map(range, self.cells)):
            ends = tuple(
                c + (n - 1) * s + 1 for c, n, s in zip(cell, places, self.steps, strict=True)
            )
            cut = {
                "starts": (None, *cell, None),
                "ends": (None, *ends, None),
                "steps": (1, *self.steps, 1),
            }
            taken = to.equal(to.slice(padded, **cut), y)
            first = taken if seen is None else to.logical_and(taken, to.logical_not(seen))
            seen = taken if seen is None else to.logical_or(seen, taken)
            from_cell = to.where(first, flow, 0)
            flows.append(_back(to, cut, padded, from_cell))
        total = reduce(lambda a, b: a + b, flows)
        sizes = numbers(x.shape[1:-1])
        return (fitted(to, total, tuple(before for before, _ in self.pads), sizes),)

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        return product(outputs[0].shape) * prod(self.cells)

    @classmethod
    def examples(cls) -> Iterator[Example]:
        yield Example(cls((2,), ((1, 1),), (3,)), (TensorType("f32", (N, 9, 4)),))
        x = TensorType("f32", (N, 9, 7, 4))
        yield Example(cls((2, 1), ((0, 1), (1, 1)), (2, 3)), (x,))
        x = TensorType("f32", (2, 5, 6, 4, 3))
        yield Example(cls((2, 2, 2), ((0, 0), (0, 0), (0, 0)), (2, 2, 2)), (x,))


def _back(to: Site, cut: dict[str, tuple[int | None, ...]], x: Term, flow: Term) -> Term:
    """What flows back through a slice of `x`."""
    from nnspec.catalogue.ops.shaping import Slice

    steps = tuple(step or 1 for step in cut["steps"])
    (back,) = Slice(cut["starts"], cut["ends"], steps).gradient(to, (x,), (flow,), (flow,))
    assert back is not None
    return back
