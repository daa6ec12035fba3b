"""Functions on compile-time values: of lists, of numbers, and those that make one into another."""

from __future__ import annotations

import builtins
import math
from collections.abc import Callable
from typing import Any

from nnspec.elaborate.errors import error
from nnspec.elaborate.limits import Budget, check_number
from nnspec.elaborate.values import describe, is_number, is_size
from nnspec.report.source import Span

Builtin = Callable[[list[Any], Span, Budget], Any]
"""Arguments, the place of the call, and what is left to pay for the result."""


def _numbers(name: str, values: Any, span: Span) -> list[Any]:
    if not isinstance(values, (list, tuple, builtins.range)) or not all(map(is_number, values)):
        raise error("E0301", f"`{name}` expects numbers", span, f"found {describe(values)}")
    if not len(values):
        raise error("E0301", f"`{name}` of nothing has no value", span)
    return list(values)


def _only(name: str, arguments: list[Any], span: Span, least: int = 1, most: int = 1) -> None:
    if not least <= len(arguments) <= most:
        wanted = str(least) if least == most else f"{least} to {most}"
        plural = "" if most == 1 else "s"
        raise error(
            "E0304", f"`{name}` takes {wanted} argument{plural}, found {len(arguments)}", span
        )


def _len(arguments: list[Any], span: Span, budget: Budget) -> int:
    _only("len", arguments, span)
    value = arguments[0]
    if not isinstance(value, (list, tuple, str, range)):
        raise error("E0301", "`len` expects a list or a string", span, f"found {describe(value)}")
    return len(value)


def _range(arguments: list[Any], span: Span, budget: Budget) -> builtins.range:
    _only("range", arguments, span, 1, 3)
    for value in arguments:
        if isinstance(value, bool) or not isinstance(value, int):
            ways = (
                "the numbers of the places along an axis are a tensor: `positions(x, axis = 1)`",
            )
            raise error(
                "E0301",
                "`range` expects whole numbers",
                span,
                f"found {describe(value)}",
                helps=ways if is_size(value) else (),
            )
    if len(arguments) == 3 and arguments[2] == 0:
        raise error("E0301", "`range` cannot step by 0", span)
    return builtins.range(*arguments)


def _extreme(name: str, choose: Callable[[Any], Any]) -> Builtin:
    def call(arguments: list[Any], span: Span, budget: Budget) -> Any:
        values = arguments[0] if len(arguments) == 1 else arguments
        return choose(_numbers(name, values, span))

    return call


def _sum(arguments: list[Any], span: Span, budget: Budget) -> Any:
    _only("sum", arguments, span)
    values = arguments[0]
    if isinstance(values, (list, tuple, range)) and not len(values):
        return 0
    total = builtins.sum(_numbers("sum", values, span))
    check_number(total, span)
    return total


def _unary(name: str, function: Callable[[Any], Any]) -> Builtin:
    def call(arguments: list[Any], span: Span, budget: Budget) -> Any:
        _only(name, arguments, span)
        if not is_number(arguments[0]):
            raise error(
                "E0301", f"`{name}` expects a number", span, f"found {describe(arguments[0])}"
            )
        try:
            result = function(arguments[0])
        except (OverflowError, ValueError):
            raise error("E0309", f"`{name}` has no value here", span) from None
        check_number(result, span)
        return result

    return call


def _round(arguments: list[Any], span: Span, budget: Budget) -> Any:
    _only("round", arguments, span, 1, 2)
    if not all(map(is_number, arguments)) or len(arguments) == 2 and abs(arguments[1]) > 300:
        raise error("E0301", "`round` expects a number and digits", span)
    digits = int(arguments[1]) if len(arguments) == 2 else None
    try:
        result = builtins.round(arguments[0], digits)
    except (OverflowError, ValueError):
        raise error("E0309", "`round` has no value here", span) from None
    check_number(result, span)
    return result


def _convert(name: str, function: Callable[[Any], Any]) -> Builtin:
    def call(arguments: list[Any], span: Span, budget: Budget) -> Any:
        _only(name, arguments, span)
        value = arguments[0]
        short = isinstance(value, str) and len(value) < 40
        try:
            if not (is_number(value) or isinstance(value, bool) or short):
                raise ValueError
            result = function(value)
        except (ValueError, OverflowError):
            raise error("E0301", f"`{name}` cannot convert {describe(value)}", span) from None
        check_number(result, span)
        return result

    return call


def _str(arguments: list[Any], span: Span, budget: Budget) -> str:
    _only("str", arguments, span)
    text = show(arguments[0])
    budget.value(text, span)
    return text


def _enumerate(arguments: list[Any], span: Span, budget: Budget) -> list[tuple[Any, ...]]:
    _only("enumerate", arguments, span)
    value = arguments[0]
    if not isinstance(value, (list, tuple, range)):
        raise error("E0301", "`enumerate` expects a list", span, f"found {describe(value)}")
    return _zip([builtins.range(len(value)), value], span, budget)


def _zip(arguments: list[Any], span: Span, budget: Budget) -> list[tuple[Any, ...]]:
    for value in arguments:
        if not isinstance(value, (list, tuple, range)):
            raise error("E0301", "`zip` expects lists", span, f"found {describe(value)}")
    lengths = {len(value) for value in arguments}
    if len(lengths) > 1:
        shown = " and ".join(str(len(value)) for value in arguments)
        raise error("E0301", f"`zip` expects lists of one length, found {shown}", span)
    budget.spend(sum(lengths) * (len(arguments) + 1), span)
    return list(builtins.zip(*arguments, strict=True))


def show(value: Any) -> str:
    """A compile-time value as text, as `str` and the message of `assert` show it."""
    match value:
        case bool():
            return "true" if value else "false"
        case None:
            return "none"
        case list():
            return "[" + ", ".join(map(show, value[:100])) + "]"
        case tuple():
            return "(" + ", ".join(map(show, value[:100])) + ")"
        case str() | int() | float():
            return str(value)
        case range():
            return show(list(value[:100]))
        case _ if is_size(value):
            return str(value)
        case _:
            return describe(value)


BUILTINS: dict[str, Builtin] = {
    "len": _len,
    "range": _range,
    "min": _extreme("min", builtins.min),
    "max": _extreme("max", builtins.max),
    "sum": _sum,
    "abs": _unary("abs", builtins.abs),
    "sqrt": _unary("sqrt", math.sqrt),
    "exp": _unary("exp", math.exp),
    "log": _unary("log", math.log),
    "sin": _unary("sin", math.sin),
    "cos": _unary("cos", math.cos),
    "floor": _unary("floor", math.floor),
    "ceil": _unary("ceil", math.ceil),
    "round": _round,
    "int": _convert("int", builtins.int),
    "float": _convert("float", builtins.float),
    "str": _str,
    "zip": _zip,
    "enumerate": _enumerate,
}

OF_LISTS = frozenset({"len", "zip", "enumerate"})
"""Those that ask nothing of what a list holds: it may be tensors."""
