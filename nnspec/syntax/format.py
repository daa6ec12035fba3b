"""`nnspec fmt`: a tree as canonical text. Comments stay, and the text means the same tree."""

from __future__ import annotations

from collections.abc import Sequence

from nnspec.report.diagnostics import Reporter, SpecError, too_deep
from nnspec.report.source import Source
from nnspec.syntax import tree
from nnspec.syntax.parse import parse
from nnspec.syntax.strings import escape

WIDTH = 100
STEP = 2
HANG = 2

(CHOICE, PIPE, OR, AND, NOT, COMPARE, SUM, PRODUCT, SIGN, POWER, POSTFIX) = range(11)
LEVELS = {"or": OR, "and": AND, "+": SUM, "-": SUM, "**": POWER}
LEVELS |= dict.fromkeys(("==", "!=", "<", "<=", ">", ">="), COMPARE)
LEVELS |= dict.fromkeys(("*", "/", "//", "%", "@"), PRODUCT)


def format_source(source: Source) -> str:
    """The canonical text of a source; raises `SpecError` where it has syntax errors."""
    reporter = Reporter()
    file = parse(source, reporter)
    reporter.raise_errors()
    try:
        return format_file(file, source)
    except RecursionError:
        raise SpecError(too_deep(source)) from None


def format_file(file: tree.File, source: Source) -> str:
    """The canonical text of a tree; `source` tells where comments and empty lines stood."""
    writer = _Writer(file, source)
    writer.file_doc(file)
    writer.declarations(file.declarations)
    # The empty line says that a doc comment is of the file, and not of what is to follow it.
    end = "\n\n" if file.doc is not None and not writer.lines[-1] else "\n"
    return "\n".join(writer.lines).strip("\n") + end if writer.lines else ""


