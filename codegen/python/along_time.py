"""A cell along time where a function of the generated file, `along_time`, has the loop."""

from __future__ import annotations

from collections.abc import Sequence

from codegen.python.source import Call as Expression
from codegen.python.source import Expr, Name, Tuple, lift
from nnspec.graph.graph import Call


def applied(
    call: Call, cell: Expr, arguments: Sequence[Expr], first: Sequence[Expr] = ()
) -> Expression:
    """`along_time(self.cell, (x, h), sequences=(0,), states={1: 1})`; first: what it takes before the cell."""
    assert call.loop is not None
    made = Name("along_time")(*first, cell, Tuple(tuple(arguments)))
    made = made.with_keyword("sequences", Tuple(tuple(map(lift, call.loop.sequences))))
    return made.with_keyword("states", dict(call.loop.states))


def results(call: Call, made: Expr) -> Expr:
    """What the function returns; of one tensor, that."""
    return made if len(call.outputs) > 1 else made[0]
