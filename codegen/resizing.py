"""What frameworks' ways of resizing have in common: they find cells in f32, and most want sizes as numbers."""

from __future__ import annotations

from math import gcd

from nnspec.catalogue.ops.resizing import Resize, whole_factor
from nnspec.core.dims import Dim, Shape
from nnspec.graph.graph import Node

APART = 2**20
"""So many parts of the whole, and f32 no longer tells them apart for certain."""


def spaces(node: Node) -> tuple[Shape, Shape]:
    """The sizes of space before and after."""
    op = node.op
    assert isinstance(op, Resize)
    before, after = (op.logical(v.type)[1:-1] for v in (*node.inputs, *node.outputs))
    return before, after


def has_numbers(node: Node) -> bool:
    """Whether the new sizes are known while compiling."""
    return all(isinstance(new, int) for new in spaces(node)[1])


def finds_cells(node: Node) -> bool:
    """Whether a framework that counts in f32 takes the cells that the language takes.

    Between cells it always does: weights change little where a place does. The nearest cell is another one if a centre
    that lies where two cells meet is put before that place.
    """
    if not isinstance(node.op, Resize) or node.op.interpolation != "nearest":
        return True
    return all(_told(old, new) for old, new in zip(*spaces(node), strict=True))


def _told(old: Dim, new: Dim) -> bool:
    """A centre lies on a border only where, in lowest terms, an even number of cells becomes an odd one; f32 has
    the place exactly where that is one cell for each 2, 4, 8, ..."""
    if whole_factor(old, new) is not None:
        return True
    if not isinstance(old, int) or not isinstance(new, int):
        return False
    common = gcd(old, new)
    cells, parts = old // common, new // common
    if cells % 2:
        return old * parts < APART
    return parts == 1 and cells & (cells - 1) == 0
