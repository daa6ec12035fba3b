"""How far each target was from the definition when conformance ran, op by op: a record that the tests write.

Deviations are of the scale of what is compared: outputs in evaluation and in training, gradients by every operand and
weight; in f64 where the target computes the op in it, ONNX in f32.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "deviations"
KINDS = ("outputs", "training", "gradients")


@dataclass(frozen=True)
class Deviation:
    """The largest of all uses of an op in one target, by kind of comparison; None where there is nothing to compare."""

    outputs: float | None = None
    training: float | None = None
    gradients: float | None = None

    def __str__(self) -> str:
        return ", ".join(f"{k} {v:.0e}" for k in KINDS if (v := getattr(self, k)) is not None)


@cache
def recorded(target: str) -> Mapping[str, Deviation]:
    """By the name of the op."""
    path = FOLDER / f"{target}.json"
    if not path.exists():
        return {}
    return {name: Deviation(**row) for name, row in json.loads(path.read_text()).items()}
