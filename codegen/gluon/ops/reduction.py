"""Many elements to few: sums and their like, places, elements in order."""

from __future__ import annotations

from codegen.gluon.dtypes import DTYPES
from codegen.gluon.layer import INVERSE
from codegen.python.dialect import Result
from codegen.python.native import Table, Use
from codegen.python.source import Expr, Name
from codegen.rules import Argument, function, key
from nnspec.catalogue.ops.base import Op
from nnspec.catalogue.ops.pooling import GlobalAvgPool, GlobalMaxPool, GlobalPool
from nnspec.catalogue.ops.reduction import Max, Mean, Min, Prod, Reduce, Sum
from nnspec.catalogue.ops.search import ArgMax, ArgMin, CumSum, Position, Sort, TopK
from nnspec.graph.graph import Node

TABLE = Table()


def several(axes: tuple[int, ...]) -> object:
    """One number for one axis."""
    return axes[0] if len(axes) == 1 else axes


def over(node: Node) -> object:
    """The axes of a reduction; None for all of them, which is MXNet's own."""
    op, rank = node.op, node.inputs[0].type.rank
    assert isinstance(op, Reduce)
    whole = op.axis is None or len(op.over(rank)) == rank
    return None if whole or op.axis is None else several(op.axis)


def over_space(node: Node) -> object:
    assert isinstance(node.op, GlobalPool)
    return several(node.op.space(node.inputs[0].type.rank))


def axis(node: Node) -> int:
    """The axis of an op that has one, counted from 0."""
    return int(vars(node.op)["axis"]) % node.inputs[0].type.rank


KEEPDIMS = key("keepdims", "keepdims", False)
REDUCTIONS: dict[type[Op], str] = {Mean: "mean", Sum: "sum", Max: "max", Min: "min", Prod: "prod"}
TABLE.add(
    *(
        function(op, f"F.{name}", Argument(over, "axis", None), KEEPDIMS)
        for op, name in REDUCTIONS.items()
    ),
    function(CumSum, "F.cumsum", key("axis", axis)),
    function(
        TopK,
        "F.topk",
        key("k", "k"),
        key("axis", "axis"),
        key("ret_typ", lambda node: "both"),
        key("dtype", lambda node: DTYPES["i64"]),
    ),
    # Its gradient fails where the axis is left out.
    function(Sort, "F.sort", key("axis", "axis"), key("is_ascend", "descending", False, INVERSE)),
    function(GlobalAvgPool, "F.mean", key("axis", over_space), KEEPDIMS),
    function(GlobalMaxPool, "F.max", key("axis", over_space), KEEPDIMS),
)


@TABLE.rule
def position(op: Position, use: Use, x: Expr) -> Result:
    """MXNet's gives floats."""
    name = {ArgMax: "argmax", ArgMin: "argmin"}[type(op)]
    place = Name(f"F.{name}")(x, axis=op.axis)
    place = place.with_keyword("keepdims", True) if op.keepdims else place
    return Name("F.cast")(place, dtype=DTYPES["i64"])
