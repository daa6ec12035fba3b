"""The grammar and the parser; what a person may write, and what `nnspec fmt` makes of it."""

from __future__ import annotations

import re
import runpy
from dataclasses import fields
from pathlib import Path
from typing import Any

import lark
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import nnspec
from nnspec.compiler import compile_source
from nnspec.report.diagnostics import Reporter
from nnspec.report.source import Source, Span
from nnspec.syntax import lalr, tree
from nnspec.syntax.format import format_source
from nnspec.syntax.parse import parse

ROOT = Path(__file__).parent.parent
SPECS = sorted((ROOT / "specs").glob("*.nn"))
CASES = sorted((Path(__file__).parent / "cases" / "syntax").glob("*.nn"))


def parsed(text: str) -> tree.File:
    reporter = Reporter()
    file = parse(Source("<text>", text), reporter)
    reporter.raise_errors()
    return file


def bare(node: Any) -> Any:
    """A tree without its places."""
    if isinstance(node, tuple):
        return tuple(map(bare, node))
    if isinstance(node, tree.File):
        return node.doc, bare(node.declarations)
    if isinstance(node, tree.Tree):
        return type(node).__name__, *(
            bare(getattr(node, f.name)) for f in fields(node) if f.name != "span"
        )
    return node


GRAMMAR = (ROOT / "grammar" / "nn.lark").read_text()


def test_grammar_has_no_conflict() -> None:
    """lark's strict mode also compares the regular expressions of terminals that may collide."""
    lark.Lark(GRAMMAR, parser="lalr", strict=True, maybe_placeholders=True)


def test_tables_are_those_of_the_grammar() -> None:
    written = runpy.run_path(str(ROOT / "tools" / "grammar.py"))["tables"](GRAMMAR)
    assert (ROOT / "nnspec" / "syntax" / "tables.json").read_text() == written, (
        "run tools/grammar.py"
    )


def test_grammar_knows_no_layer() -> None:
    from nnspec.catalogue.ops import OPS

    words = set(re.findall(r'"([A-Za-z_]\w*)"', (ROOT / "grammar" / "nn.lark").read_text()))
    assert not words & set(OPS)


@pytest.mark.parametrize("path", SPECS, ids=lambda p: p.stem)
def test_specs_are_formatted(path: Path) -> None:
    source = Source(path.name, path.read_text())
    assert format_source(source) == source.text


@pytest.mark.parametrize("path", CASES, ids=lambda p: p.stem)
def test_fixed_points(path: Path) -> None:
    """Files beside this test are as `nnspec fmt` writes them."""
    source = Source(path.name, path.read_text())
    assert format_source(source) == source.text


@pytest.mark.parametrize(
    "text",
    [
        "a = input_size\ninput_size = 3\n",
        "block B(input, weight = 3) {\n  input x\n  output x\n}\n",
        "a = f(input = 3, over = 4).weight\n",
        "a = x[..., 0]\nb = x[:, :-1]\nc = x[1:2:3, 4]\n",
        "a = if b then c else d -> e\n",
        "a = (f -> g) * 3\nb = x -> (f | g | h) -> concat\n",
        "a = -x ** -y\nb = not a and b or c == d\n",
        "a = (1, 2,)\n",
        "## Of the file.\n\n## Of the block.\nblock B {\n  input x, m = 0, p: f32[] = 1\n  output x\n}\n",
        "block B {\n  input x\n  as = x -> Dense(1) as head -> relu as last\n  output as\n}\n",
        "a = x[:, none, 1:n, ids]\n",
        "block B {\n  input x\n  batch = x.shape[0]\n  metric = 2\n  output x\n}\n",
        "train T {\n  for i in range(3) {\n    minimize x over a.b, c using Adam\n  }\n}\n",
        "a = 1\r\nb = 2\r\n",
        "\ufeffa = 1\n",
        "",
    ],
)
def test_what_may_be_written(text: str) -> None:
    parsed(text)


def test_spans_docs_and_comments() -> None:
    text = "# first\n## What it is.\n## More.\nmodel A {\n  input x: f32[N, 8]  # here\n  output x\n}\n# last\n"
    file = parsed(text)
    (model,) = file.declarations
    assert isinstance(model, tree.Block)
    assert model.doc == "What it is.\nMore."
    assert model.span.text.startswith("model A") and model.span.text.endswith("}")
    assert [c.text for c in file.comments] == ["first", "here", "last"]
    assert format_source(Source("x", text)) == text


