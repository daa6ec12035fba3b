"""The record of what conformance found: `NNSPEC_RECORD=1` writes `nnspec/driver/deviations` anew.

Each target's conformance runs in one process, which writes its file when it ends.
"""

from __future__ import annotations

import atexit
import json
import os
from functools import cache
from typing import Literal

import numpy as np

from nnspec.driver.deviations import FOLDER, KINDS
from nnspec.graph.weight_map import Array

Kind = Literal["outputs", "training", "gradients"]
ROUNDING = 1e-16
"""What is nearer than this is told as this."""


@cache
def _rows(target: str) -> dict[str, dict[str, float]]:
    if os.environ.get("NNSPEC_RECORD"):
        atexit.register(_write, target)
    return {}


def note(target: str, op: str, kind: Kind, found: Array, expected: Array) -> None:
    """How far one array is from what it should be, of its scale."""
    rows = _rows(target).setdefault(op, {})
    if expected.dtype.kind == "f" and expected.size:
        scale = max(1.0, float(np.abs(expected).max()))
        far = float(np.abs(np.asarray(found, "f8") - expected).max()) / scale
    else:
        far = 0.0
    rows[kind] = max(rows.get(kind, 0.0), far, ROUNDING)


def _write(target: str) -> None:
    rows = {
        op: {k: float(f"{row[k]:.0e}") for k in KINDS if k in row}
        for op, row in sorted(_rows(target).items())
    }
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{target}.json").write_text(json.dumps(rows, indent=1) + "\n")
