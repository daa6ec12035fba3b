"""`grad(loss, x)`, by autograd."""

from __future__ import annotations

from codegen.python.dialect import Result
from codegen.python.gradients import Taped, Watched
from codegen.python.native import Table, Use
from codegen.python.source import Expr, Expression, Literal, Name

TABLE = Table()


@TABLE.rule
def watched(op: Watched, use: Use, x: Expr) -> Result:
    tensor = use.forward.name(x)
    use.forward.emit(Expression(tensor.attr("requires_grad_")()))
    return tensor


@TABLE.rule
def derivative(op: Taped, use: Use, loss: Expr, x: Expr) -> Result:
    """The loss may hold the derivative, so the way to it is kept."""
    return Name("torch.autograd.grad")(loss, x, create_graph=True)[Literal(0)]
