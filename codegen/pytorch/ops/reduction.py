"""Along axes: sums, means, extremes, places, order."""

from __future__ import annotations

from codegen.python.dialect import Result
from codegen.python.native import Table, Use
from codegen.python.source import Expr
from codegen.rules import Form, at, function, key, method, of
from nnspec.catalogue.ops.pooling import GlobalAvgPool, GlobalMaxPool
from nnspec.catalogue.ops.reduction import Max, Mean, Min, Prod, Reduce, Sum
from nnspec.catalogue.ops.search import ArgMax, ArgMin, CumSum, Sort, TopK
from nnspec.catalogue.ops.statistics import LogSumExp, Normalize, Std, Var
from nnspec.graph.graph import Node

ONE = Form(
    lambda axes: axes[0] if axes is not None and len(axes) == 1 else axes,
    lambda axes: (axes,) if isinstance(axes, int) else axes,
)
"""One axis as a number."""


@of
def over(op: Reduce, node: Node) -> tuple[int, ...] | None:
    """The axes, which PyTorch wants to hear where they are kept."""
    return op.over(node.inputs[0].type.rank) if op.axis is None and op.keepdims else op.axis


@of
def each(op: Reduce, node: Node) -> tuple[int, ...]:
    """The axes, all of them by their numbers."""
    return op.over(node.inputs[0].type.rank) if op.axis is None else op.axis


@of
def space(op: GlobalAvgPool | GlobalMaxPool, node: Node) -> tuple[int, ...]:
    return op.space(node.inputs[0].type.rank)


KEPT = key("keepdim", "keepdims", False)

TABLE = Table()
TABLE.add(
    method(Mean, "mean", key("dim", over, None, ONE), KEPT),
    method(Sum, "sum", key("dim", over, None, ONE), KEPT),
    method(Max, "amax", key("dim", over, None, ONE), KEPT),
    method(Min, "amin", key("dim", over, None, ONE), KEPT),
    # By itself PyTorch divides by one less.
    method(Var, "var", key("dim", over, None, ONE), key("correction", lambda node: 0), KEPT),
    method(Std, "std", key("dim", over, None, ONE), key("correction", lambda node: 0), KEPT),
    method(LogSumExp, "logsumexp", key("dim", each, form=ONE), KEPT),
    function(Normalize, "F.normalize", key("dim", "axis", 1), key("eps", "epsilon", 1e-12)),
    method(GlobalAvgPool, "mean", key("dim", space, form=ONE), KEPT),
    method(GlobalMaxPool, "amax", key("dim", space, form=ONE), KEPT),
    method(ArgMax, "argmax", key("dim", "axis"), KEPT),
    method(ArgMin, "argmin", key("dim", "axis"), KEPT),
    method(CumSum, "cumsum", key("dim", "axis")),
    method(TopK, "topk", at("k"), key("dim", "axis", -1)),
)


@TABLE.rule
def prod(op: Prod, use: Use, x: Expr) -> Result:
    """PyTorch's goes along one axis at a time."""
    if op.axis is None and not op.keepdims:
        return x.attr("prod")()
    for axis in reversed(op.over(use.rank)):
        made = x.attr("prod")(dim=axis)
        x = made.with_keyword("keepdim", True) if op.keepdims else made
    return x


@TABLE.rule
def sort(op: Sort, use: Use, x: Expr) -> Result:
    made = x.attr("sort")(dim=op.axis)
    return (made.with_keyword("descending", True) if op.descending else made).attr("values")
