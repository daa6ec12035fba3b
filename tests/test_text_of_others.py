"""What a spec says stays text: no doc, name, string, file name or setting becomes code or markup."""

from __future__ import annotations

import ast
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import onnx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import nnspec
from nnspec.driver.build import emit
from nnspec.driver.requirements import targets_named
from nnspec.report.diagnostics import SpecError
from nnspec.report.source import Source
from nnspec.syntax.strings import escape
from nnspec.views.drawing import DRAWINGS

SPEC = """\
{doc}

{doc}
block Part(width) {{
  {doc}
  input x
  {doc}
  y = x -> Dense(width, activation = relu)
  output y
}}
{doc}
model {model}(classes = 3) {{
  input {name}: f32[N, 4]
  {doc}
  {layer} = Dense(4)
  output logits = {name} -> {layer} -> Part(8) -> Part(16) -> Dense(classes)
}}
{doc}
train Program(path = "data.npz") {{
  network = {model}()
  batch column: f32[N, 4], label: i64[N]
  {doc}
  logits = network(column)
  {doc}
  minimize cross_entropy(logits, label) using SGD(0.1)
  metric accuracy(logits, label)
  data = npz({path})
  epochs = 1
}}
"""
PLAIN = {"model": "Net", "name": "given", "layer": "first"}
OUTPUTS = [("pytorch", {}), ("keras", {}), ("gluon", {}), ("gluon", {"style": "symbol"})]

EVIL = [
    'Harmless "\u200b""\nimport os; os.system("touch PWNED")\n"\u200b""',
    'a quoted \\"',
    "\\",
    '"',
    '""""',
    '"' * 7,
    "'''\n\\N{BULLET} \\x41 \\u12",
    "\u200b\\\u200b",
    "x" * 80 + ' """',
    "<script>alert(1)</script> & <!-- ]]> &lt; --",
    "$(touch PWNED) `touch PWNED` %(x)s {x} {{",
    "end\nsubgraph x\n%%{init: {}}%%",
    "\x00\x07\x1b[31m\u202e\ufffe\x85\u2028",
    "# coding: utf-7\n# coding: utf-7\n# -*- coding: rot13 -*-",
]
PIECES = [*"\"\\'#\n\r\t %{}<>&`;:\u200b\x0c\x1b", '"""', "coding: utf-7", "\\N{", "x" * 40]
TEXTS = st.one_of(
    st.sampled_from(EVIL),
    st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=3)), max_size=12).map("".join),
)
TAKEN = {
    "class",
    "None",
    "print",
    "self",
    "super",
    "type",
    "torch",
    "nn",
    "F",
    "Tensor",
    "keras",
    "ops",
}
TAKEN |= {"layers", "gluon", "nd", "mx", "forward", "call", "main", "train", "np", "sys", "data"}
NAMES = st.one_of(
    st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,6}", fullmatch=True),
    st.sampled_from(sorted({*TAKEN, "x_", "_x", "__init__", "__class__"})),
)


def written(spec: nnspec.Spec) -> Iterator[ast.Module]:
    """Every Python file of the spec, as Python reads it: from bytes."""
    for target, options in OUTPUTS:
        [found] = targets_named([target])
        for text in emit(spec, found, options).files.values():
            assert isinstance(text, str)
            yield ast.parse(text.encode())


def bones(node: Any) -> Any:
    """The kinds of a tree's nodes, without docstrings and the names that Keras layers are told (where they end in
    a number, say)."""
    if isinstance(node, ast.keyword) and node.arg == "name":
        return None
    if isinstance(node, ast.AST):
        inner = dict(ast.iter_fields(node))
        if (
            isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
            and ast.get_docstring(node) is not None
        ):
            inner["body"] = node.body[1:]
        return [type(node).__name__, *filter(None, map(bones, inner.values()))]
    return [b for n in node if (b := bones(n))] if isinstance(node, list) else None


def strings(tree: ast.Module) -> set[str]:
    """Its string literals without docstrings."""
    alone = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr)}
    return {
        n.value
        for n in ast.walk(tree)
        if isinstance(n, ast.Constant) and isinstance(n.value, str) and id(n) not in alone
    }


