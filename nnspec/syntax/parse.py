"""Text to tree, by the grammar of `grammar/nn.lark` as `tools/grammar.py` has written it down."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from nnspec.report.diagnostics import Diagnostic, Label, Reporter
from nnspec.report.source import Source, Span
from nnspec.syntax import lalr, tree
from nnspec.syntax.lalr import Token
from nnspec.syntax.strings import unescape

NESTING = 100
"""How deep brackets may nest: no person writes more."""

ERRORS = 30
"""After so many syntax errors the rest of a file says nothing more."""

LARGEST = 2**63 - 1

Children = list[Any]


def parse(source: Source, reporter: Reporter) -> tree.File:
    """The tree of a source. Every syntax error is reported; a statement that holds one is left out."""
    empty = tree.File(Span(source, 0, len(source.text)), (), ())
    if too_deep := _nesting(source):
        reporter.report(too_deep)
        return empty
    text = source.text.removeprefix("\ufeff").rjust(len(source.text))
    for _ in range(ERRORS):
        builder = _Builder(source)
        comments: list[tuple[int, int]] = []
        try:
            file: tree.File = lalr.parse(text, lalr.rules(builder.method), comments)
        except lalr.Unexpected as error:
            # Not imported where nothing is wrong: a check is to feel instant.
            from nnspec.syntax.recovery import blank, explain, statement_range, swallowed

            found = swallowed(text, error.found)
            reporter.report(explain(source, text, found))
            start, end = statement_range(text, found.start)
            text = text[:start] + blank(text[start:end]) + text[end:]
            continue
        for diagnostic in builder.diagnostics:
            reporter.report(diagnostic)
        places = (Span(source, *range) for range in comments)
        notes = tuple(tree.Comment(place, place.text[1:].strip()) for place in places)
        return tree.File(file.span, file.declarations, notes, file.doc)
    return empty


def _doc(lines: Sequence[str]) -> str:
    """The text of `##` lines, without the marks."""
    return "\n".join(line.strip()[2:].removeprefix(" ") for line in lines)


def _nesting(source: Source) -> Diagnostic | None:
    """An error where brackets nest too deep; text in strings and comments counts, which harms nobody."""
    depth = 0
    signs = 0
    for i, c in enumerate(source.text):
        if c in "([{":
            depth += 1
        elif c in ")]}":
            depth = max(depth - 1, 0)
        signs = signs + 1 if c in "-" else signs if c in " \t\r\n" else 0
        if depth > NESTING or signs > NESTING:
            what = "brackets" if depth > NESTING else "signs"
            return Diagnostic(
                "E0109",
                f"{what} nest deeper than {NESTING} levels",
                Label(Span(source, i, i + 1), f"level {NESTING + 1}"),
                helps=("name the inner part with an assignment of its own",),
            )
    return None


class _Builder:
    """What each rule of the grammar becomes, bottom-up: a method has the rule's name or its alias.

    It gets the place of the rule's text, and its parts: what other methods made, tokens, None for what
    was left out. `diagnostics` is what is wrong with numbers and strings.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.diagnostics: list[Diagnostic] = []

    def method(self, name: str) -> lalr.Make:
        build, source = getattr(self, name), self.source
        return lambda start, end, children: build(Span(source, start, end), children)

    def at(self, start: int, end: int) -> Span:
        return Span(self.source, start, end)

    def identifier(self, token: Token) -> tree.Identifier:
        return tree.Identifier(self.at(token.start, token.end), token.text)

    def identifiers(self, tokens: list[Token]) -> tuple[tree.Identifier, ...]:
        return tuple(map(self.identifier, tokens))

    def docs(self, span: Span, children: list[Any]) -> tuple[Span, str | None, list[Any]]:
        """Span without the doc comment, its text, and the other children."""
        lines = [c for c in children if isinstance(c, Token) and c.kind == "DOC"]
        if not lines:
            return span, None, children
        start = lines[-1].end
        source = self.source.text
        while source[start] in " \t\r\n\f" or source[start] == "#":
            if source[start] == "#":  # a comment between the doc and what it belongs to
                start = source.index("\n", start)
            start += 1
        doc = _doc([line.text for line in lines])
        return self.at(start, span.end), doc, children[len(lines) :]

    # --- declarations

    def start(self, span: Span, children: list[Any]) -> tree.File:
        doc, *declarations = children
        text = None if doc is None else _doc(doc.text.strip().split("\n"))
        return tree.File(self.at(0, len(self.source.text)), tuple(declarations), (), text)

    def import_from(self, span: Span, children: list[Any]) -> tree.Import:
        span, doc, (module, *names) = self.docs(span, children)
        return tree.Import(span, module, tuple(names), doc)

    def module(self, span: Span, children: list[Any]) -> tuple[tree.Identifier, ...]:
        return self.identifiers(children)

    def import_name(self, span: Span, children: list[Any]) -> tree.ImportName:
        name, alias = children
        return tree.ImportName(
            span, self.identifier(name), self.identifier(alias) if alias else None
        )

    def constant(self, span: Span, children: list[Any]) -> tree.Constant:
        span, doc, (name, value) = self.docs(span, children)
        return tree.Constant(span, self.identifier(name), value, doc)

    def _block(self, span: Span, children: list[Any], is_model: bool) -> tree.Block:
        span, doc, (name, parameters, body) = self.docs(span, children)
        return tree.Block(span, self.identifier(name), parameters or (), body, is_model, doc)

    def block(self, span: Span, children: list[Any]) -> tree.Block:
        return self._block(span, children, False)

    def model(self, span: Span, children: list[Any]) -> tree.Block:
        return self._block(span, children, True)

    def training(self, span: Span, children: list[Any]) -> tree.Train:
        span, doc, (name, parameters, body) = self.docs(span, children)
        return tree.Train(span, self.identifier(name), parameters or (), body, doc)

    def parameters(self, span: Span, children: list[Any]) -> tuple[tree.Parameter, ...]:
        return tuple(c for c in children if c is not None)

    def parameter(self, span: Span, children: list[Any]) -> tree.Parameter:
        name, kind, default = children
        return tree.Parameter(
            span, self.identifier(name), self.identifier(kind) if kind else None, default
        )

    # --- statements

    def body(self, span: Span, children: list[Any]) -> tuple[tree.Statement, ...]:
        return tuple(children)

    train_body = body

    def input(self, span: Span, children: list[Any]) -> tree.Input:
        span, doc, names = self.docs(span, children)
        return tree.Input(span, tuple(names), doc)

    def batch(self, span: Span, children: list[Any]) -> tree.Batch:
        span, doc, names = self.docs(span, children)
        return tree.Batch(span, tuple(names), doc)

    def typed_name(self, span: Span, children: list[Any]) -> tree.TypedName:
        name, kind, initial = children
        return tree.TypedName(span, self.identifier(name), kind, initial)

    def tensor_type(self, span: Span, children: list[Any]) -> tree.TensorType:
        dtype, *shape = children
        sizes = tuple(s for s in shape if s is not None)
        return tree.TensorType(span, self.identifier(dtype), sizes)

    def output(self, span: Span, children: list[Any]) -> tree.Output:
        span, doc, values = self.docs(span, children)
        return tree.Output(span, tuple(values), doc)

    def metric(self, span: Span, children: list[Any]) -> tree.Metric:
        span, doc, values = self.docs(span, children)
        return tree.Metric(span, tuple(values), doc)

    def named_expr(self, span: Span, children: list[Any]) -> tree.NamedExpr:
        name, value = children
        return tree.NamedExpr(span, self.identifier(name) if name else None, value)

    def weight(self, span: Span, children: list[Any]) -> tree.Weight:
        span, doc, (name, kind, initializer) = self.docs(span, children)
        return tree.Weight(span, self.identifier(name), kind, initializer, doc)

    def names(self, span: Span, children: list[Any]) -> tuple[tree.Identifier, ...]:
        return self.identifiers(children)

    def assign(self, span: Span, children: list[Any]) -> tree.Assign:
        span, doc, (names, *values) = self.docs(span, children)
        return tree.Assign(span, names, tuple(values), doc)

    def loop(self, span: Span, children: list[Any]) -> tree.For:
        span, doc, (names, iterable, body) = self.docs(span, children)
        return tree.For(span, names, iterable, body, doc)

    train_loop = loop

    def branch(self, span: Span, children: list[Any]) -> tree.If:
        span, doc, (condition, then, otherwise) = self.docs(span, children)
        rest = (otherwise,) if isinstance(otherwise, tree.If) else otherwise or ()
        return tree.If(span, condition, then, rest, doc)

    train_branch = branch

    def assertion(self, span: Span, children: list[Any]) -> tree.Assert:
        span, doc, (condition, message) = self.docs(span, children)
        text = self._string(message) if message else None
        return tree.Assert(span, condition, text, doc)

    def minimize(self, span: Span, children: list[Any]) -> tree.Minimize:
        span, doc, (loss, *over, optimizer) = self.docs(span, children)
        return tree.Minimize(span, loss, tuple(t for t in over if t), optimizer, doc)

    def target(self, span: Span, children: list[Any]) -> tuple[tree.Identifier, ...]:
        return self.identifiers(children)

    # --- expressions

    def conditional(self, span: Span, children: list[Any]) -> tree.Conditional:
        return tree.Conditional(span, *children)

    def pipe_to(self, span: Span, children: list[Any]) -> tree.Pipe:
        return tree.Pipe(span, *children)

    def named_stage(self, span: Span, children: list[Any]) -> tree.Named:
        return tree.Named(span, children[0], self.identifier(children[1]))

    def binary(self, span: Span, children: list[Any]) -> tree.Binary:
        left, operator, right = children
        return tree.Binary(span, operator.text, left, right)

    def unary(self, span: Span, children: list[Any]) -> tree.Unary:
        return tree.Unary(span, children[0].text, children[1])

    def call(self, span: Span, children: list[Any]) -> tree.Call:
        return tree.Call(span, children[0], children[1] or ())

    def arguments(self, span: Span, children: list[Any]) -> tuple[tree.Argument, ...]:
        return tuple(children)

    def argument(self, span: Span, children: list[Any]) -> tree.Argument:
        name, value = children
        return tree.Argument(span, self.identifier(name) if name else None, value)

    def attribute(self, span: Span, children: list[Any]) -> tree.Attribute:
        return tree.Attribute(span, children[0], self.identifier(children[1]))

    def index(self, span: Span, children: list[Any]) -> tree.Index:
        return tree.Index(span, children[0], tuple(children[1:]))

    def slice(self, span: Span, children: list[Any]) -> tree.Slice:
        return tree.Slice(span, *children)

    def ellipsis(self, span: Span, children: list[Any]) -> tree.Ellipsis:
        return tree.Ellipsis(span)

    def name(self, span: Span, children: list[Any]) -> tree.Name:
        return tree.Name(span, children[0].text)

    def number(self, span: Span, children: list[Any]) -> tree.Number:
        text = children[0].text
        value: int | float
        if text.endswith("_") or "__" in text or "_." in text or "_e" in text.lower():
            self._report("E0106", f"`{text}` is not a number", span, "`_` stands between digits")
            return tree.Number(span, 1, text)
        whole = not any(c in text for c in ".eE")
        # int() of a long text takes quadratic time: refuse it by its length.
        value = (int(text) if len(text) < 30 else LARGEST + 1) if whole else float(text)
        if value in (float("inf"),) or whole and value > LARGEST:
            kind = "a whole number" if whole else "a number"
            limit = f"{LARGEST}" if whole else "1.8e308"
            self._report("E0107", f"{kind} larger than {limit}", span, "too large")
            value = 1
        return tree.Number(span, value, text)

    def string(self, span: Span, children: list[Any]) -> tree.String:
        return self._string(children[0])

    def _string(self, token: Token) -> tree.String:
        value, wrong = unescape(token.text[1:-1])
        span = self.at(token.start, token.end)
        for offset in wrong:
            at = self.at(span.start + 1 + offset, span.start + 3 + offset)
            self._report(
                "E0105", f"there is no escape `{at.text}`", at, 'only \\" \\\\ \\n and \\t'
            )
        return tree.String(span, value)

    def literal(self, span: Span, children: list[Any]) -> tree.Literal:
        value = {"true": True, "false": False, "none": None}[children[0].text]
        return tree.Literal(span, value)

    # From here on `list` and `tuple` are methods: annotations say `Children`.
    def list(self, span: Span, children: Children) -> tree.List:
        return tree.List(span, tuple(c for c in children if c is not None))

    def group(self, span: Span, children: Children) -> tree.Expr:
        return cast(tree.Expr, children[0])

    def tuple(self, span: Span, children: Children) -> tree.Tuple:
        return tree.Tuple(span, (*children,))

    def parallel(self, span: Span, children: Children) -> tree.Parallel:
        return tree.Parallel(span, (*children,))

    def _report(self, code: str, message: str, span: Span, label: str) -> None:
        self.diagnostics.append(Diagnostic(code, message, Label(span, label)))
