"""Lays a tree out as `ruff format` would: 88 columns, double quotes, brackets broken from the outside in."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import takewhile

from codegen.python_source import texts
from codegen.python_source.tree import (
    Assign,
    Attribute,
    Augment,
    Blank,
    Call,
    ClassDef,
    Comment,
    Comprehension,
    Conditional,
    Dict,
    Expr,
    Expression,
    For,
    Format,
    FunctionDef,
    If,
    Import,
    Item,
    List,
    Literal,
    Module,
    Name,
    Operator,
    Parameter,
    Return,
    Slice,
    Stmt,
    Tuple,
    Unary,
    Verbatim,
    With,
)

WIDTH = 88
STEP = 4

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
_LEVEL = {symbol: i for i, level in enumerate(_LEVELS, 1) for symbol in level}
_ATOM = len(_LEVELS) + 1


def _level(expression: Expr) -> int:
    match expression:
        case Conditional():
            return 0
        case Operator(symbol):
            return _LEVEL[symbol]
        case Unary("not"):
            return _LEVEL["not"]
        case Unary():
            return _LEVEL["unary"]
        case Literal(int() | float() as value) if not isinstance(value, bool) and value < 0:
            return _LEVEL["unary"]
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


class _Flat:
    """Expressions on one line."""

    def __init__(self, literal: Callable[[Literal], str]) -> None:
        self.literal = literal

    def __call__(self, expression: Expr) -> str:
        match expression:
            case Name(text):
                return text
            case Literal():
                return self.literal(expression)
            case Call(function, arguments, keywords):
                return f"{self.primary(function)}({', '.join(self.arguments(arguments, keywords))})"
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
                level = _LEVEL["not" if symbol == "not" else "unary"]
                return symbol + space + self.within(operand, level)
            case Tuple(elements):
                return f"({self.elements(elements)})"
            case List(elements):
                return f"[{', '.join(map(self, elements))}]"
            case Dict(items):
                return "{" + ", ".join(f"{self(k)}: {self(v)}" for k, v in items) + "}"
            case Comprehension(element, target, iterable):
                return f"[{self(element)} for {self.bare(target)} in {self.within(iterable, 1)}]"
            case Conditional(test, then, otherwise):
                return f"{self.within(then, 1)} if {self.within(test, 1)} else {self(otherwise)}"
            case Format(parts):
                return 'f"' + "".join(map(self.part, parts)) + '"'
            case _:
                return "..."

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
        return f"({text})" if _level(expression) < level else text

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
        symbol, level = expression.symbol, _LEVEL[expression.symbol]
        if symbol == "**":
            left = self.within(expression.left, level + 1)
            right = self.within(expression.right, _LEVEL["unary"])
            tight = _simple_power(expression.left) and _simple_power(expression.right)
            return f"{left}**{right}" if tight else f"{left} ** {right}"
        # Comparisons do not chain here: `(a < b) == c` keeps its parentheses.
        compare = level == _LEVEL["=="]
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


flat = _Flat(literal)
_figures_alike = _Flat(lambda value: literal(value) if isinstance(value.value, str) else "000")


def measure(expression: Expr) -> int:
    """Length on one line, all numbers counted alike, so that it does not depend on their digits."""
    return len(_figures_alike(expression))


def expression_text(expression: Expr, indent: int, column: int, tail: int) -> str:
    """An expression that begins at `column` of a line indented by `indent`; `tail` columns follow it."""
    text = flat(expression)
    if column + len(text) + tail <= WIDTH:
        return text
    return _broken(expression, indent, column) or text


def _broken(expression: Expr, indent: int, column: int) -> str | None:
    """The expression with its outermost brackets broken; None where there are none.

    It begins at `column` of a line that is indented by `indent`.
    """
    inner = indent + STEP
    match expression:
        case Call(function, arguments, keywords) if arguments or keywords:
            line = ", ".join(flat.arguments(arguments, keywords))
            return flat.primary(function) + _bracketed(
                "()",
                line,
                [
                    *(_argument(a, inner, "") for a in arguments),
                    *(_argument(v, inner, f"{k}=") for k, v in keywords),
                ],
                indent,
            )
        case List(elements) if elements:
            return _exploded("[]", [_argument(e, inner, "") for e in elements], indent)
        case Tuple(elements) if elements:
            return _exploded("()", [_argument(e, inner, "") for e in elements], indent)
        case Dict(items) if items:
            return _exploded("{}", [_argument(v, inner, f"{flat(k)}: ") for k, v in items], indent)
        case Comprehension(element, target, iterable):
            clause = f"for {flat.bare(target)} in {flat.within(iterable, 1)}"
            one = f"{flat(element)} {clause}"
            if inner + len(one) > WIDTH:
                one = f"{_argument(element, inner, '')}\n{' ' * inner}{clause}"
            return f"[\n{' ' * inner}{one}\n{' ' * indent}]"
        case Item(value, index) if isinstance(value, (Call, Item, Attribute, List, Tuple)):
            if column + len(flat(value)) + 1 <= WIDTH:
                return f"{flat(value)}[\n{' ' * inner}{flat.bare(index)}\n{' ' * indent}]"
            broken = _broken(value, indent, column)
            return None if broken is None else f"{broken}[{flat.bare(index)}]"
        case Item(value, index):
            text = flat.bare(index)
            return f"{flat.primary(value)}[\n{' ' * inner}{text}\n{' ' * indent}]"
        case Attribute(value, name):
            broken = _broken(value, indent, column)
            return None if broken is None else f"{broken}.{name}"
        case _:
            return None


def _argument(expression: Expr, indent: int, prefix: str) -> str:
    """An element on a line of its own, followed by a comma."""
    text = flat(expression)
    if indent + len(prefix) + len(text) + 1 <= WIDTH:
        return prefix + text
    if isinstance(expression, (Operator, Conditional)):
        return prefix + f"\n{' ' * indent}".join(_pieces(expression, indent))
    return prefix + (_broken(expression, indent, indent + len(prefix)) or text)


def _bracketed(brackets: str, line: str, elements: list[str], indent: int) -> str:
    """All elements on one indented line if they fit there, else one on each."""
    if indent + STEP + len(line) <= WIDTH:
        return f"{brackets[0]}\n{' ' * (indent + STEP)}{line}\n{' ' * indent}{brackets[1]}"
    return _exploded(brackets, elements, indent)


def _exploded(brackets: str, elements: list[str], indent: int) -> str:
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
    level = _LEVEL[expression.symbol]
    left = expression.left
    if isinstance(left, Operator) and _LEVEL[left.symbol] == level and expression.symbol != "**":
        first = _pieces(left, indent)
    else:
        first = [_operand(left, level, indent, "")]
    return [*first, _operand(expression.right, level + 1, indent, f"{expression.symbol} ")]


def _operand(expression: Expr, level: int, indent: int, prefix: str) -> str:
    text = prefix + flat.within(expression, level)
    if indent + len(text) > WIDTH and _level(expression) >= level:
        broken = _broken(expression, indent, indent + len(prefix))
        return prefix + (broken or flat(expression))
    return text


def _omits_parentheses(expression: Expr) -> bool:
    """Whether a too long operation is broken inside its operands: one operator, brackets at the end."""
    match expression:
        case Operator(symbol, left, right) if symbol != "**":
            ends = isinstance(right, (Call, List, Tuple, Dict)) and flat(right)[-2:] not in (
                "()",
                "[]",
                "{}",
            )
            return ends and not isinstance(left, (Operator, Conditional, Unary))
        case _:
            return False


def _inside(expression: Operator, indent: int, column: int) -> str | None:
    """Such an operation: its last brackets broken if what stands before them fits, else its first."""
    before = f"{flat(expression.left)} {expression.symbol} "
    opening = len(re.split(r"(?<=[(\[{])", flat(expression.right), maxsplit=1)[0])
    if column + len(before) + opening <= WIDTH:
        broken = _broken(expression.right, indent, column + len(before))
        return None if broken is None else before + broken
    broken = _broken(expression.left, indent, column)
    end = f" {expression.symbol} {flat(expression.right)}"
    if broken is None or len(broken.rpartition("\n")[2]) + len(end) > WIDTH:
        return None
    return broken + end


def _right_side(expression: Expr, indent: int, prefix: str, tail: str = "") -> str:
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


class _Writer:
    """Statements, each at its indentation."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def put(self, text: str, indent: int) -> None:
        self.lines.append(" " * indent + text)

    def block(self, body: Sequence[Stmt], indent: int) -> None:
        if not any(not isinstance(s, (Comment, Blank)) for s in body):
            body = (*body, Expression(Name("pass")))
        previous: Stmt | None = None
        for statement in body:
            if _apart(previous, statement):
                self.lines.append("")
            self.statement(statement, indent)
            previous = statement

    def statement(self, statement: Stmt, indent: int) -> None:
        match statement:
            case Assign(target, value, annotation, note):
                colon = "" if annotation is None else f": {flat(annotation)}"
                text = _right_side(value, indent, f"{flat.bare(target)}{colon} = ")
                noted = f"{text}  # {note}"
                fits = note and "\n" not in text and indent + len(noted) <= WIDTH
                self.put(noted if fits else text, indent)
            case Augment(target, symbol, value):
                self.put(_right_side(value, indent, f"{flat(target)} {symbol}= "), indent)
            case Expression(value):
                self.put(_right_side(value, indent, ""), indent)
            case Return(None):
                self.put("return", indent)
            case Return(value) if value is not None:
                self.put(_right_side(value, indent, "return "), indent)
            case For(target, iterable, body):
                self.put(_right_side(iterable, indent, f"for {flat.bare(target)} in ", ":"), indent)
                self.block(body, indent + STEP)
            case If():
                self.if_(statement, indent, "if ")
            case With(contexts, body):
                items = [flat(e) + (f" as {flat(n)}" if n else "") for e, n in contexts]
                self.put(f"with {', '.join(items)}:", indent)
                self.block(body, indent + STEP)
            case FunctionDef():
                self.function(statement, indent)
            case ClassDef():
                self.class_(statement, indent)
            case Import(module, name, alias):
                text = f"import {module}" if name is None else f"from {module} import {name}"
                self.put(text + (f" as {alias}" if alias else ""), indent)
            case Comment(text):
                for line in texts.comment(text, WIDTH - indent):
                    self.put(line, indent)
            case Verbatim(text):
                for line in text.strip("\n").split("\n"):
                    self.lines.append(" " * indent + line if line else "")
            case _:
                self.lines.append("")

    def if_(self, statement: If, indent: int, keyword: str) -> None:
        self.put(_right_side(statement.test, indent, keyword, ":"), indent)
        self.block(statement.body, indent + STEP)
        match statement.otherwise:
            case (If() as other,):
                self.if_(other, indent, "elif ")
            case ():
                pass
            case otherwise:
                self.put("else:", indent)
                self.block(otherwise, indent + STEP)

    def function(self, definition: FunctionDef, indent: int) -> None:
        for decorator in definition.decorators:
            self.put(f"@{flat(decorator)}", indent)
        head = f"def {definition.name}"
        tail = f" -> {flat.bare(definition.returns)}:" if definition.returns else ":"
        parameters = [_parameter(p) for p in definition.parameters]
        line = ", ".join(parameters)
        if indent + len(head) + len(line) + 2 + len(tail) > WIDTH and parameters:
            self.put(head + _bracketed("()", line, parameters, indent) + tail, indent)
        else:
            self.put(f"{head}({line}){tail}", indent)
        self.documented(definition.doc, definition.body, indent + STEP, apart=False)

    def class_(self, definition: ClassDef, indent: int) -> None:
        for decorator in definition.decorators:
            self.put(f"@{flat(decorator)}", indent)
        bases = flat.arguments(definition.bases, definition.keywords)
        self.put(
            f"class {definition.name}" + (f"({', '.join(bases)})" if bases else "") + ":", indent
        )
        self.documented(definition.doc, definition.body, indent + STEP, apart=True)

    def documented(
        self, doc: str | None, body: Sequence[Stmt], indent: int, *, apart: bool
    ) -> None:
        if doc:
            self.put(texts.docstring(doc, indent), indent)
            if apart and body:
                self.lines.append("")
        if body or not doc:
            self.block(body, indent)


