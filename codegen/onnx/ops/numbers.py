"""Element by element: arithmetic, comparisons, logic."""

from __future__ import annotations

import numpy as np

from codegen.onnx.dtypes import DTYPES
from codegen.onnx.lowering import Result
from codegen.onnx.native import Table, Use
from codegen.rules import function, operand
from nnspec.catalogue.ops.elementwise import (
    Abs,
    Add,
    Constant,
    Divide,
    Exp,
    Identity,
    Log,
    Log1p,
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
from nnspec.catalogue.ops.numeric import Ceil, Clip, Cos, Erf, Expm1, Floor, Power, Round, Sin
from nnspec.catalogue.ops.shaping import Cast
from nnspec.catalogue.ops.site import Site, Term
from nnspec.core import dtypes
from nnspec.graph.graph import Node

TABLE = Table()


def not_of_coins(node: Node) -> bool:
    """onnxruntime chooses between booleans on CPUs only where they are numbers."""
    return node.outputs[0].type.dtype != "bool"


TABLE.add(
    function(Add, "Add"),
    function(Subtract, "Sub"),
    function(Multiply, "Mul"),
    function(Divide, "Div"),
    function(Power, "Pow"),
    function(Maximum, "Max"),
    function(Minimum, "Min"),
    function(Negative, "Neg"),
    function(Abs, "Abs"),
    function(Sign, "Sign"),
    function(Exp, "Exp"),
    function(Log, "Log"),
    function(Sqrt, "Sqrt"),
    function(Sin, "Sin"),
    function(Cos, "Cos"),
    function(Erf, "Erf"),
    function(Floor, "Floor"),
    function(Ceil, "Ceil"),
    function(Round, "Round"),
    function(Equal, "Equal"),
    function(Less, "Less"),
    function(LessEqual, "LessOrEqual"),
    function(Greater, "Greater"),
    function(GreaterEqual, "GreaterOrEqual"),
    function(LogicalAnd, "And"),
    function(LogicalOr, "Or"),
    function(LogicalNot, "Not"),
    function(Where, "Where", legal=not_of_coins),
    operand(Identity),
    operand(StopGradient),
)


@TABLE.rule
def constant(op: Constant, use: Use) -> Result:
    return use.to.constant(np.array(op.value, dtypes.DTYPES[op.dtype].numpy), "constant")


@TABLE.rule
def cast(op: Cast, use: Use, x: str) -> Result:
    return use.to.op("Cast", x, to=DTYPES[op.dtype])


@TABLE.rule
def clip(op: Clip, use: Use, x: str) -> Result:
    """A bound that is not there is an operand that is not given."""
    bounds = ["" if b is None else use.number(b) for b in (op.low, op.high)]
    return use.to.op("Clip", x, *bounds) if any(bounds) else x


@TABLE.rewrite
def not_equal(to: Site, op: NotEqual, x: Term, y: Term) -> Term:
    return to.logical_not(to.equal(x, y))


@TABLE.rewrite
def where(to: Site, op: Where, condition: Term, x: Term, y: Term) -> Term:
    return to.cast(to.where(condition, to.cast(x, "u8"), to.cast(y, "u8")), "bool")


@TABLE.rewrite
def log1p(to: Site, op: Log1p, x: Term) -> Term:
    """ONNX has no such operator; what the sum loses of a small `x` is put back by the quotient."""
    u = 1 + x
    return to.where(to.equal(u, 1), x, to.log(u) * x / (u - 1))


@TABLE.rewrite
def expm1(to: Site, op: Expm1, x: Term) -> Term:
    """ONNX has no such operator; what the difference loses of a small `x` is put back by the quotient."""
    u = to.exp(x)
    near = to.where(to.equal(u, 1), x, (u - 1) * x / to.log(u))
    return to.where(abs(x) < 1, near, u - 1)
