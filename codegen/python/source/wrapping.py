"""Expressions that are too long for a line, broken as `ruff format` would: from the outside in."""

from __future__ import annotations

import re

from codegen.python.source.flat import LEVEL, flat, level_of
from codegen.python.source.tree import (
    Attribute,
    Call,
    Comprehension,
    Conditional,
    Dict,
    Expr,
    Item,
    List,
    Operator,
    Tuple,
    Unary,
)

WIDTH = 88
STEP = 4


def _broken(expression: Expr, indent: int, column: int) -> str | None:
    """The expression with its outermost brackets broken; None where there are none.

    It begins at `column` of a line that is indented by `indent`.
    """
    inner = indent + STEP
    match expression:
        case Call(function, arguments) if arguments or expression.given:
            line = ", ".join(flat.arguments(arguments, expression.given))
            head = flat.primary(function)
            if column + len(head) + 1 > WIDTH and isinstance(function, Attribute):
                before = _broken(function, indent, column)
                if before is not None and "\n" in before:
                    last = len(before.rpartition("\n")[2])
                    if last + len(line) + 2 <= WIDTH:
                        return f"{before}({line})"
                    head = before
            return head + bracketed(
                "()",
                line,
                [
                    *(_argument(a, inner, "") for a in arguments),
                    *(_argument(v, inner, f"{k}=") for k, v in expression.given),
                ],
                indent,
            )
        case List(elements) if elements:
            return exploded("[]", [_argument(e, inner, "") for e in elements], indent)
        case Tuple(elements) if elements:
            return exploded("()", [_argument(e, inner, "") for e in elements], indent)
        case Dict(items) if items:
            return exploded("{}", [_argument(v, inner, f"{flat(k)}: ") for k, v in items], indent)
        case Comprehension(element):
            clauses = flat.clauses(expression)
            one = " ".join((flat(element), *clauses))
            if inner + len(one) > WIDTH:
                whole = flat(element)  # no comma follows
                made = whole if inner + len(whole) <= WIDTH else _argument(element, inner, "")
                loops = ((expression.target, expression.iterable), *expression.more)
                fitting = [
                    clause if inner + len(clause) <= WIDTH else _clause(*loop, inner)
                    for clause, loop in zip(clauses, loops, strict=True)
                ]
                one = f"\n{' ' * inner}".join((made, *fitting))
            return f"[\n{' ' * inner}{one}\n{' ' * indent}]"
        case Item(value, index) if isinstance(value, (Call, Item, Attribute, List, Tuple)):
            if column + len(flat(value)) + 1 <= WIDTH:
                return flat(value) + _index(index, indent)
            broken = _broken(value, indent, column)
            return None if broken is None else f"{broken}[{flat.bare(index)}]"
        case Item(value, index):
            return flat.primary(value) + _index(index, indent)
        case Unary("*", operand):
            broken = _broken(operand, indent, column + 1)
            return None if broken is None else f"*{broken}"
        case Attribute(value, name):
            broken = _broken(value, indent, column)
            return None if broken is None else f"{broken}.{name}"
        case _:
            return None


def _index(index: Expr, indent: int) -> str:
    """What stands in brackets behind a value, on lines of its own."""
    elements = index.elements if isinstance(index, Tuple) and len(index.elements) > 1 else ()
    line = flat.bare(index)
    inner = indent + STEP
    if not elements:
        return f"[\n{' ' * inner}{line}\n{' ' * indent}]"
    return bracketed("[]", line, [_argument(e, inner, "") for e in elements], indent)


def _clause(target: Expr, iterable: Expr, indent: int) -> str:
    """`for x in [`, and the numbers below: a loop of a comprehension that fills more than a line."""
    head = f"for {flat.bare(target)} in "
    return head + (_broken(iterable, indent, indent + len(head)) or flat.within(iterable, 1))


def _argument(expression: Expr, indent: int, prefix: str) -> str:
    """An element on a line of its own, followed by a comma."""
    text = flat(expression)
    if indent + len(prefix) + len(text) + 1 <= WIDTH:
        return prefix + text
    if isinstance(expression, (Operator, Conditional)):
        return prefix + f"\n{' ' * indent}".join(_pieces(expression, indent))
    return prefix + (_broken(expression, indent, indent + len(prefix)) or text)


def bracketed(brackets: str, line: str, elements: list[str], indent: int) -> str:
    """All elements on one indented line if they fit there, else one on each."""
    if indent + STEP + len(line) <= WIDTH:
        return f"{brackets[0]}\n{' ' * (indent + STEP)}{line}\n{' ' * indent}{brackets[1]}"
    return exploded(brackets, elements, indent)