def compiled(
    file: str = "file", doc: str = "plain", path: str = '"data.npz"', **names: str
) -> nnspec.Spec:
    text = SPEC.format(**{**PLAIN, **names}, doc=commented(doc), path=path)
    return replace(nnspec.load(text), source=Source(file, text))


def commented(doc: str) -> str:
    return "\n".join(f"## {line}" for line in doc.split("\n"))


REFERENCE = [(bones(tree), strings(tree)) for tree in written(compiled())]


def check_inert(spec: nnspec.Spec, *known: str) -> None:
    """The same statements as ever, and no string but those that are known."""
    for tree, (expected, usual) in zip(written(spec), REFERENCE, strict=True):
        assert bones(tree) == expected
        assert strings(tree) <= usual.union(known)


def check_texts(doc: str, file: str, value: str) -> None:
    """The three at once, the string once written in the spec, once set from outside."""
    file = file.replace("/", "").replace("<", "") or "file"
    try:
        written_out = compiled(file=file, doc=doc, path=escape(value))
    except SpecError:  # a character that a spec's strings cannot hold
        written_out = compiled(file=file, doc=doc)
    check_inert(written_out, written_out.stem, value)
    given = nnspec.load(SPEC.format(**PLAIN, doc="## plain", path="path"), path=value)
    check_inert(replace(given, source=Source("file", "")), value)


@pytest.mark.parametrize("text", EVIL)
def test_evil_text_stays_text(text: str) -> None:
    check_texts(text, text, text)


@settings(max_examples=25, deadline=None)
@given(TEXTS, TEXTS, TEXTS)
def test_any_text_stays_text(doc: str, file: str, value: str) -> None:
    check_texts(doc, file, value)


@settings(max_examples=40, deadline=None)
@example("F", "F", "F")
@example("F", "F", "_0")
@given(NAMES, NAMES, NAMES)
def test_names_are_names(model: str, name: str, layer: str) -> None:
    try:
        spec = compiled(model=model, name=name, layer=layer)
    except SpecError:  # taken, or a word of the language
        return
    for tree, (expected, usual) in zip(written(spec), REFERENCE, strict=True):
        assert bones(tree) == expected
        assert all(re.fullmatch(r"[\w.]+", s) for s in strings(tree) - usual)


@settings(max_examples=40, deadline=None)
@given(TEXTS)
def test_pictures_and_models_hold_text(text: str) -> None:
    """Names come from Python too, and hold anything there."""
    [model] = compiled().models
    graph = replace(model.graph, name=text, output_names=(text,), doc=text)
    svg = ElementTree.fromstring(DRAWINGS["svg"](graph))
    plain = ElementTree.fromstring(DRAWINGS["svg"](model.graph))
    assert [e.tag for e in svg.iter()] == [e.tag for e in plain.iter()]
    assert DRAWINGS["svg"](graph).count("<script") == 0

    string = r'"(?:[^"\\\n]|\\.)*"'
    dot, usual = (re.sub(string, '""', DRAWINGS["dot"](g)) for g in (graph, model.graph))
    assert dot == usual
    mermaid, usual = (
        re.sub('"[^"\n]*"', '""', DRAWINGS["mermaid"](g)) for g in (graph, model.graph)
    )
    assert mermaid == usual
    labels = "".join(re.findall('"([^"\n]*)"', DRAWINGS["mermaid"](graph)))
    assert not re.search(r"[<>&`]|%%", labels.replace("<br/>", ""))


@pytest.mark.parametrize("text", EVIL)
def test_onnx_metadata_is_text(text: str) -> None:
    [target] = targets_named(["onnx"])
    spec = compiled(file="\udc80" + text.replace("/", ""), doc=text)
    [content] = emit(spec, target, {}).files.values()
    assert isinstance(content, bytes)
    model = onnx.load_from_string(content)
    onnx.checker.check_model(model)
    told = [model.graph.doc_string, *(m.value for m in model.metadata_props)]
    assert all(line.isprintable() for t in told for line in t.split("\n"))