def test_doc_of_a_file() -> None:
    """An empty line parts it from the doc of the first declaration; elsewhere it has no such force."""
    text = "# first\n## The file.\n##   More.\n\n## A constant.\na = 1\n"
    file = parsed(text)
    assert file.doc == "The file.\n  More."
    assert file.declarations[0].doc == "A constant."
    assert format_source(Source("x", text)) == text
    alone = "# first\n\n## The file.\n\n"
    assert format_source(Source("x", alone + "\n")) == alone and parsed(alone).doc == "The file."
    other = parsed("## One.\na = 1\n## Two.\n\nb = 1\n")
    assert other.doc is None and [d.doc for d in other.declarations] == ["One.", "Two."]


@pytest.mark.parametrize(
    "text",
    [
        f"a = if {'b' * 40} then {'c' * 40} else {'d' * 40}\n",
        f"block B({', '.join(f'{c * 20} = 1' for c in 'abcde')}) {{ input x output x }}\n",
        f"block B {{ input x for i in [{', '.join('abcd' * 5 for _ in range(8))}] {{ x = x }} output x }}\n",
        f"block B {{ input x if {'b' * 60} and {'c' * 60} {{ x = x }} output x }}\n",
    ],
)
def test_long_lines_wrap(text: str) -> None:
    once = format_source(Source("x", text))
    assert max(map(len, once.split("\n"))) <= 100
    assert format_source(Source("x", once)) == once
    assert bare(parsed(once)) == bare(parsed(text))


def test_long_files_and_long_pipes() -> None:
    lines = "\n".join(f"  x{i} = x -> Dense(8) -> relu" for i in range(3000))
    assert len(parsed(f"model A {{\n{lines}\n}}").declarations[0].body) == 3000  # type: ignore[union-attr]
    parsed("a = x" + " -> relu" * 10_000)
    parsed("a = 1" + " + 1" * 10_000)


# --- properties -----------------------------------------------------------------------------------

PLACE = Span(Source("x", ""), 0, 0)
words = st.sampled_from(["x", "y", "Dense", "conv2d", "input_", "weights"])
identifiers = words.map(lambda w: tree.Identifier(PLACE, w))
numbers = st.sampled_from(["0", "1", "10_000", "1e-3", "0.5", "2.5E+4"])
leaves = st.one_of(
    words.map(lambda w: tree.Name(PLACE, w)),
    numbers.map(lambda t: tree.Number(PLACE, float(t) if set(t) & set(".eE") else int(t), t)),
    st.text(max_size=8).map(lambda t: tree.String(PLACE, t.replace("\r", " "))),
    st.sampled_from([True, False, None]).map(lambda v: tree.Literal(PLACE, v)),
)


