"""Resizing of images, features second."""

from __future__ import annotations

from codegen.gluon.layer import Layers
from codegen.python.dialect import Result
from codegen.python.native import Use
from codegen.python.source import Expr, Name
from codegen.resizing import spaces
from nnspec.catalogue.ops.resizing import Resize, whole_factor
from nnspec.graph.graph import Node

TABLE = Layers()


def factor(node: Node) -> int | None:
    """By what both axes grow, if by one whole number."""
    factors = {whole_factor(old, new) for old, new in zip(*spaces(node), strict=True)}
    return factors.pop() if len(factors) == 1 else None


def covers(node: Node) -> bool:
    """Images: repeated by one number, or interpolated; to a single cell MXNet takes the first,
    and where cells lie it works out in f32."""
    assert isinstance(node.op, Resize)
    if node.inputs[0].type.rank != 4:
        return False
    if node.op.interpolation == "nearest":
        return factor(node) is not None
    _, after = spaces(node)
    if node.inputs[0].type.dtype == "f64":
        return False
    return all(isinstance(new, int) and new > 1 for new in after)


TABLE.legal[Resize] = covers


@TABLE.rule
def resize(op: Resize, use: Use, x: Expr) -> Result:
    """MXNet's own interpolation has the outermost centres meet."""
    if op.interpolation == "nearest":
        return Name("F.UpSampling")(x, scale=factor(use.node), sample_type="nearest")
    height, width = spaces(use.node)[1]
    bilinear = Name("F.contrib.BilinearResize2D")
    return bilinear(x, height=height, width=width, align_corners=False)