class _Writer:
    """Lines so far, and the comments that still wait for their place."""

    def __init__(self, file: tree.File, source: Source) -> None:
        self.source = source
        self.lines: list[str] = []
        self.comments = sorted(file.comments, key=lambda c: c.span.start)
        self.next = 0

    # --- comments and empty lines

    def before(self, start: int, indent: int, first: bool) -> None:
        """Comments that stand before a place, and an empty line where the writer left one."""
        own = self._until(start)
        for comment in own:
            if self._gap(comment.span.start) and not first:
                self._blank()
            self.lines.append(" " * indent + _comment(comment))
            first = False
        if self._gap(start) and not first:
            self._blank()

    def trailing(self, end: int) -> None:
        """A comment behind the statement that ends here, on its last line; inner ones move out."""
        line = self.source.position(max(end - 1, 0))[0]
        behind = [
            c for c in self.comments[self.next :] if c.span.start >= end and c.span.line == line
        ]
        if behind:
            self.next = self.comments.index(behind[-1]) + 1
            self.lines[-1] += "  " + " ".join(map(_comment, behind))

    def _until(self, start: int) -> list[tree.Comment]:
        found = []
        while self.next < len(self.comments) and self.comments[self.next].span.start < start:
            found.append(self.comments[self.next])
            self.next += 1
        return found

    def _gap(self, start: int) -> bool:
        """Whether the line above a place is empty."""
        line = self.source.position(start)[0]
        return line > 1 and not self.source.line(line - 1).strip()

    def _blank(self) -> None:
        if self.lines and self.lines[-1]:
            self.lines.append("")

    # --- declarations

    def file_doc(self, file: tree.File) -> None:
        if file.doc is not None:
            self.before(self.source.text.index("##"), 0, True)
            self.doc(file.doc, 0)
            self._blank()

    def declarations(self, declarations: Sequence[tree.Declaration]) -> None:
        before: tree.Declaration | None = None
        for declaration in declarations:
            simple = isinstance(declaration, (tree.Import, tree.Constant))
            alike = type(before) is type(declaration)
            if before is not None and not (simple and alike):
                self._blank()
            self.before(self._start(declaration), 0, before is None)
            self.declaration(declaration)
            before = declaration
        self.rest(0)

    def rest(self, indent: int, end: int | None = None) -> None:
        """Comments after the last statement of a body (or of the file)."""
        limit = len(self.source.text) + 1 if end is None else end
        for comment in self._until(limit):
            if self._gap(comment.span.start):
                self._blank()
            self.lines.append(" " * indent + _comment(comment))

    def _start(self, node: tree.Declaration | tree.Statement) -> int:
        """Where a declaration begins, its doc comment included."""
        start = node.span.start
        if node.doc is not None:
            for _ in node.doc.split("\n"):
                start = self.source.text.rindex("##", 0, start)
        return start

    def declaration(self, node: tree.Declaration) -> None:
        self.doc(node.doc, 0)
        match node:
            case tree.Import():
                names = [
                    n.name.text + (f" as {n.alias.text}" if n.alias else "") for n in node.names
                ]
                module = ".".join(m.text for m in node.module)
                self.text(f"from {module} import {', '.join(names)}", 0)
                self.trailing(node.span.end)
            case tree.Constant():
                self.text(f"{node.name.text} = {broken(node.value, 0, len(node.name.text) + 3)}", 0)
                self.trailing(node.span.end)
            case tree.Block() | tree.Train():
                word = (
                    "train"
                    if isinstance(node, tree.Train)
                    else "model"
                    if node.is_model
                    else "block"
                )
                name = f"{word} {node.name.text}"
                self.braced(
                    name + parameters(node.parameters, len(name)), node.body, 0, node.span.end
                )

    def braced(self, head: str, body: Sequence[tree.Statement], indent: int, end: int) -> None:
        self.text(head + " {", indent)
        self.body(body, indent + STEP, end)
        self.text("}", indent)
        self.trailing(end)

    def body(self, body: Sequence[tree.Statement], indent: int, end: int) -> None:
        for i, statement in enumerate(body):
            self.before(self._start(statement), indent, i == 0)
            self.statement(statement, indent)
        self.rest(indent, end)

    def doc(self, doc: str | None, indent: int) -> None:
        if doc is not None:
            for line in doc.split("\n"):
                self.lines.append(" " * indent + f"## {line}".rstrip())

    def text(self, text: str, indent: int) -> None:
        first, *rest = text.split("\n")
        self.lines += [" " * indent + first, *rest]

    # --- statements

    def statement(self, node: tree.Statement, indent: int) -> None:
        self.doc(node.doc, indent)
        match node:
            case tree.For():
                names = ", ".join(t.text for t in node.targets)
                head = f"for {names} in "
                head += broken(node.iterable, indent, indent + len(head) + len(" {"))
                self.braced(head, node.body, indent, node.span.end)
            case tree.If():
                self.branch(node, indent)
            case _:
                self.text(simple(node, indent), indent)
                self.trailing(node.span.end)

    def branch(self, node: tree.If, indent: int) -> None:
        head = "if "
        end = node.span.end
        current: tree.If | None = node
        while current is not None:
            following = current.otherwise
            chained = (
                len(following) == 1
                and isinstance(following[0], tree.If)
                and self._is_else_if(following[0])
            )
            stop = _first(following, end)
            at = indent + len(head) + len(" {")
            self.text(f"{head}{broken(current.condition, indent, at)} {{", indent)
            self.body(current.then, indent + STEP, stop)
            if chained:
                (inner,) = following
                assert isinstance(inner, tree.If)
                head, current = "} else if ", inner
                continue
            if following:
                self.text("} else {", indent)
                self.body(following, indent + STEP, end)
            current = None
        self.text("}", indent)
        self.trailing(end)

    def _is_else_if(self, inner: tree.If) -> bool:
        return self.source.text[: inner.span.start].rstrip().endswith("else")


def _first(body: Sequence[tree.Statement], end: int) -> int:
    return body[0].span.start if body else end


def _comment(comment: tree.Comment) -> str:
    return f"# {comment.text}".rstrip()


def simple(node: tree.Statement, indent: int) -> str:
    """A statement without a body."""
    match node:
        case tree.Input(names=names):
            return listed("input ", [typed(n) for n in names], indent)
        case tree.Batch(names=names):
            return listed("batch ", [typed(n) for n in names], indent)
        case tree.Output(values=values):
            return named("output ", values, indent)
        case tree.Metric(values=values):
            return named("metric ", values, indent)
        case tree.Weight():
            head = f"weight {node.name.text}: {tensor_type(node.type)} = "
            return head + broken(node.initializer, indent, indent + len(head))
        case tree.Assign():
            head = ", ".join(t.text for t in node.targets) + " = "
            if len(node.values) == 1:
                return head + broken(node.values[0], indent, indent + len(head))
            return listed(head, [flat(v) for v in node.values], indent)
        case tree.Assert():
            message = f", {flat(node.message)}" if node.message else ""
            at = indent + len("assert ") + len(message)
            return f"assert {broken(node.condition, indent, at)}{message}"
        case tree.Minimize():
            return _minimize(node, indent)
        case _:
            raise TypeError(f"{type(node).__name__} has a body")


