"""Every optimizer of the library: weights after a hundred steps are the definition's on every target."""

from __future__ import annotations

import json
from itertools import groupby

import pytest
from deviations import RECORDS, ROUNDING

from codegen import TARGETS
from nnspec.driver.updates_reference import PATH, TITLES
from nnspec.driver.verify.updates import (
    LAST,
    NO_DECAY,
    OPTIMIZERS,
    SCHEDULES,
    Judged,
    cases,
    judged,
    shortest,
)
from nnspec.views.reference.library import library


def test_the_whole_library_is_there() -> None:
    files = library()
    assert {b.name for b in files["optimizers"].blocks} == set(OPTIMIZERS)
    assert {b.name for b in files["schedules"].blocks} == {n for n in SCHEDULES if n}
    without = {
        b.name
        for b in files["optimizers"].blocks
        if "weight_decay" not in {p.name for p in b.parameters}
    }
    assert without == NO_DECAY


def test_each_option_stands_beside_each_optimizer() -> None:
    for name, group in groupby(cases(), lambda case: case.optimizer):
        written = " ".join(case.written for case in group)
        wanted = {"clip_norm", "clip_value", "accumulate", "every"}
        wanted |= set() if name in NO_DECAY else {"weight_decay", "no_decay"}
        assert all(option in written for option in wanted), name
    short = " ".join(case.written for case in shortest())
    assert all(f"{name}(" in short for name in (*OPTIMIZERS, *filter(None, SCHEDULES)))


@pytest.mark.framework
def test_targets_agree() -> None:
    """With `NNSPEC_RECORD=1` all cases, whose deviations the documentation tells; else each optimizer once."""
    targets = [TARGETS[name] for name in TITLES]
    found = list(judged(targets, None if RECORDS else shortest()))
    wrong = {
        each.case.written: [
            (r.target, r.quantity, r.relative) for r in each.report.rows if not r.agrees
        ]
        for each in found
        if not each.report.agrees
    }
    assert not wrong
    assert not any(each.report.skipped for each in found)
    if RECORDS:
        rows = {each.case.written: {t: _deviations(each, t) for t in TITLES} for each in found}
        PATH.write_text(json.dumps(rows, indent=1) + "\n")


def _deviations(each: Judged, target: str) -> dict[str, float]:
    worst = {p: each.worst(target, p) for p in LAST}
    return {p: float(f"{max(row.relative, ROUNDING):.0e}") for p, row in worst.items() if row}
