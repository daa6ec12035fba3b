"""Every spec of the repository: all targets compute the same numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

import nnspec
from nnspec.verify.report import Row, difference

SPECS = sorted((Path(__file__).parent.parent / "specs").glob("*.nn"))

pytestmark = pytest.mark.framework


@pytest.mark.parametrize("path", SPECS, ids=lambda p: p.stem)
def test_targets_agree(path: Path) -> None:
    report = nnspec.load(path).verify()
    wrong = [r for r in report.rows if not r.agrees]
    assert not report.skipped, "every target is installed where the tests run"
    assert set(report.targets) == {"onnx", "pytorch", "keras", "gluon"}
    assert not wrong, "\n".join(_line(r) for r in wrong)
    quantities = {r.quantity for r in report.rows}
    assert "outputs" in quantities or "loss" in quantities


def _line(row: Row) -> str:
    return f"{row.subject} {row.quantity} {row.tensor} {row.target}: {row.relative:.1e}"


def test_difference_sees_what_it_should() -> None:
    import numpy as np

    a = np.array([1.0, -2.0, 3.0])
    assert difference(a, a) == (0.0, 0.0)
    assert difference(a[::-1], a)[1] == pytest.approx(2 / 3)  # sorted they would agree
    assert difference(a[:2], a)[1] == float("inf")
    assert difference(np.array([1.0, np.nan, 3.0]), a)[1] == float("inf")
    assert difference(np.array([1e-9]), np.array([0.0]))[1] == float("inf")
