"""Expressions on one line, with as few parentheses as Python needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from codegen.python.source import texts
from codegen.python.source.tree import (
    Attribute,
    Call,
    Complement,
    Comprehension,
    Conditional,
    Dict,
    Expr,
    Format,
    Item,
    List,
    Literal,
    Name,
    Operator,
    Slice,
    Tuple,
    Unary,
)

_LEVELS = (
    ("or",),
    ("and",),
    ("not",),
    ("in", "not in", "is", "is not", "==", "!=", "<", "<=", ">", ">="),
    ("|",),
    ("^",),
    ("&",),
    ("<<", ">>"),
    ("+", "-"),
    ("*", "/", "//", "%", "@"),
    ("unary",),
    ("**",),
)
LEVEL = {symbol: i for i, level in enumerate(_LEVELS, 1) for symbol in level}
_ATOM = len(_LEVELS) + 1


def level_of(expression: Expr) -> int:
    match expression:
        case Conditional():
            return 0
        case Operator(symbol):
            return LEVEL[symbol]
        case Unary("not"):
            return LEVEL["not"]
        case Unary():
            return LEVEL["unary"]
        case Complement():
            return LEVEL["-"]
        case Literal(int() | float() as value) if not isinstance(value, bool) and value < 0:
            return LEVEL["unary"]
        case _:
            return _ATOM


def literal(value: Literal) -> str:
    match value.value:
        case str(text):
            return texts.string(text)
        case float(figure):
            return texts.number(figure)
        case other:
            return repr(other)


class Flat:
    """Expressions on one line."""

    def __init__(self, literal: Callable[[Literal], str]) -> None:
        self.literal = literal

    def __call__(self, expression: Expr) -> str:
        match expression:
            case Name(text):
                return text
            case Complement():
                return f"1 - {texts.number(expression.rest)}"
            case Literal():
                return self.literal(expression)
            case Call(function, arguments):
                given = ", ".join(self.arguments(arguments, expression.given))
                return f"{self.primary(function)}({given})"
            case Attribute(value, name):
                return f"{self.primary(value)}.{name}"
            case Item(value, index):
                return f"{self.primary(value)}[{self.index(index)}]"
            case Slice():
                return self.slice(expression)
            case Operator():
                return self.operator(expression)
            case Unary(symbol, operand):
                space = " " if symbol == "not" else ""
                level = LEVEL["not" if symbol == "not" else "unary"]
                return symbol + space + self.within(operand, level)
            case Tuple(elements):
                return f"({self.elements(elements)})"
            case List(elements):
                return f"[{', '.join(map(self, elements))}]"
            case Dict(items):
                return "{" + ", ".join(f"{self(k)}: {self(v)}" for k, v in items) + "}"
            case Comprehension(element):
                return f"[{self(element)} {' '.join(self.clauses(expression))}]"
            case Conditional(test, then, otherwise):
                return f"{self.within(then, 1)} if {self.within(test, 1)} else {self(otherwise)}"
            case Format(parts):
                return 'f"' + "".join(map(self.part, parts)) + '"'
            case _:
                return "..."

    def clauses(self, loop: Comprehension) -> list[str]:
        """`for x in xs`, for each loop of a comprehension."""
        pairs = ((loop.target, loop.iterable), *loop.more)
        return [f"for {self.bare(x)} in {self.within(xs, 1)}" for x, xs in pairs]

    def arguments(
        self, arguments: Sequence[Expr], keywords: Sequence[tuple[str, Expr]]
    ) -> list[str]:
        return [*map(self, arguments), *(f"{k}={self(v)}" for k, v in keywords)]

    def elements(self, elements: Sequence[Expr]) -> str:
        return ", ".join(map(self, elements)) + ("," if len(elements) == 1 else "")

    def bare(self, expression: Expr) -> str:
        """A tuple without parentheses where they may be left out."""
        if isinstance(expression, Tuple) and len(expression.elements) > 1:
            return self.elements(expression.elements)
        return self(expression)

    def primary(self, expression: Expr) -> str:
        text = self.within(expression, _ATOM)
        number = isinstance(expression, Literal) and isinstance(expression.value, (int, float))
        return f"({text})" if number and not text.startswith("(") else text

    def within(self, expression: Expr, level: int) -> str:
        text = self(expression)
        return f"({text})" if level_of(expression) < level else text

    def index(self, index: Expr) -> str:
        return self.bare(index)

    def slice(self, expression: Slice) -> str:
        parts = [expression.start, expression.stop]
        if expression.step is not None:
            parts.append(expression.step)
        simple = all(p is None or _simple_bound(p) for p in parts)
        if simple:
            return ":".join("" if p is None else self(p) for p in parts)
        text = ""
        for i, part in enumerate(parts):
            if i:
                before = " " if parts[i - 1] is not None else ""
                text += before + ":" + (" " if part is not None else "")
            text += "" if part is None else self(part)
        return text

    def operator(self, expression: Operator) -> str:
        symbol, level = expression.symbol, LEVEL[expression.symbol]
        if symbol == "**":
            left = self.within(expression.left, level + 1)
            right = self.within(expression.right, LEVEL["unary"])
            tight = _simple_power(expression.left) and _simple_power(expression.right)
            return f"{left}**{right}" if tight else f"{left} ** {right}"
        # Comparisons do not chain here: `(a < b) == c` keeps its parentheses.
        compare = level == LEVEL["=="]
        left = self.within(expression.left, level + 1 if compare else level)
        return f"{left} {symbol} {self.within(expression.right, level + 1)}"

    def part(self, part: str | tuple[Expr, str]) -> str:
        if isinstance(part, str):
            return texts.inside(part).replace("{", "{{").replace("}", "}}")
        expression, specification = part
        return "{" + self(expression) + (f":{specification}" if specification else "") + "}"


def _simple_bound(expression: Expr) -> bool:
    if isinstance(expression, Unary):
        return _simple_bound(expression.operand)
    return (
        isinstance(expression, Literal)
        or isinstance(expression, Name)
        and ("." not in expression.text)
    )


def _simple_power(expression: Expr) -> bool:
    match expression:
        case Name():
            return True
        case Literal(value):
            return isinstance(value, (int, float))
        case Attribute(value):
            return isinstance(value, (Name, Attribute)) and _simple_power(value)
        case Unary("-", operand):
            return isinstance(operand, (Name, Literal))
        case _:
            return False


flat = Flat(literal)
_figures_alike = Flat(lambda value: literal(value) if isinstance(value.value, str) else "000")


def measure(expression: Expr) -> int:
    """Length on one line, all numbers counted alike, so that it does not depend on their digits."""
    return len(_figures_alike(expression))
