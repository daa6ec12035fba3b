"""The reference: what it shows of an op is what the language reads."""

from __future__ import annotations

import json

import pytest
from conformance import uses

import nnspec
from nnspec.catalogue.ops import OPS, Example
from nnspec.cli import status
from nnspec.graph.graph import Node
from nnspec.views.reference.written import statements, use

WRITTEN = [e for e in uses() if not e.op.hidden]


@pytest.mark.parametrize("example", WRITTEN, ids=use)
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
    assert {n for f in listed.values() for n in f} == {n for n, op in OPS.items() if not op.hidden}


def test_a_misspelt_name_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert status(["ops", "softplos"]) == 1
    assert "did you mean `softplus`?" in capsys.readouterr().err
