"""Schedules as functions of Python numbers: what an optimizer's class is told before each of its steps."""

from __future__ import annotations

import math
from dataclasses import replace

from codegen.python.dialect import Dialect, Result
from codegen.python.native import Table, Use, tables
from codegen.python.source import Conditional, Expr, Literal, Name, Unary
from codegen.rules import function, operand, operator
from nnspec.catalogue.ops.elementwise import (
    Abs,
    Add,
    Constant,
    Divide,
    Exp,
    Identity,
    Log,
    Maximum,
    Minimum,
    Multiply,
    Negative,
    Sqrt,
    StopGradient,
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
from nnspec.catalogue.ops.numeric import Ceil, Clip, Cos, Floor, Power, Sin
from nnspec.catalogue.ops.shaping import Cast

TABLE = Table()
TABLE.add(
    operator(Add, "+"),
    operator(Subtract, "-"),
    operator(Multiply, "*"),
    operator(Divide, "/"),
    operator(Power, "**"),
    operator(Negative, "-"),
    operator(Equal, "=="),
    operator(NotEqual, "!="),
    operator(Less, "<"),
    operator(LessEqual, "<="),
    operator(Greater, ">"),
    operator(GreaterEqual, ">="),
    operator(LogicalAnd, "and"),
    operator(LogicalOr, "or"),
    function(Abs, "abs"),
    function(Minimum, "min"),
    function(Maximum, "max"),
    function(Sqrt, "math.sqrt"),
    function(Exp, "math.exp"),
    function(Log, "math.log"),
    function(Sin, "math.sin"),
    function(Cos, "math.cos"),
    function(Floor, "math.floor"),
    function(Ceil, "math.ceil"),
    operand(Cast),
    operand(Identity),
    operand(StopGradient),
)


@TABLE.rule
def constant(op: Constant, use: Use) -> Result:
    return Name("math.pi") if op.value == math.pi else Literal(op.value)


@TABLE.rule
def logical_not(op: LogicalNot, use: Use, x: Expr) -> Result:
    return Unary("not", x)


@TABLE.rule
def clip(op: Clip, use: Use, x: Expr) -> Result:
    if op.low is not None:
        x = Name("max")(x, op.low)
    return x if op.high is None else Name("min")(x, op.high)


@TABLE.rule
def where(op: Where, use: Use, condition: Expr, a: Expr, b: Expr) -> Result:
    return Conditional(condition, a, b)


SCALARS = tables([TABLE])


def scalars(dialect: Dialect) -> Dialect:
    """The dialect of a target's file for functions of numbers."""
    return replace(
        dialect,
        functions=SCALARS.functions,
        layers={},
        modules={},
        legal=SCALARS.legal,
        rewrites={},
        lacks={},
    )
