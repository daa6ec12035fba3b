"""Element by element: powers, waves, rounding, logic."""

from __future__ import annotations

from codegen.python.dialect import Result
from codegen.python.native import Table, Use
from codegen.python.source import Expr, Name
from codegen.rules import function, operator
from nnspec.catalogue.ops.logic import LogicalAnd, LogicalNot, LogicalOr
from nnspec.catalogue.ops.numeric import (
    Ceil,
    Clip,
    Cos,
    Erf,
    Expm1,
    Floor,
    Power,
    Round,
    Rsqrt,
    Sin,
)

TABLE = Table()
TABLE.add(
    operator(Power, "**"),
    function(Rsqrt, "ops.rsqrt"),
    function(Expm1, "ops.expm1"),
    function(Sin, "ops.sin"),
    function(Cos, "ops.cos"),
    function(Erf, "ops.erf"),
    function(Floor, "ops.floor"),
    function(Ceil, "ops.ceil"),
    function(Round, "ops.round"),
    function(LogicalAnd, "ops.logical_and"),
    function(LogicalOr, "ops.logical_or"),
    function(LogicalNot, "ops.logical_not"),
)


@TABLE.rule
def clip(op: Clip, use: Use, x: Expr) -> Result:
    """Keras wants both bounds."""
    if op.low is not None and op.high is not None:
        return Name("ops.clip")(x, op.low, op.high)
    if op.low is not None:
        return Name("ops.maximum")(x, op.low)
    return x if op.high is None else Name("ops.minimum")(x, op.high)
