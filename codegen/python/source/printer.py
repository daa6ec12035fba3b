"""Lays a tree out as `ruff format` would: 88 columns, double quotes, brackets broken from the outside in."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from codegen.python.source import texts
from codegen.python.source.flat import flat
from codegen.python.source.tree import (
    Assign,
    Augment,
    Blank,
    ClassDef,
    Comment,
    Expression,
    For,
    FunctionDef,
    If,
    Import,
    Module,
    Name,
    Parameter,
    Return,
    Stmt,
    Verbatim,
    With,
)
from codegen.python.source.wrapping import STEP, WIDTH, bracketed, exploded, right_side


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
                text = right_side(value, indent, f"{flat.bare(target)}{colon} = ")
                noted = f"{text}  # {note}"
                fits = note and "\n" not in text and indent + len(noted) <= WIDTH
                self.put(noted if fits else text, indent)
            case Augment(target, symbol, value):
                self.put(right_side(value, indent, f"{flat(target)} {symbol}= "), indent)
            case Expression(value):
                self.put(right_side(value, indent, ""), indent)
            case Return(None):
                self.put("return", indent)
            case Return(value) if value is not None:
                self.put(right_side(value, indent, "return "), indent)
            case For(target, iterable, body):
                self.put(right_side(iterable, indent, f"for {flat.bare(target)} in ", ":"), indent)
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
        self.put(right_side(statement.test, indent, keyword, ":"), indent)
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
        if indent + len(head) + len(line) + 2 + len(tail) > WIDTH:
            head += _parameters(line, parameters, indent)
            last = head.rpartition("\n")[2].lstrip()
            if definition.returns and indent + len(last) + len(tail) > WIDTH:
                tail = right_side(definition.returns, indent, f"{last} -> ", ":").removeprefix(last)
            self.put(head + tail, indent)
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


def _parameters(line: str, parameters: list[str], indent: int) -> str:
    """In brackets, on lines of their own; one alone has its comma."""
    if not parameters:
        return "()"
    if len(parameters) == 1:
        return exploded("()", parameters, indent)
    return bracketed("()", line, parameters, indent)


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
