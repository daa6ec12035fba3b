"""The record of what conformance found: `NNSPEC_RECORD=1` writes `nnspec/driver/deviations` anew.

Each target's conformance runs in one process.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from typing import Literal

import numpy as np

from nnspec.driver.deviations import FOLDER, KINDS
from nnspec.graph.weight_map import Array

Kind = Literal["outputs", "training", "gradients"]
ROUNDING = 1e-16
"""What is nearer than this is told as this."""


RECORDS = bool(os.environ.get("NNSPEC_RECORD"))
_found: dict[str, dict[str, dict[str, float]]] = defaultdict(dict)


def note(target: str, op: str, kind: Kind, found: Array, expected: Array) -> None:
    """How far one array is from what it should be, of its scale."""
    rows = _found[target].setdefault(op, {})
    if expected.dtype.kind == "f" and expected.size:
        scale = max(1.0, float(np.abs(expected).max()))
        far = float(np.abs(np.asarray(found, "f8") - expected).max()) / scale
    else:
        far = 0.0
    rows[kind] = max(rows.get(kind, 0.0), far, ROUNDING)
    if RECORDS:
        _write(target)


def _write(target: str) -> None:
    rows = {
        op: {k: float(f"{row[k]:.0e}") for k in KINDS if k in row}
        for op, row in sorted(_found[target].items())
    }
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{target}.json").write_text(json.dumps(rows, indent=1) + "\n")