def exploded(brackets: str, elements: list[str], indent: int) -> str:
    pad = " " * (indent + STEP)
    body = "".join(f"{pad}{element},\n" for element in elements)
    return f"{brackets[0]}\n{body}{' ' * indent}{brackets[1]}"


def _pieces(expression: Expr, indent: int) -> list[str]:
    """The operands of a too long operation, one for each line."""
    if isinstance(expression, Conditional):
        return [
            flat.within(expression.then, 1),
            f"if {flat.within(expression.test, 1)}",
            f"else {flat(expression.otherwise)}",
        ]
    assert isinstance(expression, Operator)
    level = LEVEL[expression.symbol]
    left = expression.left
    if isinstance(left, Operator) and LEVEL[left.symbol] == level and expression.symbol != "**":
        first = _pieces(left, indent)
    else:
        first = [_operand(left, level, indent, "")]
    return [*first, _operand(expression.right, level + 1, indent, f"{expression.symbol} ")]


def _operand(expression: Expr, level: int, indent: int, prefix: str) -> str:
    text = prefix + flat.within(expression, level)
    if indent + len(text) > WIDTH and level_of(expression) >= level:
        broken = _broken(expression, indent, indent + len(prefix))
        return prefix + (broken or flat(expression))
    return text


def _omits_parentheses(expression: Expr) -> bool:
    """Whether a too long operation is broken inside its operands: one operator, brackets at the end."""
    match expression:
        case Operator(symbol, left) if symbol != "**":
            last, level = _end(expression)
            filled = flat(last)[-2:] not in ("()", "[]", "{}")
            ends = isinstance(last, (Call, List, Tuple, Dict)) and filled or _enclosed(last, level)
            several = isinstance(left, Operator) and LEVEL[left.symbol] == LEVEL[symbol]
            return ends and not several and not isinstance(left, (Conditional, Unary))
        case _:
            return False


def _inside(expression: Operator, indent: int, column: int) -> str | None:
    """Such an operation: its last brackets broken if what stands before them fits, else its first."""
    last, level = _end(expression)
    text = flat.within(last, level)
    before = flat(expression).removesuffix(text)
    opening = len(re.split(r"(?<=[(\[{])", text, maxsplit=1)[0])
    if column + len(before) + opening <= WIDTH:
        broken = _last(last, level, indent, column + len(before))
        return None if broken is None else before + broken
    broken = _broken(expression.left, indent, column)
    if broken is None:
        return None
    before = f"{broken} {expression.symbol} "
    column = len(before.rpartition("\n")[2])
    level = LEVEL[expression.symbol] + 1
    text = flat.within(expression.right, level)
    if column + len(text) <= WIDTH:
        return before + text
    right = _last(expression.right, level, indent, column)
    return None if right is None else before + right


def _end(expression: Expr) -> tuple[Expr, int]:
    """What an operation ends with, and the level of what stands before that."""
    level = 0
    while isinstance(expression, Operator) and expression.symbol != "**":
        if _enclosed(expression, level):
            break
        level = LEVEL[expression.symbol] + 1
        expression = expression.right
    return expression, level


def _enclosed(expression: Expr, level: int) -> bool:
    """Whether an operand is an operation in parentheses."""
    return isinstance(expression, Operator) and level_of(expression) < level


def _last(expression: Expr, level: int, indent: int, column: int) -> str | None:
    """The last operand with its brackets broken."""
    if not _enclosed(expression, level):
        return _broken(expression, indent, column)
    pad = " " * (indent + STEP)
    text = flat(expression)
    if len(pad) + len(text) > WIDTH:
        text = f"\n{pad}".join(_pieces(expression, len(pad)))
    return f"(\n{pad}{text}\n{' ' * indent})"


def right_side(expression: Expr, indent: int, prefix: str, tail: str = "") -> str:
    """What follows `x = ` or `return ` in a statement, with parentheses if that is what it takes."""
    text = flat.bare(expression)
    if indent + len(prefix) + len(text) + len(tail) <= WIDTH:
        return prefix + text + tail
    column = indent + len(prefix)
    if isinstance(expression, Operator) and _omits_parentheses(expression):
        inside = _inside(expression, indent, column)
        if inside is not None:
            return prefix + inside + tail
    if isinstance(expression, (Operator, Conditional, Unary)):
        inner = indent + STEP
        text = flat(expression)
        if inner + len(text) > WIDTH and not isinstance(expression, Unary):
            text = f"\n{' ' * inner}".join(_pieces(expression, inner))
        return f"{prefix}(\n{' ' * inner}{text}\n{' ' * indent}){tail}"
    broken = _broken(expression, indent, column)
    if broken is not None:
        return prefix + broken + tail
    if indent + STEP + len(text) <= WIDTH:
        return f"{prefix}(\n{' ' * (indent + STEP)}{text}\n{' ' * indent}){tail}"
    return prefix + text + tail