def _minimize(node: tree.Minimize, indent: int) -> str:
    over = ", ".join(".".join(p.text for p in path) for path in node.over)
    using = (f"over {over} " if over else "") + "using "
    line = f"minimize {flat(node.loss)} {using}{flat(node.optimizer)}"
    if fits(line, indent):
        return line
    head = "minimize " + broken(node.loss, indent, indent + 9)
    inner = indent + HANG
    return f"{head}\n{' ' * inner}{using}{broken(node.optimizer, inner, inner + len(using))}"


def typed(name: tree.TypedName) -> str:
    kind = f": {tensor_type(name.type)}" if name.type else ""
    return name.name.text + kind + (f" = {flat(name.initial)}" if name.initial else "")


def tensor_type(written: tree.TensorType) -> str:
    return f"{written.dtype.text}[{', '.join(flat(d, SUM) for d in written.shape)}]"


def parameters(found: Sequence[tree.Parameter], column: int) -> str:
    """The parameters of a declaration, behind its name that ends at a column."""
    if not found:
        return ""
    parts = [
        p.name.text
        + (f": {p.type.text}" if p.type else "")
        + (f" = {flat(p.default)}" if p.default is not None else "")
        for p in found
    ]
    line = f"({', '.join(parts)})"
    if column + len(line) + len(" {") <= WIDTH:
        return line
    pad = "\n" + " " * HANG
    return f"({pad}{(',' + pad).join(parts)},\n)"


def named(head: str, values: Sequence[tree.NamedExpr], indent: int) -> str:
    if len(values) == 1:
        name = f"{values[0].name.text} = " if values[0].name else ""
        return head + name + broken(values[0].value, indent, indent + len(head + name))
    parts = [(f"{v.name.text} = " if v.name else "") + flat(v.value) for v in values]
    return listed(head, parts, indent)


def listed(head: str, parts: Sequence[str], indent: int) -> str:
    """Parts behind a word, on lines of their own where one line does not hold them."""
    line = head + ", ".join(parts)
    if fits(line, indent):
        return line
    return head + (",\n" + " " * (indent + HANG)).join(parts)


def fits(text: str, indent: int) -> bool:
    return "\n" not in text and indent + len(text) <= WIDTH


# --- expressions ----------------------------------------------------------------------------------


def broken(expr: tree.Expr, indent: int, column: int) -> str:
    """An expression that begins at a column, over several lines where one does not hold it."""
    line = flat(expr)
    if column + len(line) <= WIDTH:
        return line
    inner = indent + HANG
    pad = "\n" + " " * inner
    match expr:
        case tree.Pipe():
            head, stages = spine(expr)
            parts = [parenthesised(head, PIPE, broken(head, indent, column))]
            parts += ["-> " + parenthesised(s, OR, broken(s, inner, inner + 3)) for s in stages]
            return pad.join(parts)
        case tree.Named(value=value, name=name):
            text = parenthesised(value, OR, broken(value, indent, column))
            return f"{text} as {name.text}"
        case tree.Conditional():
            condition = parenthesised(expr.condition, OR, broken(expr.condition, inner, inner + 3))
            then = broken(expr.then, inner, inner + 5)
            otherwise = broken(expr.otherwise, inner, inner + 5)
            return f"if {condition}{pad}then {then}{pad}else {otherwise}"
        case tree.Call(function=function, arguments=arguments) if arguments:
            items = [
                (f"{a.name.text} = " if a.name else "")
                + broken(a.value, inner, inner + (len(a.name.text) + 3 if a.name else 0))
                for a in arguments
            ]
            return f"{flat(function, POSTFIX)}({pad}{(',' + pad).join(items)},\n{' ' * indent})"
        case tree.List(items=elements) if elements:
            items = [broken(e, inner, inner) for e in elements]
            return f"[{pad}{(',' + pad).join(items)},\n{' ' * indent}]"
        case tree.Tuple(items=elements):
            items = [broken(e, inner, inner) for e in elements]
            return f"({pad}{(',' + pad).join(items)},\n{' ' * indent})"
        case tree.Parallel(branches=branches):
            items = [broken(b, inner + 2, inner + 2) for b in branches]
            return f"({pad}{(pad + '| ').join(items)}\n{' ' * indent})"
        case tree.Binary(operator=operator) if LEVELS[operator] not in (COMPARE, POWER):
            return _broken_sum(expr, indent, column)
        case _:
            return line


