"""`+ - * / // % @ **`, comparisons, `and or not`: on numbers, sizes, lists, strings, tensors, layers."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

from nnspec.catalogue.ops import OPS
from nnspec.core.dims import Sym
from nnspec.elaborate.builder import Builder
from nnspec.elaborate.errors import error, located
from nnspec.elaborate.limits import TERM, check_number
from nnspec.elaborate.values import (
    RepeatLayer,
    are_numbers,
    clone,
    describe,
    is_layer,
    is_number,
    is_size,
)
from nnspec.graph.graph import Value
from nnspec.report.diagnostics import SpecError
from nnspec.report.source import Span

TENSOR_OPS = {
    "+": "add", "-": "subtract", "*": "multiply", "/": "divide", "@": "matmul", "**": "power",
    "==": "equal", "!=": "not_equal",
    "<": "less", "<=": "less_equal", ">": "greater", ">=": "greater_equal",
}  # fmt: skip

_IN_OTHER_WORDS = {
    "//": "of numbers with a fraction it is `floor(a / b)`; `cast(a, f32)` makes them, `cast(x, i64)` whole ones again",
    "%": "of numbers with a fraction it is `a - b * floor(a / b)`; `cast(a, f32)` makes them",
}

_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
}
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def binary(builder: Builder, symbol: str, left: Any, right: Any, span: Span) -> Any:
    """The value of `left symbol right`."""
    if (isinstance(left, Value) or isinstance(right, Value)) and not _asks_for_none(
        symbol, left, right
    ):
        return _tensors(builder, symbol, left, right, span)
    if symbol == "*" and is_layer(left):
        return _repeat(builder, left, right, span)
    if symbol in ("==", "!="):
        for side in (left, right):
            builder.budget.value(side, span)
        return (_plain(left) == _plain(right)) == (symbol == "==")
    if symbol in _COMPARISONS:
        both_text = isinstance(left, str) and isinstance(right, str)
        if both_text:
            builder.budget.value(left, span)
        if both_text or is_number(left) and is_number(right):
            return _COMPARISONS[symbol](left, right)
        raise _unfit(symbol, left, right, span)
    if is_number(left) and is_number(right):
        return _numbers(symbol, left, right, span)
    if is_size(left) and is_size(right) and symbol in ("+", "-", "*", "//", "%"):
        return _sizes(builder, symbol, left, right, span)
    if symbol == "+" and _joins(left, right):
        for side in (left, right):
            builder.budget.value(side, span)
        same = type(left) is type(right) and not isinstance(left, range)
        return left + right if same else [*left, *right]
    if (
        symbol == "*"
        and isinstance(left, (list, str))
        and is_number(right)
        and isinstance(right, int)
    ):
        builder.budget.value(left, span, max(right, 0))
        return left * right
    raise _unfit(symbol, left, right, span)


def _joins(left: Any, right: Any) -> bool:
    """Whether two are lists or strings that make a longer one; `x.shape` is a list where it meets one."""
    both = (left, right)
    return any(all(isinstance(v, kind) for v in both) for kind in (str, (list, tuple, range)))


def _asks_for_none(symbol: str, left: Any, right: Any) -> bool:
    """`mask == none`: whether there is a tensor at all is known when compiling."""
    return symbol in ("==", "!=") and (left is None or right is None)


def negate(builder: Builder, value: Any, span: Span) -> Any:
    """The value of `-value`."""
    if isinstance(value, Value):
        return builder.apply(OPS["negative"](), [value], span)[0]
    if is_number(value) or isinstance(value, Sym):
        return -value
    raise error("E0305", f"`-` does not apply to {describe(value)}", span)


def truth(value: Any, span: Span) -> bool:
    """A condition; only true and false are conditions."""
    if isinstance(value, Value):
        raise error(
            "E0305",
            "a condition is decided when compiling, and a tensor is known only when running",
            span,
            f"found {describe(value)}",
            helps=(
                "choose element by element with `where(condition, a, b)`; combine conditions with"
                " `logical_and`, `logical_or`, `logical_not`",
            ),
        )
    if not isinstance(value, bool):
        raise error("E0305", "a condition is true or false", span, f"found {describe(value)}")
    return value


def _tensors(builder: Builder, symbol: str, left: Any, right: Any, span: Span) -> Value:
    name = TENSOR_OPS.get(symbol)
    if name is None or name not in OPS:
        known = ", ".join(f"`{s}`" for s in TENSOR_OPS)
        raise error(
            "E0305",
            f"`{symbol}` does not apply to tensors",
            span,
            f"{describe(left)} {symbol} {describe(right)}",
            helps=(_IN_OTHER_WORDS.get(symbol, f"on tensors there are {known}"),),
        )
    operands = []
    for side, other in ((left, right), (right, left)):
        if is_number(side) and symbol != "@":
            assert isinstance(other, Value)
            side = builder.scalar(side, other.type.dtype, span)
        elif are_numbers(side) and isinstance(other, Value):
            side = builder.table(side, other.type.dtype, span)
        if not isinstance(side, Value):
            raise _unfit(symbol, left, right, span)
        operands.append(side)
    return builder.apply(OPS[name](), operands, span)[0]


def _repeat(builder: Builder, layer: Any, count: Any, span: Span) -> RepeatLayer:
    if isinstance(count, bool) or not isinstance(count, int) or count < 0:
        raise error(
            "E0305",
            "a layer is repeated a whole number of times",
            span,
            f"found {describe(count)}",
        )
    builder.budget.layers(layer, span, count)
    return RepeatLayer(span, [clone(layer) for _ in range(count)])


def _numbers(symbol: str, left: Any, right: Any, span: Span) -> Any:
    if symbol in ("/", "//", "%") and right == 0:
        raise error("E0309", "division by zero", span)
    try:
        if symbol == "**":
            return _power(left, right, span)
        if symbol not in _ARITHMETIC:
            raise _unfit(symbol, left, right, span)
        result = _ARITHMETIC[symbol](left, right)
    except OverflowError:
        raise error("E0309", "the result is too large", span) from None
    check_number(result, span)
    return result


def _power(left: Any, right: Any, span: Span) -> Any:
    if isinstance(left, int) and isinstance(right, int) and right >= 0:
        if abs(left) > 1 and right * math.log2(abs(left)) > 64:
            raise error("E0309", "the result is too large", span)
        result = left**right
        check_number(result, span)
        return result
    if left == 0 and right < 0:
        raise error("E0309", "division by zero", span)
    result = float(left) ** float(right)
    if isinstance(result, complex):
        raise error("E0309", "a negative number has no such power", span)
    return result


def _sizes(builder: Builder, symbol: str, left: Any, right: Any, span: Span) -> Any:
    if symbol in ("//", "%") and right == 0:
        raise error("E0309", "division by zero", span)
    if symbol in ("//", "%") and not isinstance(left, Sym):
        raise _unfit(symbol, left, right, span)
    pairs = math.prod(len(side.terms) for side in (left, right) if isinstance(side, Sym))
    builder.budget.spend(TERM * pairs, span)
    try:
        return _ARITHMETIC[symbol](left, right)
    except SpecError as failure:
        raise located(failure, span) from None


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, range) else value


def _unfit(symbol: str, left: Any, right: Any, span: Span) -> Exception:
    return error(
        "E0305", f"`{symbol}` does not apply to {describe(left)} and {describe(right)}", span
    )
