"""What an editor builds on: unsaved text, what names stand for, edits that mend."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import nnspec
from nnspec.compiler import analyse, check
from nnspec.elaborate.sources import Sources
from nnspec.report.diagnostics import Suggestion
from nnspec.report.render import to_json
from nnspec.report.source import Span

PARTS = """\
width = 4
block Head(units) {
  input x
  output y = x -> Dense(units) -> relu
}
"""
MAIN = """\
from parts import Head, width as wide

block Unused(k) {
  input x
  output y = x -> Dense(k)
}

model A {
  input x: f32[N, 3]
  input y: f32[N, 3]
  both = concat(x, y)
  output z = both -> Dense(wide) -> Head(units = 2)
}
"""


@pytest.fixture
def main(tmp_path: Path) -> Path:
    (tmp_path / "parts.nn").write_text(PARTS)
    (tmp_path / "main.nn").write_text(MAIN)
    return tmp_path / "main.nn"


def test_unsaved_text_stands_before_what_is_saved(main: Path) -> None:
    parts = main.with_name("parts.nn")
    renamed = Sources({parts: PARTS.replace("Head", "Tail")})
    assert [d.code for d in check(main, sources=renamed).errors] == ["E0904"]
    new = main.with_name("new.nn")
    unsaved = {new: MAIN.replace("parts", "others"), main.with_name("others.nn"): PARTS}
    spec = nnspec.load(new, unsaved=unsaved)
    assert [str(v.type) for v in spec.models[0].graph.outputs] == ["f32[N, 2]"]
    assert not check(main).errors


def test_names_lead_to_where_they_got_their_meaning(main: Path) -> None:
    analysis = analyse(main)
    text, path = analysis.source.text, analysis.source.path
    index = analysis.index

    def origin(word: str, after: str = "") -> Span:
        found = index.definition_at(path, text.index(word, text.index(after)))
        assert found is not None, word
        return found

    wide, head = origin("wide)"), origin("Head(")
    assert (Path(wide.source.path).name, wide.line, wide.text) == ("parts.nn", 1, "width")
    assert (head.line, head.text) == (2, "Head")
    assert origin("Head,") == head and origin("width") == wide
    assert (origin("units =").line, origin("units =").text) == (2, "units")
    assert origin("k)", after="Dense").start == text.index("k)")  # in a block that nothing applies
    assert origin("N", after="input y").start == text.index("N")
    assert [use.line for use in index.uses(origin("x, y"))] == [11]
    assert index.definition_at(path, text.index("concat")) is None


def test_places_have_the_types_of_their_tensors(main: Path) -> None:
    analysis = analyse(main)
    text, path = analysis.source.text, analysis.source.path

    def types(word: str) -> list[str]:
        return [str(t) for t in analysis.index.types_at(path, text.index(word))]

    assert types("both =") == types("both ->") == ["f32[N, 6]"]
    assert types("Dense(wide)") == ["f32[N, 4]"]
    assert types("Head(units") == ["f32[N, 2]"]
    relu = next(s for s in analysis.index.types if s.text == "relu")
    assert [str(t) for t in analysis.index.types[relu]] == ["f32[N, 2]"]


FOLDER = Path(__file__).parent / "cases" / "errors"
SUGGESTED = [
    path.with_suffix(".nn")
    for path in sorted(FOLDER.glob("*.txt"))
    if re.search("did you mean|is called", path.read_text())
]


@pytest.mark.parametrize("path", SUGGESTED, ids=lambda p: p.stem)
def test_what_is_suggested_mends(path: Path) -> None:
    """Every suggestion is an edit, and what it was made for is no longer said once it is carried out."""
    text = path.read_text()
    for diagnostic in check(path).diagnostics:
        if not any(isinstance(help, Suggestion) for help in diagnostic.helps):
            continue
        (edit,) = diagnostic.edits
        mended = text[: edit.span.start] + edit.text + text[edit.span.end :]
        after = check(path, sources=Sources({path: mended})).diagnostics
        assert diagnostic.message not in [d.message for d in after]
        (shown,) = to_json([diagnostic])
        (written,) = shown["edits"]
        assert (written["text"], written["line"]) == (edit.text, edit.span.line)
