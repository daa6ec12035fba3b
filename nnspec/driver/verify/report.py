"""What a verification found: one row for each tensor and target, and whether all are in bounds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nnspec.graph.weight_map import Array
from nnspec.report.source import Span

# Relative to the tensor's scale (its greatest absolute value). Outputs, losses and gradients are of
# f32: one rounding is 6e-8; a sum over a few thousand products, taken in another order, reaches 1e-6.
# The steps of an optimizer are taken in f64. Adam divides a gradient by its own size, so one that is
# nothing but a rounding error moves its weight as far as any other, and in f32 two correct programs
# part by 1e-2 after ten steps. In f64 they do not, and what is left (the step size is an f32 in some
# frameworks) shows whether the formula is the same: 1e-4 is far below what any mistake would leave.
BOUNDS: dict[str, float] = {
    "outputs": 1e-5,
    "loss": 1e-5,
    "gradients": 1e-5,
    "weights after 1 step": 1e-4,
    "weights after 10 steps": 1e-4,
}

# What outputs may differ by in other types: some hundred roundings of f64 in functions that frameworks
# approximate, sixteen of a half, where every op rounds once.
OUTPUTS: dict[str, float] = {"f64": 1e-9, "f32": BOUNDS["outputs"], "f16": 2**-6, "bf16": 2**-3}

# The gradient of a bias is a sum whose terms may cancel to nearly nothing: its error is as large as the
# terms, so its scale is taken to be at least this share of the largest gradient of its network.
CANCELLATION = 1e-1


@dataclass(frozen=True)
class Row:
    """One tensor of one target beside the reference's.

    relative: greatest absolute difference over the greatest absolute value of the reference.
    """

    subject: str
    quantity: str
    tensor: str
    target: str
    reference: str
    absolute: float
    relative: float
    bound: float
    span: Span | None = None

    @property
    def agrees(self) -> bool:
        return self.relative <= self.bound


@dataclass(frozen=True)
class Culprit:
    """The first node whose value differs, in order of evaluation."""

    subject: str
    target: str
    node: str
    relative: float
    span: Span | None


@dataclass(frozen=True)
class Report:
    """Everything compared for one file.

    targets: what ran, the reference of the outputs first.
    skipped: targets that did not run, with the reason.
    notes: what was left out of the comparison, and why.
    """

    path: str
    targets: tuple[str, ...]
    rows: tuple[Row, ...]
    skipped: dict[str, str]
    culprits: tuple[Culprit, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def agrees(self) -> bool:
        return bool(self.rows) and all(row.agrees for row in self.rows)

    def worst(self) -> dict[tuple[str, str], dict[str, Row]]:
        """(subject, quantity) → target → the row that lies furthest apart against its bound."""
        table: dict[tuple[str, str], dict[str, Row]] = {}
        for row in self.rows:
            cell = table.setdefault((row.subject, row.quantity), {})
            old = cell.get(row.target)
            if old is None or row.relative / row.bound > old.relative / old.bound:
                cell[row.target] = row
        return table

    def to_json(self) -> dict[str, object]:
        """For programs: every row, and the verdict."""
        return {
            "file": self.path,
            "agrees": self.agrees,
            "targets": list(self.targets),
            "skipped": self.skipped,
            "notes": list(self.notes),
            "rows": [
                {
                    "subject": r.subject,
                    "quantity": r.quantity,
                    "tensor": r.tensor,
                    "target": r.target,
                    "reference": r.reference,
                    "absolute": r.absolute,
                    "relative": r.relative,
                    "bound": r.bound,
                    "agrees": r.agrees,
                    "location": str(r.span) if r.span else None,
                }
                for r in self.rows
            ],
            "first_difference": [
                {
                    "subject": c.subject,
                    "target": c.target,
                    "node": c.node,
                    "relative": c.relative,
                    "location": str(c.span) if c.span else None,
                }
                for c in self.culprits
            ],
        }


def difference(found: Array, reference: Array, least: float = 0.0) -> tuple[float, float]:
    """Greatest absolute difference, and the same relative to the reference's scale (at least `least`).

    A wrong shape or a NaN that the reference does not have is an infinite difference.
    """
    if found.shape != reference.shape:
        return float("inf"), float("inf")
    if not found.size:
        return 0.0, 0.0
    a, b = found.astype("float64"), reference.astype("float64")
    gap = np.asarray(np.abs(a - b))
    gap[(a == b) | (np.isnan(a) & np.isnan(b))] = 0.0
    absolute = float(np.max(np.where(np.isnan(gap), np.inf, gap)))
    scale = max(float(np.max(np.abs(b), initial=0.0, where=np.isfinite(b))), least)
    if absolute == 0.0:
        return 0.0, 0.0
    return absolute, absolute / scale if scale else float("inf")
