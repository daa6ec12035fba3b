"""Schedules as functions of NumPy's numbers: what an optimizer's class is told before each of its steps.

They are the definition's own: one over nothing is infinite, where Python's numbers raise an error.
"""

from __future__ import annotations

import math
from dataclasses import replace

from codegen.python.dialect import Dialect, Result
from codegen.python.native import Table, Use, tables
from codegen.python.source import Expr, Literal, Name, Unary
from codegen.rules import function, operand, operator
from nnspec.catalogue.ops.activations import Tanh
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
    Sign,
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
from nnspec.catalogue.ops.numeric import Ceil, Clip, Cos, Floor, Power, Round, Sin
from nnspec.graph.graph import Graph, Node

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
    function(Minimum, "np.minimum"),
    function(Maximum, "np.maximum"),
    function(Sqrt, "np.sqrt"),
    function(Exp, "np.exp"),
    function(Log, "np.log"),
    function(Sin, "np.sin"),
    function(Cos, "np.cos"),
    function(Tanh, "np.tanh"),
    function(Floor, "np.floor"),
    function(Ceil, "np.ceil"),
    function(Round, "np.round"),
    function(Sign, "np.sign"),
    function(Where, "np.where"),
    operand(Identity),
    operand(StopGradient),
)


@TABLE.rule
def constant(op: Constant, use: Use) -> Result:
    return Name("np.pi") if op.value == math.pi else Literal(op.value)


@TABLE.rule
def logical_not(op: LogicalNot, use: Use, x: Expr) -> Result:
    return Unary("not", x)


@TABLE.rule
def clip(op: Clip, use: Use, x: Expr) -> Result:
    if op.low is None:
        return x if op.high is None else Name("np.minimum")(x, op.high)
    return Name("np.maximum")(x, op.low) if op.high is None else Name("np.clip")(x, op.low, op.high)


SCALARS = tables([TABLE])


def tells(graph: Graph) -> bool:
    """Whether a schedule can be such a function: it knows neither tensors nor element types."""
    return all(
        isinstance(step, Node)
        and type(step.op) in SCALARS.functions
        and all(not v.type.rank and v.type.dtype in ("bool", "f32") for v in step.outputs)
        for step in graph.steps
    )


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
