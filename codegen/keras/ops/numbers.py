"""Element by element: arithmetic, comparison, powers, waves, rounding, logic."""

from __future__ import annotations

from codegen.keras.dtypes import DTYPES
from codegen.python.dialect import Result
from codegen.python.native import Table, Use
from codegen.python.source import Expr, Name
from codegen.rules import function, operator
from nnspec.catalogue.ops.algebra import MatMul
from nnspec.catalogue.ops.elementwise import (
    Abs,
    Add,
    Divide,
    Exp,
    Log,
    Log1p,
    Maximum,
    Minimum,
    Multiply,
    Negative,
    Sign,
    Sqrt,
    Subtract,
)
from nnspec.catalogue.ops.logic import (
    Equal,
    Greater,
    GreaterEqual,
    Less,
    LessEqual,
    LogicalAnd,
    LogicalNot,
    LogicalOr,
    NotEqual,
    Where,
)
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
    *(
        function(op, f"ops.{op.name}")
        for op in (Exp, Log, Log1p, Sign, Sqrt, Abs, Maximum, Minimum, Equal, NotEqual, Where)
    ),
    operator(Negative, "-"),
    operator(Add, "+"),
    operator(Subtract, "-"),
    operator(Multiply, "*"),
    operator(MatMul, "@"),
    operator(Less, "<"),
    operator(LessEqual, "<="),
    operator(Greater, ">"),
    operator(GreaterEqual, ">="),
    operator(Power, "**"),
    *(function(op, f"ops.{op.name}") for op in (Rsqrt, Expm1, Sin, Cos, Erf, Floor, Ceil, Round)),
    *(function(op, f"ops.{op.name}") for op in (LogicalAnd, LogicalOr, LogicalNot)),
)


@TABLE.rule
def divide(op: Divide, use: Use, x: Expr, y: Expr) -> Result:
    kind = use.node.outputs[0].type
    if kind.is_float:
        return x / y
    # Whole numbers are cut off towards zero.
    return Name("ops.cast")(Name("ops.trunc")(x / y), DTYPES[kind.dtype])


@TABLE.rule
def clip(op: Clip, use: Use, x: Expr) -> Result:
    """Keras wants both bounds."""
    if op.low is not None and op.high is not None:
        return Name("ops.clip")(x, op.low, op.high)
    if op.low is not None:
        return Name("ops.maximum")(x, op.low)
    return x if op.high is None else Name("ops.minimum")(x, op.high)
