"""Resizing of images."""

from __future__ import annotations

from codegen.python.native import Table
from codegen.resizing import finds_cells, has_numbers, spaces
from codegen.rules import at, function, key
from nnspec.catalogue.ops.resizing import Resize
from nnspec.core.dims import Shape
from nnspec.graph.graph import Node


def _size(node: Node) -> Shape:
    return spaces(node)[1]


def _covers(node: Node) -> bool:
    """Keras has images only, and TensorFlow interpolates in f32 whatever it is given."""
    x = node.inputs[0].type
    rounds = isinstance(node.op, Resize) and node.op.interpolation != "nearest"
    if x.rank != 4 or (rounds and x.dtype == "f64"):
        return False
    return has_numbers(node) and finds_cells(node)


TABLE = Table()
TABLE.add(
    function(
        Resize,
        "ops.image.resize",
        at(_size, "size"),
        key("interpolation", "interpolation", "bilinear"),
        legal=_covers,
    )
)