def _parameter(parameter: Parameter) -> str:
    text = parameter.name
    if parameter.annotation is not None:
        text += f": {flat(parameter.annotation)}"
    if parameter.default is not None:
        space = " " if parameter.annotation is not None else ""
        text += f"{space}={space}{flat(parameter.default)}"
    return text


def _is_definition(statement: Stmt | None) -> bool:
    return isinstance(statement, (FunctionDef, ClassDef))


def _apart(previous: Stmt | None, statement: Stmt) -> bool:
    """Whether an empty line stands between two statements of a body: around definitions."""
    if previous is None or isinstance(previous, Blank) or isinstance(statement, Blank):
        return False
    if isinstance(previous, Comment):
        return False
    return _is_definition(previous) or _is_definition(statement)


def statements_text(body: Sequence[Stmt], indent: int = 0) -> str:
    """The statements as they stand inside a body."""
    writer = _Writer()
    writer.block(body, indent)
    return "\n".join(writer.lines)


def module_source(module: Module) -> str:
    """The text of a file."""
    text = texts.docstring(module.doc, 0) + "\n" if module.doc else ""
    imports = list(takewhile(lambda s: isinstance(s, (Import, Blank)), module.body))
    definitions = module.body[len(imports) :]
    if imports:
        text += ("\n" if text else "") + statements_text(imports) + "\n"
    previous: Stmt | None = None
    for statement in definitions:
        wide = any(isinstance(s, (FunctionDef, ClassDef, Verbatim)) for s in (statement, previous))
        if text and not isinstance(previous, Comment):
            text += (
                "\n\n" if wide or isinstance(statement, If) else "\n" if previous is None else ""
            )
        writer = _Writer()
        writer.statement(statement, 0)
        text += "\n".join(writer.lines) + "\n"
        previous = statement
    return text
