"""Text to tree. lark stays in this file, its grammar in `grammar/nn.lark`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, cast

import lark
from lark import Token
from lark.tree import Meta
from lark.visitors import Transformer_NonRecursive, v_args

from nnspec.report.diagnostics import Diagnostic, Label, Reporter
from nnspec.report.source import Source, Span
from nnspec.syntax import tree
from nnspec.syntax.recovery import Found, blank, explain, statement_range, swallowed
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
        parser, comments = _parser()
        comments.clear()
        try:
            raw = parser.parse(text)
        except lark.UnexpectedInput as error:
            found = swallowed(text, _found(error, text))
            reporter.report(explain(source, text, found))
            start, end = statement_range(text, found.start)
            text = text[:start] + blank(text[start:end]) + text[end:]
            continue
        file = cast(tree.File, _Builder(source, reporter).transform(raw))
        spans = ((c, Span(source, c.start_pos or 0, c.end_pos or 0)) for c in comments)
        notes = tuple(tree.Comment(span, str(c)[1:].strip()) for c, span in spans)
        return tree.File(file.span, file.declarations, notes, file.doc)
    return empty


@cache
def _parser() -> tuple[lark.Lark, list[Token]]:
    """The parser, and the list that it fills with the comments of the text it reads."""
    # lark keeps the callbacks that it was built with: one list serves every parse.
    comments: list[Token] = []

    def keep(token: Token) -> Token:
        comments.append(token)
        return token

    here = Path(__file__).parent.parent
    packaged = here / "grammar" / "nn.lark"
    path = packaged if packaged.exists() else here.parent / "grammar" / "nn.lark"
    parser = lark.Lark(
        path.read_text(encoding="utf-8"),
        parser="lalr",
        propagate_positions=True,
        maybe_placeholders=True,
        lexer_callbacks={"COMMENT": keep},
    )
    return parser, comments


def _found(error: lark.UnexpectedInput, text: str) -> Found:
    """What lark stumbled over, in words that know nothing of lark."""
    expected: set[str] = set()
    match error:
        case lark.UnexpectedToken(token=token, accepts=accepts, expected=wanted):
            expected = set(accepts or wanted)
            if token.type == "$END":
                return Found(len(text), len(text), "", frozenset(expected))
            start = token.start_pos or 0
            return Found(start, start + len(token), str(token), frozenset(expected))
        case lark.UnexpectedCharacters(pos_in_stream=at, allowed=allowed):
            at = at or 0
            return Found(at, at + 1, text[at : at + 1], frozenset(allowed or ()))
        case _:
            return Found(len(text), len(text), "", frozenset(expected))


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


@v_args(meta=True)
class _Builder(Transformer_NonRecursive):  # type: ignore[type-arg]
    """lark's nodes to ours, bottom-up and without recursion."""

    def __init__(self, source: Source, reporter: Reporter) -> None:
        super().__init__(visit_tokens=False)
        self.source, self.reporter = source, reporter

    def span(self, meta: Meta) -> Span:
        return Span(self.source, meta.start_pos, meta.end_pos) if not meta.empty else self.at(0, 0)

    def at(self, start: int, end: int) -> Span:
        return Span(self.source, start, end)

    def identifier(self, token: Token) -> tree.Identifier:
        return tree.Identifier(self.token_span(token), str(token))

    def identifiers(self, tokens: list[Token]) -> tuple[tree.Identifier, ...]:
        return tuple(map(self.identifier, tokens))

    def token_span(self, token: Token) -> Span:
        return self.at(token.start_pos or 0, token.end_pos or 0)

    def docs(self, meta: Meta, children: list[Any]) -> tuple[Span, str | None, list[Any]]:
        """Span without the doc comment, its text, and the other children."""
        lines = [c for c in children if isinstance(c, Token) and c.type == "DOC"]
        rest = children[len(lines) :]
        text = _doc(lines)
        start = meta.start_pos
        if lines:
            start = lines[-1].end_pos or 0
            source = self.source.text
            while source[start] in " \t\r\n\f" or source[start] == "#":
                if source[start] == "#":  # a comment between the doc and what it belongs to
                    start = source.index("\n", start)
                start += 1
        return self.at(start, meta.end_pos), (text if lines else None), rest

    # --- declarations

    def start(self, meta: Meta, children: list[Any]) -> tree.File:
        doc, *declarations = children
        text = None if doc is None else _doc(str(doc).strip().split("\n"))
        return tree.File(self.at(0, len(self.source.text)), tuple(declarations), (), text)

    def import_from(self, meta: Meta, children: list[Any]) -> tree.Import:
        span, doc, (module, *names) = self.docs(meta, children)
        return tree.Import(span, module, tuple(names), doc)

    def module(self, meta: Meta, children: list[Any]) -> tuple[tree.Identifier, ...]:
        return self.identifiers(children)

    def import_name(self, meta: Meta, children: list[Any]) -> tree.ImportName:
        name, alias = children
        return tree.ImportName(
            self.span(meta), self.identifier(name), self.identifier(alias) if alias else None
        )

    def constant(self, meta: Meta, children: list[Any]) -> tree.Constant:
        span, doc, (name, value) = self.docs(meta, children)
        return tree.Constant(span, self.identifier(name), value, doc)

    def _block(self, meta: Meta, children: list[Any], is_model: bool) -> tree.Block:
        span, doc, (name, parameters, body) = self.docs(meta, children)
        return tree.Block(span, self.identifier(name), parameters or (), body, is_model, doc)

    def block(self, meta: Meta, children: list[Any]) -> tree.Block:
        return self._block(meta, children, False)

    def model(self, meta: Meta, children: list[Any]) -> tree.Block:
        return self._block(meta, children, True)

    def training(self, meta: Meta, children: list[Any]) -> tree.Train:
        span, doc, (name, parameters, body) = self.docs(meta, children)
        return tree.Train(span, self.identifier(name), parameters or (), body, doc)

    def parameters(self, meta: Meta, children: list[Any]) -> tuple[tree.Parameter, ...]:
        return tuple(c for c in children if c is not None)

    def parameter(self, meta: Meta, children: list[Any]) -> tree.Parameter:
        name, kind, default = children
        return tree.Parameter(
            self.span(meta), self.identifier(name), self.identifier(kind) if kind else None, default
        )

    # --- statements

    def body(self, meta: Meta, children: list[Any]) -> tuple[tree.Statement, ...]:
        return tuple(children)

    train_body = body

    def input(self, meta: Meta, children: list[Any]) -> tree.Input:
        span, doc, names = self.docs(meta, children)
        return tree.Input(span, tuple(names), doc)

    def batch(self, meta: Meta, children: list[Any]) -> tree.Batch:
        span, doc, names = self.docs(meta, children)
        return tree.Batch(span, tuple(names), doc)

    def typed_name(self, meta: Meta, children: list[Any]) -> tree.TypedName:
        name, kind, initial = children
        return tree.TypedName(self.span(meta), self.identifier(name), kind, initial)

    def tensor_type(self, meta: Meta, children: list[Any]) -> tree.TensorType:
        dtype, *shape = children
        sizes = tuple(s for s in shape if s is not None)
        return tree.TensorType(self.span(meta), self.identifier(dtype), sizes)

    def output(self, meta: Meta, children: list[Any]) -> tree.Output:
        span, doc, values = self.docs(meta, children)
        return tree.Output(span, tuple(values), doc)

    def metric(self, meta: Meta, children: list[Any]) -> tree.Metric:
        span, doc, values = self.docs(meta, children)
        return tree.Metric(span, tuple(values), doc)

    def named_expr(self, meta: Meta, children: list[Any]) -> tree.NamedExpr:
        name, value = children
        return tree.NamedExpr(self.span(meta), self.identifier(name) if name else None, value)

    def weight(self, meta: Meta, children: list[Any]) -> tree.Weight:
        span, doc, (name, kind, initializer) = self.docs(meta, children)
        return tree.Weight(span, self.identifier(name), kind, initializer, doc)

    def names(self, meta: Meta, children: list[Any]) -> tuple[tree.Identifier, ...]:
        return self.identifiers(children)

    def assign(self, meta: Meta, children: list[Any]) -> tree.Assign:
        span, doc, (names, *values) = self.docs(meta, children)
        return tree.Assign(span, names, tuple(values), doc)

    def loop(self, meta: Meta, children: list[Any]) -> tree.For:
        span, doc, (names, iterable, body) = self.docs(meta, children)
        return tree.For(span, names, iterable, body, doc)

    train_loop = loop

    def branch(self, meta: Meta, children: list[Any]) -> tree.If:
        span, doc, (condition, then, otherwise) = self.docs(meta, children)
        rest = (otherwise,) if isinstance(otherwise, tree.If) else otherwise or ()
        return tree.If(span, condition, then, rest, doc)

    train_branch = branch

    def assertion(self, meta: Meta, children: list[Any]) -> tree.Assert:
        span, doc, (condition, message) = self.docs(meta, children)
        text = self._string(message) if message else None
        return tree.Assert(span, condition, text, doc)

    def minimize(self, meta: Meta, children: list[Any]) -> tree.Minimize:
        span, doc, (loss, *over, optimizer) = self.docs(meta, children)
        return tree.Minimize(span, loss, tuple(t for t in over if t), optimizer, doc)

    def target(self, meta: Meta, children: list[Any]) -> tuple[tree.Identifier, ...]:
        return self.identifiers(children)

    # --- expressions

    def conditional(self, meta: Meta, children: list[Any]) -> tree.Conditional:
        return tree.Conditional(self.span(meta), *children)

    def pipe_to(self, meta: Meta, children: list[Any]) -> tree.Pipe:
        return tree.Pipe(self.span(meta), *children)

    def named_stage(self, meta: Meta, children: list[Any]) -> tree.Named:
        return tree.Named(self.span(meta), children[0], self.identifier(children[1]))

    def binary(self, meta: Meta, children: list[Any]) -> tree.Binary:
        left, operator, right = children
        return tree.Binary(self.span(meta), str(operator), left, right)

    def unary(self, meta: Meta, children: list[Any]) -> tree.Unary:
        return tree.Unary(self.span(meta), str(children[0]), children[1])

    def call(self, meta: Meta, children: list[Any]) -> tree.Call:
        return tree.Call(self.span(meta), children[0], children[1] or ())

    def arguments(self, meta: Meta, children: list[Any]) -> tuple[tree.Argument, ...]:
        return tuple(children)

    def argument(self, meta: Meta, children: list[Any]) -> tree.Argument:
        name, value = children
        return tree.Argument(self.span(meta), self.identifier(name) if name else None, value)

    def attribute(self, meta: Meta, children: list[Any]) -> tree.Attribute:
        return tree.Attribute(self.span(meta), children[0], self.identifier(children[1]))

    def index(self, meta: Meta, children: list[Any]) -> tree.Index:
        return tree.Index(self.span(meta), children[0], tuple(children[1:]))

    def slice(self, meta: Meta, children: list[Any]) -> tree.Slice:
        return tree.Slice(self.span(meta), *children)

    def ellipsis(self, meta: Meta, children: list[Any]) -> tree.Ellipsis:
        return tree.Ellipsis(self.span(meta))

    def name(self, meta: Meta, children: list[Any]) -> tree.Name:
        return tree.Name(self.span(meta), str(children[0]))

    def number(self, meta: Meta, children: list[Any]) -> tree.Number:
        text = str(children[0])
        span = self.span(meta)
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

    def string(self, meta: Meta, children: list[Any]) -> tree.String:
        return self._string(children[0])

    def _string(self, token: Token) -> tree.String:
        value, wrong = unescape(str(token)[1:-1])
        span = self.token_span(token)
        for offset in wrong:
            at = self.at(span.start + 1 + offset, span.start + 3 + offset)
            self._report(
                "E0105", f"there is no escape `{at.text}`", at, 'only \\" \\\\ \\n and \\t'
            )
        return tree.String(span, value)

    def literal(self, meta: Meta, children: list[Any]) -> tree.Literal:
        value = {"true": True, "false": False, "none": None}[str(children[0])]
        return tree.Literal(self.span(meta), value)

    # From here on `list` and `tuple` are methods: annotations say `Children`.
    def list(self, meta: Meta, children: Children) -> tree.List:
        return tree.List(self.span(meta), tuple(c for c in children if c is not None))

    def group(self, meta: Meta, children: Children) -> tree.Expr:
        return cast(tree.Expr, children[0])

    def tuple(self, meta: Meta, children: Children) -> tree.Tuple:
        return tree.Tuple(self.span(meta), (*children,))

    def parallel(self, meta: Meta, children: Children) -> tree.Parallel:
        return tree.Parallel(self.span(meta), (*children,))

    def _report(self, code: str, message: str, span: Span, label: str) -> None:
        self.reporter.report(Diagnostic(code, message, Label(span, label)))