def _broken_sum(expr: tree.Binary, indent: int, column: int) -> str:
    """As much as fits on the first line, then each operator on a line of its own."""
    nodes: list[tree.Binary] = []
    head: tree.Expr = expr
    while isinstance(head, tree.Binary) and LEVELS[head.operator] not in (COMPARE, POWER):
        nodes.append(head)
        head = head.left
    lines = [broken(head, indent, column)]
    left, room = head, column + len(flat(head)) <= WIDTH
    for node in reversed(nodes):
        level = LEVELS[node.operator]
        if level_of(left) < level:
            lines = (
                [f"({lines[0]}", *lines[1:-1], f"{lines[-1]})"] if lines[1:] else [f"({lines[0]})"]
            )
        second = f"{node.operator} {flat(node.right, level + 1)}"
        room = room and column + len(lines[0]) + 1 + len(second) <= WIDTH
        if room:
            lines[0] += f" {second}"
        else:
            lines.append(second)
        left = node
    return ("\n" + " " * (indent + HANG)).join(lines)


def spine(expr: tree.Pipe) -> tuple[tree.Expr, list[tree.Expr]]:
    """The head of a pipe and its stages in order; thousands of them are no recursion."""
    stages: list[tree.Expr] = []
    head: tree.Expr = expr
    while isinstance(head, tree.Pipe):
        stages.append(head.function)
        head = head.value
    return head, stages[::-1]


def parenthesised(expr: tree.Expr, least: int, text: str) -> str:
    return text if level_of(expr) >= least else f"({text})"


def flat(expr: tree.Expr, least: int = CHOICE) -> str:
    """An expression on one line, in parentheses where its place binds more tightly."""
    return parenthesised(expr, least, _flat(expr))


def level_of(expr: tree.Expr) -> int:
    match expr:
        case tree.Conditional():
            return CHOICE
        case tree.Pipe():
            return PIPE
        case tree.Named():
            return OR  # where it may stand, behind `->`, it needs no parentheses
        case tree.Binary(operator=operator):
            return LEVELS[operator]
        case tree.Unary(operator=operator):
            return NOT if operator == "not" else SIGN
        case _:
            return POSTFIX


def _flat(expr: tree.Expr) -> str:
    match expr:
        case tree.Name(text=text) | tree.Number(text=text):
            return text
        case tree.String(value=value):
            return escape(value)
        case tree.Literal(value=value):
            return {True: "true", False: "false", None: "none"}[value]
        case tree.List(items=items):
            return f"[{', '.join(map(flat, items))}]"
        case tree.Tuple(items=items):
            return f"({', '.join(map(flat, items))})"
        case tree.Parallel(branches=branches):
            return f"({' | '.join(map(flat, branches))})"
        case tree.Call(function=function, arguments=arguments):
            return f"{flat(function, POSTFIX)}({', '.join(map(_argument, arguments))})"
        case tree.Attribute(value=value, name=name):
            return f"{flat(value, POSTFIX)}.{name.text}"
        case tree.Index(value=value, subscripts=subscripts):
            return f"{flat(value, POSTFIX)}[{', '.join(map(_subscript, subscripts))}]"
        case tree.Unary(operator="not", operand=operand):
            return f"not {flat(operand, NOT)}"
        case tree.Unary(operand=operand):
            return f"-{flat(operand, SIGN)}"
        case tree.Binary():
            return _binary(expr)
        case tree.Conditional():
            then, otherwise = flat(expr.then), flat(expr.otherwise)
            return f"if {flat(expr.condition, OR)} then {then} else {otherwise}"
        case tree.Named(value=value, name=name):
            return f"{flat(value, OR)} as {name.text}"
        case tree.Pipe():
            head, stages = spine(expr)
            return " -> ".join([flat(head, PIPE), *(flat(s, OR) for s in stages)])


def _binary(expr: tree.Binary) -> str:
    level = LEVELS[expr.operator]
    if level == COMPARE:
        return f"{flat(expr.left, SUM)} {expr.operator} {flat(expr.right, SUM)}"
    if level == POWER:
        return f"{flat(expr.left, POSTFIX)}**{flat(expr.right, SIGN)}"
    parts: list[str] = []
    head: tree.Expr = expr
    while isinstance(head, tree.Binary) and LEVELS[head.operator] == level:
        parts += [flat(head.right, level + 1), head.operator]
        head = head.left
    return " ".join([flat(head, level), *reversed(parts)])


def _argument(argument: tree.Argument) -> str:
    return (f"{argument.name.text} = " if argument.name else "") + flat(argument.value)


def _subscript(part: tree.Expr | tree.Slice | tree.Ellipsis) -> str:
    match part:
        case tree.Ellipsis():
            return "..."
        case tree.Slice(start=start, stop=stop, step=step):
            text = f"{flat(start) if start else ''}:{flat(stop) if stop else ''}"
            return text + (f":{flat(step)}" if step else "")
        case _:
            return flat(part)
