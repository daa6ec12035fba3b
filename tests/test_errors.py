"""Every file of `cases/errors` says exactly what stands beside it; `NNSPEC_UPDATE=1` writes that anew."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from nnspec.compiler import check
from nnspec.report.codes import explanation, known_codes
from nnspec.report.render import render, to_json

FOLDER = Path(__file__).parent / "cases" / "errors"
HELPERS = {"library_blocks", "imports_cycle_other"}
CASES = sorted(p for p in FOLDER.glob("*.nn") if p.stem not in HELPERS)


def test_corpus_is_large_enough() -> None:
    assert len(CASES) >= 60


@pytest.mark.parametrize("path", CASES, ids=lambda p: p.stem)
def test_message(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FOLDER)
    reporter = check(Path(path.name))
    assert reporter.errors, "every file here is wrong"
    found = render(reporter.diagnostics)
    expected = path.with_suffix(".txt")
    if os.environ.get("NNSPEC_UPDATE"):
        expected.write_text(found)
    assert found == expected.read_text()
    assert "Traceback" not in found
    assert len(to_json(reporter.diagnostics)) == len(reporter.diagnostics)


def test_every_code_of_the_corpus_is_explained() -> None:
    used = {c for p in FOLDER.glob("*.txt") for c in re.findall(r"\[([EW]\d{4})\]", p.read_text())}
    assert used <= set(known_codes())
    for code in used:
        assert len(explanation(code)) > 100
