"""Pooling over sequences `[N, T, C]`, images `[N, H, W, C]` and volumes `[N, D, H, W, C]`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import prod
from typing import Any

from nnspec.catalogue.ops.base import Example, Reordered, ShapeError, declare
from nnspec.catalogue.ops.derivatives import part
from nnspec.catalogue.ops.forms import Forms, Types, order_of
from nnspec.catalogue.ops.helpers import need_float, need_number, need_rank
from nnspec.catalogue.ops.image import Featured, Spatial, Window, Windowed, per_axis
from nnspec.catalogue.ops.site import Site, Term
from nnspec.catalogue.ops.windows import Pads
from nnspec.core.declare import declaration
from nnspec.core.dims import Dim, product, symbol
from nnspec.core.fields import arg
from nnspec.core.kinds import boolean, optional, padding, sizes
from nnspec.core.orders import plain_form
from nnspec.core.types import TensorType

N, T = symbol("N"), symbol("T")


@declaration
class Pool(Windowed):
    """What all poolings share: a window, a step (by default the window), padding."""

    size: tuple[int, ...] = per_axis("size of a window along each axis", sizes)
    stride: tuple[int, ...] | None = per_axis(
        "step; none is the size", lambda rank: optional(sizes(rank)), default=None
    )
    padding: str | Pads = per_axis(
        "what surrounds the input", lambda rank: padding(rank, "valid", "same"), default="valid"
    )
    ceil_mode: bool = arg(
        "whether a last window counts that reaches beyond the end", boolean, default=False
    )

    @property
    def step(self) -> tuple[int, ...]:
        return self.stride or self.size

    @property
    def window(self) -> Window:
        return Window(self.size, self.step, (1,) * self.rank, self.padding)

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        (x,) = inputs
        space = self.space(x)
        if not isinstance(self.padding, str):
            for pads, cells in zip(self.padding, self.size, strict=True):
                if max(pads) >= cells:
                    raise ShapeError(
                        f"has windows of {cells} cells that padding of {max(pads)} could fill alone",
                        help=f"pad by less than {cells}",
                    )
        n, *_, features = self.logical(x)
        return (self.physical(x, (n, *self.places(space), features)),)

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        return product(outputs[0].shape) * prod(self.size)

    @classmethod
    def examples(cls) -> Iterator[Example]:
        rank = cls.rank
        x = TensorType("f32", (N, *(9, 7, 5)[:rank], 4))
        two, three, one = (2, 2, 2)[:rank], (3, 3, 3)[:rank], (1, 1, 1)[:rank]
        yield Example(cls(two), (x,))
        yield Example(cls((3, 2, 2)[:rank], (2, 3, 1)[:rank]), (x,))
        yield Example(cls(three, one, "same"), (x,))
        small = TensorType("f32", (N, *(2, 5, 4)[:rank], 4))  # a window that reaches beyond
        yield Example(cls(three, one, "same"), (small,))
        yield Example(cls(two, padding="same"), (x,))
        yield Example(cls(three, two, ((1, 1),) * rank), (x,))
        yield Example(cls(three, two, ((0, 1), (1, 0), (1, 1))[:rank]), (x,))
        even = TensorType("f32", (N, *(8, 6, 4)[:rank], 3))
        yield Example(cls(three, two, ceil_mode=True), (even,))
        yield Example(cls(two, ceil_mode=True), (x,))
        yield Example(cls(two, three, ((1, 1),) * rank, ceil_mode=True), (even,))
        if rank == 1:
            yield Example(cls(three, two, ceil_mode=True), (TensorType("f32", (N, T, 3)),))


@declaration
class MaxPool(Pool):
    """The greatest value of each window; padding never wins (it counts as -inf)."""

    def expand(self, to: Site, x: Term) -> Term:
        return to.max_window(x, steps=self.step, pads=self.known_pads(x.type), cells=self.size)


@declare
class MaxPool1D(MaxPool):
    """The greatest value of each window along a sequence; padding never wins (it counts as -inf)."""

    name = "MaxPool1D"
    rank = 1


@declare
class MaxPool2D(MaxPool):
    """The greatest value of each window; padding never wins (it counts as -inf)."""

    name = "MaxPool2D"
    rank = 2


@declare
class MaxPool3D(MaxPool):
    """The greatest value of each window of a volume; padding never wins (it counts as -inf)."""

    name = "MaxPool3D"
    rank = 3


@declaration
class AvgPool(Pool):
    """The mean of each window; padding is left out of sum and divisor."""

    def expand(self, to: Site, x: Term) -> Term:
        """Sums of windows, by how many cells of each are no padding."""
        channels = need_number(x.shape[-1], "the number of channels")
        one = to.number(1, x.dtype)
        sliding: dict[str, Any] = {
            "steps": self.step,
            "pads": self.known_pads(x.type),
            "spread": (1,) * self.rank,
        }
        ones = to.broadcast_to(one, (channels, 1, *self.size))
        total = to.convolution(x, ones, **sliding, groups=channels)
        cell = to.broadcast_to(one, (1, 1, *self.size))
        within = to.broadcast_to(one, (1, *x.shape[1:-1], 1))
        return total / to.convolution(within, cell, **sliding)


@declare
class AvgPool1D(AvgPool):
    """The mean of each window along a sequence; padding is left out of sum and divisor."""

    name = "AvgPool1D"
    rank = 1


@declare
class AvgPool2D(AvgPool):
    """The mean of each window; padding is left out of sum and divisor."""

    name = "AvgPool2D"
    rank = 2


@declare
class AvgPool3D(AvgPool):
    """The mean of each window of a volume; padding is left out of sum and divisor."""

    name = "AvgPool3D"
    rank = 3


class GlobalPool(Featured):
    """Each feature over all of space."""

    over_space = True
    keepdims: bool

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        (x,) = inputs
        need_rank(x, 3, 4, 5, what="a sequence, an image or a volume [N, ..., C]")
        need_float(x)
        n, *space, features = self.logical(x)
        if not self.keepdims:
            return (x.with_shape((n, features)),)
        return (self.physical(x, (n, *(1 for _ in space), features)),)

    def space(self, rank: int) -> tuple[int, ...]:
        """The axes between batch and features, or behind both."""
        return tuple(range(2, rank)) if self.channels_first else tuple(range(1, rank - 1))

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        return product(inputs[0].shape)

    def reordered(self, forms: Forms, inputs: Types, outputs: Types) -> Reordered | None:
        order = order_of(forms[0])
        if order is None or order[:2] != (0, inputs[0].rank - 1):
            return None
        left = forms if self.keepdims else (plain_form(2),)
        return Reordered(replace(self, channels_first=True), forms, left)

    @classmethod
    def examples(cls) -> Iterator[Example]:
        for keepdims in ({}, {"keepdims": True}):
            yield Example(cls(**keepdims), (TensorType("f32", (N, 5, 3, 4)),))
            yield Example(cls(**keepdims), (TensorType("f32", (N, T, 4)),))
            yield Example(cls(**keepdims), (TensorType("f32", (N, 5, 3, 2, 4)),))


@declare
class GlobalAvgPool(GlobalPool):
    """The mean of each feature over all of space: `[N, H, W, C]` becomes `[N, C]`, likewise `[N, T, C]`.

    With `keepdims` `[N, 1, 1, C]` (Lin et al. 2014).
    """

    name = "global_avg_pool"
    keepdims: bool = arg("whether space stays, with sizes of 1", boolean, default=False)

    def expand(self, to: Site, x: Term) -> Term:
        return to.mean(x, axis=tuple(range(1, x.rank - 1)), keepdims=self.keepdims)


@declare
class GlobalMaxPool(GlobalPool):
    """The greatest of each feature over all of space: `[N, H, W, C]` becomes `[N, C]`, likewise `[N, T, C]`.

    With `keepdims` `[N, 1, 1, C]`.
    """

    name = "global_max_pool"
    keepdims: bool = arg("whether space stays, with sizes of 1", boolean, default=False)

    def expand(self, to: Site, x: Term) -> Term:
        return to.max(x, axis=tuple(range(1, x.rank - 1)), keepdims=self.keepdims)


@declare
class AdaptiveAvgPool2D(Spatial):
    """The means of as many windows as the result has cells, whatever the size of the image.

    `[N, H, W, C]` becomes `[N, h, w, C]`: along an axis of `n` cells, window `i` of `m` is the cells from
    `floor(i * n / m)` up to, not including, `ceil((i + 1) * n / m)`. Windows overlap where `m` does not divide `n`, and
    are cells, repeated, where it is greater. The sizes of the image are numbers, but along an axis with one window.
    """

    name = "AdaptiveAvgPool2D"
    rank = 2
    size: tuple[int, ...] = arg("cells of the result along each axis", sizes(2))

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        (x,) = inputs
        for size, cells in zip(self.space(x), self.size, strict=True):
            if cells > 1:
                need_number(size, "the size of an image of which several windows are taken")
        n, *_, features = self.logical(x)
        return (self.physical(x, (n, *self.size, features)),)

    def expand(self, to: Site, x: Term) -> Term:
        whole = tuple(axis for axis, cells in enumerate(self.size, 1) if cells == 1)
        if whole:
            x = to.mean(x, axis=whole, keepdims=True)
        for axis, cells in enumerate(self.size, 1):
            if cells != x.shape[axis]:
                x = means(to, x, axis, cells)
        return x

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        return product(inputs[0].shape)

    @classmethod
    def examples(cls) -> Iterator[Example]:
        image = TensorType("f32", (N, 7, 6, 4))
        yield Example(cls((3, 3)), (image,))
        yield Example(cls((1, 1)), (TensorType("f32", (N, T, 5, 3)),))
        yield Example(cls((5, 1)), (image,))
        yield Example(cls((7, 9)), (image,))


def means(to: Site, x: Term, axis: int, cells: int) -> Term:
    """Of so many windows along an axis whose size is a number."""
    size = need_number(x.shape[axis], "the size")
    if size % cells == 0:
        before, after = x.shape[:axis], x.shape[axis + 1 :]
        apart = to.reshape(x, (*before, cells, size // cells, *after))
        return to.mean(apart, axis=(axis + 1,))
    windows = [(i * size // cells, -(-(i + 1) * size // cells)) for i in range(cells)]
    parts = [part(to, x, axis, start, end) for start, end in windows]
    return to.concat(*(to.mean(p, axis=(axis,), keepdims=True) for p in parts), axis=axis)


MAX_POOLS: tuple[type[MaxPool], ...] = (MaxPool1D, MaxPool2D, MaxPool3D)
AVG_POOLS: tuple[type[AvgPool], ...] = (AvgPool1D, AvgPool2D, AvgPool3D)
