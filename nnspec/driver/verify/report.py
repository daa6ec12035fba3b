"""What a verification found: one row for each tensor and target, and whether all are in bounds."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from nnspec.graph.weight_map import Array
from nnspec.report.source import Span

# For each quantity, the precision in which a target computes it, and how far it may lie from the definition (which
# computes in f64), relative to the tensor's scale, its greatest absolute value.
# f32: one rounding is 6e-8; a sum over a few thousand products, taken in another order, reaches 1e-6.
# f64: one rounding is 1e-16. Gradients and updates are judged there: in f32 a gradient through a ReLU jumps where its
# input is zero to rounding, and Adam divides a gradient by its own size, so that two correct programs part
# by 1e-2 after ten steps. In f64 they do not.
BOUNDS: dict[str, tuple[str, float]] = {
    "outputs": ("f32", 1e-5),
    "outputs in training": ("f64", 1e-9),
    "running statistics": ("f64", 1e-9),
    "loss": ("f32", 1e-5),
    "gradients": ("f64", 1e-9),
    "weights after 1 step": ("f64", 1e-9),
    "weights after 10 steps": ("f64", 1e-9),
    "weights after 100 steps": ("f64", 1e-9),
    # A hundred steps of some roundings each, which later ones carry on.
    "weights after 100 steps in f32": ("f32", 1e-4),
}
DEFINITION = "definition"

# What outputs may differ by in other types: some hundred roundings of f64 in functions that frameworks
# approximate, sixteen of a half, where every op rounds once.
OUTPUTS: dict[str, float] = {"f64": 1e-9, "f32": 1e-5, "f16": 2**-6, "bf16": 2**-3}

# The gradient of a bias is a sum whose terms may cancel to nearly nothing: its error is as large as the
# terms, so its scale is taken to be at least this share of the largest gradient of its network.
CANCELLATION = 1e-1


@dataclass(frozen=True)
class Row:
    """One tensor of one target beside the definition's.

    precision: in which the target computed. relative: greatest absolute difference over the greatest
    absolute value of the definition's. faults: reasons for which it has a bound of its own.
    """

    subject: str
    quantity: str
    precision: str
    tensor: str
    target: str
    absolute: float
    relative: float
    bound: float
    span: Span | None = None
    faults: tuple[str, ...] = ()

    @property
    def agrees(self) -> bool:
        return self.relative <= self.bound

    def bounded(self, bound: float, *faults: str) -> Row:
        """The same, judged by another bound."""
        return replace(self, bound=bound, faults=(*self.faults, *faults))


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

    targets: what ran, the definition first, which judges the others.
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
        subjects = list(dict.fromkeys(row.subject for row in self.rows))
        quantities = list(BOUNDS)
        for row in sorted(
            self.rows, key=lambda r: (subjects.index(r.subject), quantities.index(r.quantity))
        ):
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
                    "precision": r.precision,
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
