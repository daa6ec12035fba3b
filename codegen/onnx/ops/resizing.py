"""Resizing of images, features second."""

from __future__ import annotations

from typing import Any

import numpy as np

from codegen.onnx.lowering import Result
from codegen.onnx.native import Table, Use
from codegen.resizing import finds_cells, spaces
from codegen.rules import function, key
from nnspec.catalogue.ops.resizing import PixelShuffle, Resize, whole_factor
from nnspec.graph.graph import Node

TABLE = Table()
NEAREST = {"mode": "nearest", "nearest_mode": "round_prefer_ceil"}
"""A centre where two cells meet takes the one behind it."""


@TABLE.rule
def resize(op: Resize, use: Use, x: str) -> Result:
    attributes: dict[str, Any] = NEAREST if op.interpolation == "nearest" else {"mode": "linear"}
    attributes = {"coordinate_transformation_mode": "half_pixel", **attributes}
    factors = [whole_factor(old, new) for old, new in zip(*spaces(use.node), strict=True)]
    if all(factors):
        by = use.to.constant(np.array([1, 1, *factors], "f4"), "scales")
        return use.to.op("Resize", x, "", by, **attributes)
    sizes = use.to.shape(use.node.outputs[0].type.shape)
    return use.to.op("Resize", x, "", "", sizes, **attributes)


def covers(node: Node) -> bool:
    """onnxruntime resizes images, in f32."""
    x = node.inputs[0].type
    return x.rank == 4 and x.dtype != "f64" and finds_cells(node)


TABLE.legal[Resize] = covers


TABLE.add(
    function(
        PixelShuffle, "DepthToSpace", key("blocksize", "factor"), key("mode", lambda node: "CRD")
    )
)
