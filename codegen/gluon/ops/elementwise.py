"""Element by element: arithmetic, functions of one number, comparisons and logic, choice.

MXNet's operators know no booleans. What the language calls one is an array of zeros and ones of a byte each
(`DTYPES["bool"]`). A comparison gives them in its operands' type, so it is cast, unless all that reads
it takes any number for a truth value.
"""

from __future__ import annotations

from codegen.gluon.dtypes import DTYPES, check_whole
from codegen.gluon.like import Like, like
from codegen.python.dialect import Result, UnsupportedOp
from codegen.python.native import Table, Use
from codegen.python.source import Call, Expr, Literal, Name, Operator
from codegen.rules import function, operand, operator
from nnspec.catalogue.ops.base import Op
from nnspec.catalogue.ops.elementwise import (
    Abs,
    Add,
    Binary,
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
    Comparison,
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
from nnspec.catalogue.ops.site import Site, Term
from nnspec.core.declare import declaration
from nnspec.core.lazy import np
from nnspec.core.types import TensorType
from nnspec.graph.graph import Node

TABLE = Table()
BOOL = DTYPES["bool"]


@declaration
class Detach(StopGradient):
    """`x` off the record, in functions whose operands are arrays; of those that derivatives become."""


@TABLE.rule
def detach(op: Detach, use: Use, x: Expr) -> Result:
    return x.attr("detach")()


TABLE.add(
    operator(Negative, "-"),
    operand(Identity),
    function(StopGradient, "F.stop_gradient"),
    function(Exp, "F.exp"),
    function(Log, "F.log"),
    function(Log1p, "F.log1p"),
    function(Expm1, "F.expm1"),
    function(Sqrt, "F.sqrt"),
    function(Rsqrt, "F.rsqrt"),
    function(Abs, "F.abs"),
    function(Sign, "F.sign"),
    function(Sin, "F.sin"),
    function(Cos, "F.cos"),
    function(Erf, "F.erf"),
    function(Floor, "F.floor"),
    function(Ceil, "F.ceil"),
    function(LogicalAnd, "F.broadcast_logical_and"),
    function(LogicalOr, "F.broadcast_logical_or"),
    function(LogicalNot, "F.logical_not"),
)

MEETING: dict[type[Op], tuple[str, str]] = {
    Add: ("+", "F.broadcast_add"),
    Subtract: ("-", "F.broadcast_sub"),
    Multiply: ("*", "F.broadcast_mul"),
    Divide: ("/", "F.broadcast_div"),
    Power: ("**", "F.broadcast_power"),
    Maximum: ("F.maximum", "F.broadcast_maximum"),
    Minimum: ("F.minimum", "F.broadcast_minimum"),
    Equal: ("==", "F.broadcast_equal"),
    NotEqual: ("!=", "F.broadcast_not_equal"),
    Less: ("<", "F.broadcast_lesser"),
    LessEqual: ("<=", "F.broadcast_lesser_equal"),
    Greater: (">", "F.broadcast_greater"),
    GreaterEqual: (">=", "F.broadcast_greater_equal"),
}
"""For tensors of one shape and for numbers (an operator of Python's, or a function), and for all else, where Python's
operator on a Symbol does not broadcast."""


def meeting(kind: type[Op], types: tuple[TensorType, ...], a: Expr, b: Expr) -> Expr:
    """Two operands that meet by broadcasting."""
    alike, broadcast = MEETING[kind]
    numbers = isinstance(a, Literal) or isinstance(b, Literal)
    if not numbers and types[0].shape != types[1].shape:
        return Name(broadcast)(a, b)
    return Name(alike)(a, b) if alike.startswith("F.") else Operator(alike, a, b)


@TABLE.rule
def arithmetic(op: Binary, use: Use, a: Expr, b: Expr) -> Result:
    return meeting(type(op), use.types, a, b)


@TABLE.rule
def compare(op: Comparison, use: Use, a: Expr, b: Expr) -> Result:
    return truth(use, meeting(type(op), use.types, a, b))


def truth(use: Use, compared: Expr) -> Expr:
    """A boolean, from what a comparison gives."""
    if use.types[0].dtype in ("bool", "i8") or use.read_only(takes_numbers):
        return compared
    return Name("F.cast")(compared, dtype=BOOL)


def takes_numbers(node: Node, place: int) -> bool:
    """Whether a node takes any number for a truth value at this place."""
    match node.op:
        case Cast():
            return True
        case Where():
            return place == 0
        case Like():
            return place == 1
    return False


@TABLE.rule
def cast(op: Cast, use: Use, x: Expr) -> Result:
    if op.dtype not in DTYPES:
        raise UnsupportedOp(use.node, "Gluon", f"MXNet 1.9.1 has no {op.dtype}")
    if op.dtype == "bool":
        return truth(use, Operator("!=", x, Literal(0)))
    if op.dtype == use.types[0].dtype:
        return x
    return Name("F.cast")(x, dtype=DTYPES[op.dtype])


@TABLE.rule
def constant(op: Constant, use: Use) -> Result:
    check_whole(op.value, use.node)
    return Literal(op.value)


@TABLE.rule
def clip(op: Clip, use: Use, x: Expr) -> Result:
    """MXNet wants both bounds, and rounds them to single precision."""
    bounds = [b for b in (op.low, op.high) if b is not None]
    if len(bounds) == 2 and all(float(np.float32(b)) == b for b in bounds):
        return Name("F.clip")(x, op.low, op.high)
    if op.low is not None:
        x = Name("F.maximum")(x, op.low)
    return x if op.high is None else Name("F.minimum")(x, op.high)


@TABLE.rewrite
def half_to_even(to: Site, op: Round, x: Term) -> Term:
    """MXNet's own rounding takes a half away from zero."""
    low = to.floor(x)
    rest = x - low
    odd = low - 2 * to.floor(low / 2)
    return low + to.where(to.equal(rest, 0.5), odd, to.ceil(rest - 0.5))


# MXNet's choice does not broadcast.


def of_one_shape(node: Node) -> bool:
    return all(v.type.shape == node.outputs[0].type.shape for v in node.inputs)


TABLE.legal[Where] = of_one_shape


@TABLE.rule
def where(op: Where, use: Use, condition: Expr, a: Expr, b: Expr) -> Result:
    """A number beside scalars, which have its shape, becomes one."""
    if isinstance(a, Literal) or isinstance(b, Literal):
        condition = use.forward.name(condition, "condition")
    dtype = DTYPES[use.node.outputs[0].type.dtype]
    a, b = (filled(condition, x, dtype) if isinstance(x, Literal) else x for x in (a, b))
    return Name("F.where")(condition, a, b)


@TABLE.rewrite
def where_of_one_shape(to: Site, op: Where, condition: Term, a: Term, b: Term) -> Term:
    (whole,) = op.infer(condition.type, a.type, b.type)
    full = next((t for t in (a, b, condition) if t.shape == whole.shape), None)
    if full is None:
        alike = [to.equal(t, t) for t in (a, b) if t.rank]
        full = to.logical_or(condition, alike[0])
        full = full if len(alike) == 1 else to.logical_or(full, alike[1])
    return to.where(like(to, condition, full), like(to, a, full), like(to, b, full))


@TABLE.rule
def repeated(op: Like, use: Use, x: Expr, other: Expr) -> Result:
    wanted, (source, target) = use.node.outputs[0].type, use.types
    if isinstance(x, Literal):
        return filled(other, x, None if target.dtype == wanted.dtype else DTYPES[wanted.dtype])
    x = Name("F.broadcast_like")(with_axes(x, max(source.rank, 1), target.rank), other)
    return x.with_keyword("lhs_axes", op.axes).with_keyword("rhs_axes", op.axes) if op.axes else x


def filled(tensor: Expr, number: Literal, dtype: str | None = None) -> Expr:
    """A tensor full of a number, shaped as another is."""
    kind = "ones" if number.value == 1 else "zeros"
    made: Call | Operator = Name(f"F.{kind}_like")(tensor)
    made = made if dtype is None else Name("F.cast")(made, dtype=dtype)
    return made if number.value in (0, 1) else made + number


def with_axes(x: Expr, rank: int, wanted: int) -> Expr:
    """New axes in front."""
    for _ in range(wanted - rank):
        x = Name("F.expand_dims")(x, axis=0)
    return x
