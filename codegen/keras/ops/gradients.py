"""`grad(loss, x)`, by a tape of its own inside that of an update."""

from __future__ import annotations

from codegen.python.dialect import Result
from codegen.python.gradients import Taped, Watched
from codegen.python.native import Table, Use
from codegen.python.source import Expr, Expression, Name

TABLE = Table()


@TABLE.rule
def watched(op: Watched, use: Use, x: Expr) -> Result:
    tensor = use.forward.name(x)
    for tape in op.tapes:
        use.forward.emit(Expression(Name(tape).attr("watch")(tensor)))
    return tensor


@TABLE.rule
def derivative(op: Taped, use: Use, loss: Expr, x: Expr) -> Result:
    return Name(op.tape).attr("gradient")(loss, x)
