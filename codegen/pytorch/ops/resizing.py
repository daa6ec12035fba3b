"""Resizing, features second."""

from __future__ import annotations

from codegen.python.native import Table
from codegen.resizing import finds_cells, has_numbers, spaces
from codegen.rules import at, function, key
from nnspec.catalogue.ops.resizing import PixelShuffle, Resize, whole_factor
from nnspec.graph.graph import Node

BILINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}
"""PyTorch's names, by the number of axes of space."""


def mode(node: Node) -> str:
    """PyTorch's "nearest" counts from the cells' beginnings, "nearest-exact" from their centres: the same where
    a size grows by a whole number, and in f32 for certain where that is 1, 2, 4, ..."""
    assert isinstance(node.op, Resize)
    before, after = spaces(node)
    if node.op.interpolation == "bilinear":
        return BILINEAR[len(before)]
    factors = [whole_factor(old, new) for old, new in zip(before, after, strict=True)]
    exact = all(factor and factor & (factor - 1) == 0 for factor in factors)
    return "nearest" if exact else "nearest-exact"


def _covers(node: Node) -> bool:
    by_scale = isinstance(node.op, Resize) and node.op.scale is not None
    return (by_scale or has_numbers(node)) and finds_cells(node)


TABLE = Table()
TABLE.add(
    function(
        Resize,
        "F.interpolate",
        key("size", "size", None),
        key("scale_factor", "scale", None),
        key("mode", mode, "nearest"),
        legal=_covers,
    ),
    function(PixelShuffle, "F.pixel_shuffle", at("factor"), chain="nn.PixelShuffle"),
)
