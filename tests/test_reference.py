"""The reference: what it shows of an op is what the language reads."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from uses import of_ops, uses

import nnspec
from nnspec.catalogue.ops import OPS, Example
from nnspec.cli import status
from nnspec.driver.reference import pages
from nnspec.graph.graph import Node
from nnspec.views.reference.library import library_blocks
from nnspec.views.reference.written import statements

PAGES = Path(__file__).parent.parent / "docs" / "catalogue"
WRITTEN = [e for e in uses() if not e.op.hidden]


@of_ops(WRITTEN)
def test_an_example_is_read_as_what_it_shows(example: Example) -> None:
    spec = nnspec.load(f"model Example {{\n{statements(example)}\n}}")
    (model,) = spec.program.models
    ops = [s.op for s in model.steps if isinstance(s, Node)]
    assert example.op in ops


@pytest.mark.parametrize("name", ["cross_entropy", "Conv2D", "LSTM", "slice"])
def test_the_terminal_shows_every_target(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert status(["ops", name]) == 0
    shown = capsys.readouterr().out
    assert all(title in shown for title in ("PyTorch", "Keras", "Gluon", "ONNX", "Definition"))


def test_programs_read_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert status(["ops", "softplus", "--format", "json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["definition"] == "output 0.5 * x + 0.5 * abs(x) + log1p(exp(-abs(x)))"
    assert shown["targets"]["pytorch"]["form"] == "return F.softplus(x)"
    assert status(["ops", "--format", "json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    written = {n for n, op in OPS.items() if not op.hidden}
    assert {n for f in listed.values() for n in f} == written | set(library_blocks())


def test_a_misspelt_name_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert status(["ops", "softplos"]) == 1
    assert "did you mean `softplus`?" in capsys.readouterr().err


def test_the_pages_are_what_the_declarations_say() -> None:
    """`make reference` writes them."""
    made = pages()
    if os.environ.get("NNSPEC_UPDATE_GOLDEN"):
        PAGES.mkdir(exist_ok=True)
        for name, text in made.items():
            (PAGES / name).write_text(text, encoding="utf-8")
    assert {p.name for p in PAGES.iterdir()} == set(made)
    stale = [n for n, text in made.items() if (PAGES / n).read_text(encoding="utf-8") != text]
    assert not stale, "`make reference` writes them"


def test_no_cell_of_the_matrix_is_empty() -> None:
    """Every op was compared on every target, or there is a reason."""
    rows = (PAGES / "matrix.md").read_text(encoding="utf-8").splitlines()[7:]
    empty = [row for row in rows if "|  |" in row]
    assert not empty
