"""Between the language's layout and a target's, for values at a model's boundary."""

from __future__ import annotations

from nnspec.graph.weight_map import Array


def to_layout(array: Array, layout: str | None) -> Array:
    """An array in the language's layout (features last) as the target takes it."""
    if layout == "1":
        return array.reshape((1,))
    return array if layout in (None, "NHWC") else _move(array, -1, 1)


def from_layout(array: Array, layout: str | None) -> Array:
    """A target's array in the language's layout."""
    if layout == "1":
        return array.reshape(())
    return array if layout in (None, "NHWC") else _move(array, 1, -1)


def _move(array: Array, source: int, destination: int) -> Array:
    import numpy as np

    return np.ascontiguousarray(np.moveaxis(array, source, destination))
