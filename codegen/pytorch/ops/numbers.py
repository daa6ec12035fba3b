"""Element by element: arithmetic, comparisons, functions of one number."""

from __future__ import annotations

from codegen.python.dialect import Result
from codegen.python.native import Table, Use
from codegen.python.source import Expr, Literal, Name
from codegen.pytorch.dtypes import DTYPES
from codegen.rules import Form, at, function, key, method, operand, operator
from nnspec.catalogue.ops.algebra import MatMul
from nnspec.catalogue.ops.einsum import Einsum
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
from nnspec.catalogue.ops.shaping import Cast

TYPE = Form(
    lambda dtype: Name(DTYPES[dtype]),
    lambda name: {text: dtype for dtype, text in DTYPES.items()}[name.text],
)

TABLE = Table()
TABLE.add(
    operator(Add, "+"),
    operator(Subtract, "-"),
    operator(Multiply, "*"),
    operator(MatMul, "@"),
    operator(Power, "**"),
    operator(Negative, "-"),
    operator(Equal, "=="),
    operator(NotEqual, "!="),
    operator(Less, "<"),
    operator(LessEqual, "<="),
    operator(Greater, ">"),
    operator(GreaterEqual, ">="),
    function(LogicalAnd, "torch.logical_and"),
    function(LogicalOr, "torch.logical_or"),
    function(LogicalNot, "torch.logical_not"),
    function(Where, "torch.where"),
    function(Abs, "torch.abs"),
    function(Sign, "torch.sign"),
    function(Sqrt, "torch.sqrt"),
    function(Rsqrt, "torch.rsqrt"),
    function(Exp, "torch.exp"),
    function(Expm1, "torch.expm1"),
    function(Log, "torch.log"),
    function(Log1p, "torch.log1p"),
    function(Sin, "torch.sin"),
    function(Cos, "torch.cos"),
    function(Erf, "torch.erf"),
    function(Floor, "torch.floor"),
    function(Ceil, "torch.ceil"),
    function(Round, "torch.round"),
    function(Clip, "torch.clamp", key("min", "low", None), key("max", "high", None)),
    method(Cast, "to", at("dtype", form=TYPE)),
    method(StopGradient, "detach"),
    operand(Identity, chain="nn.Identity"),
)


@TABLE.rule
def constant(op: Constant, use: Use) -> Result:
    return Literal(op.value)


@TABLE.rule
def divide(op: Divide, use: Use, a: Expr, b: Expr) -> Result:
    """Whole numbers are cut towards zero."""
    if use.types[0].is_float:
        return a / b
    return Name("torch.div")(a, b, rounding_mode="trunc")


@TABLE.rule
def einsum(op: Einsum, use: Use, *x: Expr) -> Result:
    return Name("torch.einsum")(op.equation, *x)


@TABLE.rule
def maximum(op: Maximum, use: Use, a: Expr, b: Expr) -> Result:
    return bounded("torch.maximum", "min", a, b)


@TABLE.rule
def minimum(op: Minimum, use: Use, a: Expr, b: Expr) -> Result:
    return bounded("torch.minimum", "max", a, b)


def bounded(name: str, bound: str, a: Expr, b: Expr) -> Expr:
    """The greater or lesser of two; a number is a bound."""
    for number, tensor in ((a, b), (b, a)):
        if isinstance(number, Literal):
            return Name("torch.clamp")(tensor, **{bound: number})
    return Name(name)(a, b)
