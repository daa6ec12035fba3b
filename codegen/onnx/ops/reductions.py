"""Reductions, whose axes became an input at opset 18 (of sums at 13); elements in order."""

from __future__ import annotations

from codegen.onnx.lowering import Result
from codegen.onnx.native import Table, Use
from codegen.rules import Form, at, function, key
from nnspec.catalogue.ops.helpers import normal_axis
from nnspec.catalogue.ops.reduction import Max, Mean, Min, Prod, Reduce, Sum
from nnspec.catalogue.ops.search import ArgMax, ArgMin, CumSum, Sort, TopK
from nnspec.catalogue.ops.statistics import LogSumExp, Normalize
from nnspec.graph.graph import Node

TABLE = Table()


def over(node: Node) -> tuple[int, ...]:
    """The axes that are reduced."""
    assert isinstance(node.op, Reduce)
    return node.op.over(node.inputs[0].type.rank)


ALONE = Form(lambda k: (k,), lambda numbers: numbers[0])
"""A tensor of one number."""

KEEPDIMS = key("keepdims", "keepdims", True)
for kind, name in (
    (Mean, "ReduceMean"),
    (Max, "ReduceMax"),
    (Min, "ReduceMin"),
    (Prod, "ReduceProd"),
    (LogSumExp, "ReduceLogSumExp"),
):
    TABLE.add(
        function(kind, name, key("axes", over), KEEPDIMS),
        function(kind, name, at(over, "axes"), KEEPDIMS, since=18),
    )

TABLE.add(
    function(Sum, "ReduceSum", at(over, "axes"), KEEPDIMS, since=13),
    function(ArgMax, "ArgMax", key("axis", "axis", 0), KEEPDIMS),
    function(ArgMin, "ArgMin", key("axis", "axis", 0), KEEPDIMS),
    function(CumSum, "CumSum", at("axis")),
    function(TopK, "TopK", at("k", form=ALONE), key("axis", "axis", -1)),
)


@TABLE.rule
def sort(op: Sort, use: Use, x: str) -> Result:
    """All of them in order."""
    size = use.types[0].shape[op.axis]
    count = use.to.shape((size,), "count")
    values, _ = use.to.results(2, "TopK", x, count, axis=op.axis, largest=int(op.descending))
    return values


@TABLE.rule
def normalize(op: Normalize, use: Use, x: str) -> Result:
    to, axis = use.to, normal_axis(op.axis, use.rank)
    if to.opset < 18:
        length = to.op("ReduceL2", x, axes=(axis,))
    else:
        length = to.op("ReduceL2", x, to.shape([axis], "axes"))
    return to.op("Div", x, to.op("Max", length, use.number(op.epsilon)))
