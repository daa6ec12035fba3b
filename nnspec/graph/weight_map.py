"""How a canonical weight becomes a target's native one, and back.

A map is a tuple of `NativeWeight`. Each holds transforms that lead from the canonical array to the
native one; every transform can be undone, so weights trained in any target reach every other one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Union

import numpy as np

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Permute:
    """Transpose to the given order of axes."""

    order: tuple[int, ...]

    def apply(self, array: Array) -> Array:
        return array.transpose(self.order)

    def undo(self, array: Array) -> Array:
        return array.transpose(np.argsort(self.order))


@dataclass(frozen=True)
class Reorder:
    """Split an axis into a grid of sizes, transpose the grid, join it again.

    `Reorder(1, (5, 5, 32), (2, 0, 1))` turns the columns that met a flattened H, W, C image into
    those that meet C, H, W.
    """

    axis: int
    grid: tuple[int, ...]
    order: tuple[int, ...]

    def apply(self, array: Array) -> Array:
        return self._turn(array, self.grid, self.order)

    def undo(self, array: Array) -> Array:
        turned = tuple(self.grid[i] for i in self.order)
        return self._turn(array, turned, tuple(int(i) for i in np.argsort(self.order)))

    def _turn(self, array: Array, grid: tuple[int, ...], order: tuple[int, ...]) -> Array:
        before, after = array.shape[: self.axis], array.shape[self.axis + 1 :]
        inner = tuple(self.axis + i for i in order)
        end = self.axis + len(grid)
        axes = (*range(self.axis), *inner, *range(end, end + len(after)))
        return array.reshape(*before, *grid, *after).transpose(axes).reshape(array.shape)


@dataclass(frozen=True)
class Gates:
    """Cut an axis into equal blocks and put them into another order (gates i f g o to i o f g)."""

    axis: int
    order: tuple[int, ...]

    def apply(self, array: Array) -> Array:
        blocks = np.split(array, len(self.order), axis=self.axis)
        return np.concatenate([blocks[i] for i in self.order], axis=self.axis)

    def undo(self, array: Array) -> Array:
        return Gates(self.axis, tuple(int(i) for i in np.argsort(self.order))).apply(array)


@dataclass(frozen=True)
class Reshape:
    """Give the same elements another shape."""

    before: tuple[int, ...]
    after: tuple[int, ...]

    def apply(self, array: Array) -> Array:
        return array.reshape(self.after)

    def undo(self, array: Array) -> Array:
        return array.reshape(self.before)


@dataclass(frozen=True)
class ZeroPad:
    """Append zeros along an axis (a second bias that the language does not have)."""

    axis: int
    count: int

    def apply(self, array: Array) -> Array:
        widths = [(0, self.count if i == self.axis else 0) for i in range(array.ndim)]
        return np.pad(array, widths)

    def undo(self, array: Array) -> Array:
        return array.take(np.arange(array.shape[self.axis] - self.count), axis=self.axis)


Transform = Union[Permute, Reorder, Gates, Reshape, ZeroPad]


@dataclass(frozen=True)
class Piece:
    """Where a weight stands in a native one that several make up, one after the other.

    start: elements before it. form: its sizes there. whole: sizes of the native weight.
    """

    start: int
    form: tuple[int, ...]
    whole: tuple[int, ...]

    @property
    def places(self) -> slice:
        """Its elements among those of the native weight."""
        return slice(self.start, self.start + math.prod(self.form))


@dataclass(frozen=True)
class NativeWeight:
    """One entry of a map: canonical `path`, `native` name, transforms from the one to the other.

    piece: where several weights make up a native one, which part of it this one is.
    """

    path: str
    native: str
    transforms: tuple[Transform, ...] = ()
    piece: Piece | None = None

    def to_native(self, array: Array) -> Array:
        """The native weight, or this one's piece of it."""
        for transform in self.transforms:
            array = transform.apply(array)
        return np.asarray(array, order="C")

    def to_canonical(self, array: Array) -> Array:
        """The weight, of the whole native one."""
        if self.piece is not None:
            array = array.reshape(-1)[self.piece.places].reshape(self.piece.form)
        for transform in reversed(self.transforms):
            array = transform.undo(array)
        return np.asarray(array, order="C")


WeightMap = tuple[NativeWeight, ...]


def to_native(weights: Mapping[str, Array], entries: WeightMap) -> dict[str, Array]:
    """Canonical weights under their native names and in their native layouts."""
    native: dict[str, Array] = {}
    for entry in entries:
        array = entry.to_native(weights[entry.path])
        if entry.piece is None:
            native[entry.native] = array
        else:
            whole = native.setdefault(entry.native, np.empty(entry.piece.whole, array.dtype))
            whole.reshape(-1)[entry.piece.places] = array.reshape(-1)
    return native


def to_canonical(native: Mapping[str, Array], entries: WeightMap) -> dict[str, Array]:
    """Native weights under their canonical paths and in their canonical layouts."""
    return {e.path: e.to_canonical(native[e.native]) for e in entries}
