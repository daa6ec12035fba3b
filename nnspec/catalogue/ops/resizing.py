"""Sequences, images and volumes with other sizes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from nnspec.catalogue.ops.base import Example, Reordered, ShapeError, declare
from nnspec.catalogue.ops.derivatives import part
from nnspec.catalogue.ops.forms import Forms, Types
from nnspec.catalogue.ops.helpers import need_float, need_rank
from nnspec.catalogue.ops.image import Featured, Spatial
from nnspec.catalogue.ops.site import Site, Term
from nnspec.core.dims import Dim, Shape, Sym, floor, modulo, product, show, symbol
from nnspec.core.fields import arg
from nnspec.core.kinds import choice, optional, parts, shape, sizes, whole
from nnspec.core.orders import first_form
from nnspec.core.types import TensorType

N, T = symbol("N"), symbol("T")

MOST_SHARES = 64
"""So many cells in place of one are written each by itself; where there are more, they are counted."""


@declare
class Resize(Featured):
    """Space with other sizes: `[N, H, W, C]` becomes `[N, h, w, C]`, likewise `[N, T, C]` and volumes.

    Cell `i` of `n` has its centre at `(i + 0.5) / n` of the whole, before and after, whichever the interpolation. "nearest"
    takes the cell in which that centre lies, and of two that meet there the one behind it; "bilinear" weighs the
    two cells between whose centres it lies, along each axis, and beyond the outermost centres takes the
    outermost cell. Nothing is smoothed where a size shrinks.
    """

    name = "resize"
    over_space = True
    size: Shape | None = arg("the new size of each axis of space", optional(shape), default=None)
    scale: int | tuple[int, ...] | None = arg(
        "instead of sizes: by what they grow, for all axes of space or for each",
        optional(parts),
        default=None,
    )
    interpolation: str = arg(
        "what lies between cells", choice("nearest", "bilinear"), default="nearest"
    )

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        (x,) = inputs
        need_rank(x, 3, 4, 5, what="a sequence, an image or a volume [N, ..., C]")
        need_float(x)
        n, *space, features = self.logical(x)
        return (self.physical(x, (n, *self.sizes(tuple(space)), features)),)

    def sizes(self, space: Shape) -> Shape:
        """The new sizes of these."""
        if (self.size is None) == (self.scale is None):
            raise ShapeError("needs `size` or `scale`, and not both")
        factors = self.scale if isinstance(self.scale, int) else None
        given = self.size or (self.scale if factors is None else (factors,) * len(space))
        assert isinstance(given, tuple)
        if len(given) != len(space):
            raise ShapeError(f"has {len(given)} numbers for {len(space)} axes of space", 0)
        if self.size is None:
            return tuple(old * factor for old, factor in zip(space, given, strict=True))
        if any(isinstance(new, int) and new < 1 for new in given):
            raise ShapeError(f"cannot make a tensor with space {show(given)}")
        return given

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        # Between two cells along each axis; the nearest is only fetched.
        blends = 3 * (inputs[0].rank - 2) if self.interpolation == "bilinear" else 0
        return product(outputs[0].shape) * blends

    def expand(self, to: Site, x: Term) -> Term:
        for axis, new in enumerate(self.sizes(x.shape[1:-1]), 1):
            if new != x.shape[axis]:
                along = self._nearest if self.interpolation == "nearest" else self._linear
                x = along(to, x, axis, new)
        return x

    def _nearest(self, to: Site, x: Term, axis: int, new: Dim) -> Term:
        """A repetition where the size grows by a whole number; else cells by their numbers."""
        factor = whole_factor(x.shape[axis], new)
        if factor is not None:
            return to.repeat(x, factor, axis=axis)
        # With a half added, a place where two cells meet lies behind it however the division is rounded.
        place = places(to, x.shape[axis], new, "f64", aside=0.5)
        return to.gather(x, to.cast(to.floor(place), "i64"), axis=axis)

    def _linear(self, to: Site, x: Term, axis: int, new: Dim) -> Term:
        factor = whole_factor(x.shape[axis], new)
        if factor is not None and factor <= MOST_SHARES:
            return grown(to, x, axis, factor)
        counting = x.dtype if x.dtype == "f64" else "f32"
        last = size_of(to, x.shape[axis], counting) - 1
        place = places(to, x.shape[axis], new, counting) - 0.5
        place = to.minimum(to.maximum(place, 0), last)
        before = to.floor(place)
        after = to.minimum(before + 1, last)
        low, high = (to.gather(x, to.cast(c, "i64"), axis=axis) for c in (before, after))
        share = place - before
        share = share if x.dtype == counting else to.cast(share, x.dtype)
        return low + to.reshape(share, (new, *(1,) * (x.rank - axis - 1))) * (high - low)

    def reordered(self, forms: Forms, inputs: Types, outputs: Types) -> Reordered | None:
        wanted = first_form(inputs[0].rank)
        return Reordered(replace(self, channels_first=True), (wanted,), (wanted,))

    @classmethod
    def examples(cls) -> Iterator[Example]:
        sequence, volume = TensorType("f32", (N, 5, 4)), TensorType("f32", (2, 3, 5, 4, 2))
        image = TensorType("f32", (N, 5, 7, 3))
        for how in ("nearest", "bilinear"):
            yield Example(cls((8,), interpolation=how), (sequence,))
            yield Example(cls((8, 3), interpolation=how), (image,))
            yield Example(cls((3, 14), interpolation=how), (image,))
            yield Example(cls((1, 1), interpolation=how), (image,))
            yield Example(cls(scale=2, interpolation=how), (image,))
            yield Example(cls(scale=(3, 2), interpolation=how), (TensorType("f32", (N, T, 4, 3)),))
            yield Example(cls((6, T), interpolation=how), (TensorType("f32", (N, T, 7, 3)),))
            yield Example(cls((6, 3, 5), interpolation=how), (volume,))


@declare
class Upsample2D(Spatial):
    """An image with so many times the cells along each axis: `[N, H, W, C]` becomes `[N, H * scale, W * scale, C]`.

    "nearest" repeats each cell, "bilinear" weighs neighbours by their centres, as `resize` does.
    """

    name = "Upsample2D"
    rank = 2
    scale: tuple[int, ...] = arg("by what each axis grows", sizes(2), default=(2, 2))
    interpolation: str = arg(
        "what lies between cells", choice("nearest", "bilinear"), default="nearest"
    )

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        (x,) = inputs
        space = [size * n for size, n in zip(self.space(x), self.scale, strict=True)]
        n, *_, features = self.logical(x)
        return (self.physical(x, (n, *space, features)),)

    def expand(self, to: Site, x: Term) -> Term:
        return to.resize(x, scale=self.scale, interpolation=self.interpolation)

    @classmethod
    def examples(cls) -> Iterator[Example]:
        image = TensorType("f32", (N, 5, 7, 3))
        yield Example(cls(), (image,))
        yield Example(cls((3, 2), "bilinear"), (image,))
        yield Example(cls((2, 2), "bilinear"), (TensorType("f32", (N, T, 4, 3)),))


@declare
class PixelShuffle(Featured):
    """Features laid out over space: `[N, H, W, C * factor ** 2]` becomes `[N, H * factor, W * factor, C]`.

    Of each result feature `c`, the cell at row `i` and column `j` of a square is feature
    `c * factor ** 2 + i * factor + j` (PyTorch's order, not that of `depth_to_space`; Shi et al. 2016).
    """

    name = "pixel_shuffle"
    over_space = True
    factor: int = arg("cells of a square along each axis", whole(1))

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        (x,) = inputs
        need_rank(x, 4, what="an image [N, H, W, C]")
        n, height, width, features = self.logical(x)
        square = self.factor**2
        if modulo(features, square) != 0:
            raise ShapeError(f"cannot lay {features} features out in squares of {square}", 0)
        grown = (height * self.factor, width * self.factor)
        return (self.physical(x, (n, *grown, floor(features, square))),)

    def expand(self, to: Site, x: Term) -> Term:
        (n, height, width, features), f = x.shape, self.factor
        left = floor(features, f * f)
        apart = to.reshape(x, (n, height, width, left, f, f))
        beside = to.transpose(apart, (0, 1, 4, 2, 5, 3))
        return to.reshape(beside, (n, height * f, width * f, left))

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        return 0

    def reordered(self, forms: Forms, inputs: Types, outputs: Types) -> Reordered | None:
        wanted = (first_form(4),)
        return Reordered(replace(self, channels_first=True), wanted, wanted)

    @classmethod
    def examples(cls) -> Iterator[Example]:
        yield Example(cls(2), (TensorType("f32", (N, 3, 5, 12)),))
        yield Example(cls(3), (TensorType("f32", (N, T, 2, 9)),))


def whole_factor(old: Dim, new: Dim) -> int | None:
    """By which whole number a size grows, if by one for certain."""
    if isinstance(old, int) and isinstance(new, int):
        return new // old if new % old == 0 else None
    if not isinstance(old, Sym) or not isinstance(new, Sym):
        return None
    (_, before), *_ = old.terms
    (_, after), *_ = new.terms
    factor = after // before
    return factor if factor >= 1 and old * factor == new else None


def grown(to: Site, x: Term, axis: int, factor: int) -> Term:
    """Each cell as so many, each of which lies between it and the one before or behind."""
    edges = part(to, x, axis, 0, 1), part(to, x, axis, -1, None)
    around = to.concat(edges[0], x, edges[1], axis=axis)
    before, after = part(to, around, axis, 0, -2), part(to, around, axis, 2, None)
    cells = []
    for i in range(factor):
        aside = (2 * i + 1 - factor) / (2 * factor)
        towards = before if aside < 0 else after
        cells.append(x + abs(aside) * (towards - x) if aside else x)
    shape = (*x.shape[:axis], x.shape[axis] * factor, *x.shape[axis + 1 :])
    return to.reshape(to.stack(*cells, axis=axis + 1), shape)


def size_of(to: Site, size: Dim, dtype: str) -> Term | int:
    """A size as a number; as a scalar where it is known at run time only."""
    if isinstance(size, int):
        return size
    return to.sum(to.broadcast_to(to.number(1, dtype), (size,)))


def places(to: Site, old: Dim, new: Dim, dtype: str, aside: float = 0.0) -> Term:
    """Where the centres of the new cells lie, in old cells from the beginning: `(2 i + 1) * old / (2 * new)`.

    aside: added to the numerator, which is a whole number.
    """
    counted = to.cumsum(to.broadcast_to(to.number(1, dtype), (new,)), axis=0)
    across = (2 * counted - 1) * size_of(to, old, dtype)
    return (across + aside if aside else across) / (2 * size_of(to, new, dtype))
