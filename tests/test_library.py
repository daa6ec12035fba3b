"""The library that ships with nnspec: each block has a doc and an example, and every target computes what the example means."""

from __future__ import annotations

import json

import pytest

import nnspec
from codegen import TARGETS
from nnspec.cli import status
from nnspec.driver.verify.run import verify_all
from nnspec.report.source import Source
from nnspec.syntax.format import format_source
from nnspec.views.reference.library import LibraryBlock, library, library_blocks

BLOCKS = list(library_blocks().values())


def test_names_are_told_apart() -> None:
    assert len(BLOCKS) == sum(len(f.blocks) for f in library().values())


@pytest.mark.parametrize("block", BLOCKS, ids=lambda b: b.name)
def test_is_documented_and_written_for_every_target(block: LibraryBlock) -> None:
    assert block.doc and block.name in block.example
    spec = nnspec.load(block.program)
    assert not spec.lints
    assert format_source(Source("<text>", block.program)) == block.program
    for target in TARGETS.values():
        assert target.emit(spec.program, stem="example", provenance="test").files


@pytest.mark.framework
def test_every_target_computes_what_it_means() -> None:
    """Outputs and gradients of a network's block, trained weights of an optimizer's or a schedule's."""
    programs = [nnspec.load(block.program).program for block in BLOCKS]
    reports = verify_all(programs, list(TARGETS.values()))
    for block, report in zip(BLOCKS, reports, strict=True):
        assert not report.skipped, block.name
        wrong = [row for row in report.rows if not row.agrees]
        assert not wrong, f"{block.name}: {wrong}"
        compared = {row.quantity for row in report.rows}
        assert {"outputs", "gradients"} <= compared, block.name
        assert block.imported or "weights after 10 steps" in compared


def test_the_terminal_shows_it(capsys: pytest.CaptureFixture[str]) -> None:
    """A block with its parameters, example and text; a file with what it holds."""
    assert status(["ops", "SqueezeExcite"]) == 0
    shown = capsys.readouterr().out
    for part in ("from vision import", "activation: any = relu", "gate = hard_sigmoid", "mean(x,"):
        assert part in shown
    assert status(["ops", "text", "--format", "json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    names = {b["name"] for b in shown["blocks"]}
    assert {"TransformerEncoder", "RotaryAttention", "earlier"} <= names