def _grown(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    several = st.lists(inner, min_size=2, max_size=3).map(tuple)
    argument = st.builds(tree.Argument, st.just(PLACE), st.none() | identifiers, inner)
    bound = st.none() | inner
    return st.one_of(
        st.builds(tree.List, st.just(PLACE), st.lists(inner, max_size=3).map(tuple)),
        st.builds(tree.Tuple, st.just(PLACE), several),
        st.builds(tree.Parallel, st.just(PLACE), several),
        st.builds(tree.Call, st.just(PLACE), inner, st.lists(argument, max_size=3).map(tuple)),
        st.builds(tree.Attribute, st.just(PLACE), inner, identifiers),
        st.builds(
            tree.Index,
            st.just(PLACE),
            inner,
            st.lists(
                st.one_of(
                    inner,
                    st.builds(tree.Slice, st.just(PLACE), bound, bound, bound),
                    st.just(tree.Ellipsis(PLACE)),
                ),
                min_size=1,
                max_size=3,
            ).map(tuple),
        ),
        st.builds(tree.Unary, st.just(PLACE), st.sampled_from(["-", "not"]), inner),
        st.builds(
            tree.Binary,
            st.just(PLACE),
            st.sampled_from(
                [
                    "or",
                    "and",
                    "==",
                    "!=",
                    "<",
                    "<=",
                    ">",
                    ">=",
                    "+",
                    "-",
                    "*",
                    "/",
                    "//",
                    "%",
                    "@",
                    "**",
                ]
            ),
            inner,
            inner,
        ),
        st.builds(tree.Conditional, st.just(PLACE), inner, inner, inner),
        st.builds(
            tree.Pipe,
            st.just(PLACE),
            inner,
            st.one_of(inner, st.builds(tree.Named, st.just(PLACE), inner, identifiers)),
        ),
    )


expressions = st.recursive(leaves, _grown, max_leaves=25)


@settings(max_examples=200, deadline=None)
@given(st.lists(expressions, min_size=1, max_size=4))
def test_any_tree_survives_its_text(values: list[Any]) -> None:
    statements = tuple(
        tree.Constant(PLACE, tree.Identifier(PLACE, f"a{i}"), v) for i, v in enumerate(values)
    )
    from nnspec.syntax.format import format_file

    text = format_file(tree.File(PLACE, statements, ()), Source("x", ""))
    again = parsed(text)
    assert bare(again.declarations) == bare(statements)
    assert format_source(Source("x", text)) == text


TEXTS = [p.read_text() for p in SPECS]


@st.composite
def broken(draw: st.DrawFn) -> str:
    """A spec with some of its tokens lost, doubled, swapped or replaced."""
    tokens = re.findall(r"\s+|\w+|[^\w\s]", draw(st.sampled_from(TEXTS)))
    for _ in range(draw(st.integers(1, 4))):
        i = draw(st.integers(0, len(tokens) - 1))
        j = draw(st.integers(0, len(tokens) - 1))
        match draw(st.integers(0, 4)):
            case 0:
                del tokens[i]
            case 1:
                tokens.insert(i, tokens[j])
            case 2:
                tokens[i], tokens[j] = tokens[j], tokens[i]
            case 3:
                tokens[i] = draw(st.text(max_size=3))
            case _:
                tokens[i] = draw(
                    st.sampled_from(["{", "}", "(", ")", "->", "=", "0", "-1", "[", '"', "#"])
                )
        tokens = tokens or ["x"]
    return "".join(tokens)


def lark_stops(parser: lark.Lark, text: str) -> lalr.Found | None:
    """Where lark stops in a text, and what it would have taken; None where it does not."""
    try:
        parser.parse(text)
    except lark.UnexpectedToken as stop:
        expected = frozenset(stop.accepts or stop.expected)
        if stop.token.type == "$END":
            return lalr.Found(len(text), len(text), "", expected)
        start = stop.token.start_pos or 0
        return lalr.Found(start, start + len(stop.token), str(stop.token), expected)
    except lark.UnexpectedCharacters as stop:
        at = stop.pos_in_stream or 0
        return lalr.Found(at, at + 1, text[at], frozenset(stop.allowed or ()))
    return None


@pytest.fixture(scope="module")
def reference() -> lark.Lark:
    return lark.Lark(GRAMMAR, parser="lalr", maybe_placeholders=True)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(text=broken())
@example(text="a = if b thenc else d\n")
@example(text="## a\n\nb = -1 ** - 2\n# c\n## d\n\nmodel A {}")
def test_the_tables_stop_where_lark_does(reference: lark.Lark, text: str) -> None:
    found = None
    try:
        lalr.parse(text, lalr.rules(lambda name: lambda start, end, parts: None), [])
    except lalr.Unexpected as stop:
        found = stop.found
    assert found == lark_stops(reference, text)


@settings(max_examples=150, deadline=None)
@given(broken())
def test_broken_specs_never_fail_otherwise(text: str) -> None:
    """Whatever the text, there are diagnostics or a program, never an exception."""
    reporter = Reporter()
    program = compile_source(Source("<text>", text), reporter)
    assert reporter.errors or program.models or program.trainings or not text.strip() or program
    from nnspec.report.render import render

    assert "Traceback" not in render(reporter.diagnostics)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_read(text: str) -> None:
    compile_source(Source("<text>", text), Reporter())


@settings(max_examples=60, deadline=None)
@given(broken())
def test_formatting_is_idempotent_where_it_applies(text: str) -> None:
    reporter = Reporter()
    file = parse(Source("x", text), reporter)
    if not reporter.errors:
        once = format_source(Source("x", text))
        assert format_source(Source("x", once)) == once
        assert bare(parsed(once)) == bare(file)
        assert len(parsed(once).comments) == len(file.comments)


def test_api_reads_text() -> None:
    assert nnspec.load("model A {\n  input x: f32[N, 8]\n  output x\n}\n").models[0].name == "A"
