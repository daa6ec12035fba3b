"""Reductions over axes."""

from __future__ import annotations

from codegen.python.dialect import Result
from codegen.python.native import Table, Use
from codegen.python.source import Expr, Name
from codegen.rules import Form, function, key
from nnspec.catalogue.ops.pooling import GlobalAvgPool, GlobalMaxPool
from nnspec.catalogue.ops.reduction import Max, Mean, Min, Prod, Sum
from nnspec.catalogue.ops.search import ArgMax, ArgMin
from nnspec.catalogue.ops.statistics import LogSumExp, Normalize, Std, Var
from nnspec.graph.graph import Node

ONE = Form(
    lambda axes: axes[0] if axes is not None and len(axes) == 1 else axes,
    lambda axes: (axes,) if isinstance(axes, int) else axes,
)
"""One axis as a number."""

TABLE = Table()
TABLE.add(
    *(
        function(
            op, f"ops.{op.name}", key("axis", "axis", None, ONE), key("keepdims", "keepdims", False)
        )
        for op in (Mean, Sum, Max, Min, Prod, Var, Std, LogSumExp)
    ),
    function(Normalize, "ops.normalize", key("axis", "axis", -1), key("epsilon", "epsilon")),
)


@TABLE.rule
def global_pool(op: GlobalAvgPool | GlobalMaxPool, use: Use, x: Expr) -> Result:
    name = "ops.mean" if isinstance(op, GlobalAvgPool) else "ops.max"
    made = Name(name)(x, axis=ONE.write(op.space(use.rank)))
    return made.with_keyword("keepdims", True) if op.keepdims else made


@TABLE.chain
def global_pool_in_chain(op: GlobalAvgPool | GlobalMaxPool, node: Node) -> Expr:
    name = "Average" if isinstance(op, GlobalAvgPool) else "Max"
    made = Name(f"layers.Global{name}Pooling{node.inputs[0].type.rank - 2}D")()
    return made.with_keyword("keepdims", True) if op.keepdims else made


@TABLE.rule
def position(op: ArgMax | ArgMin, use: Use, x: Expr) -> Result:
    """Keras's is an i32."""
    made = Name(f"ops.{op.name}")(x, axis=op.axis)
    made = made.with_keyword("keepdims", True) if op.keepdims else made
    return Name("ops.cast")(made, "int64")
