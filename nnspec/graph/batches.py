"""What a training program asks of its batches."""

from __future__ import annotations

from collections.abc import Collection

from nnspec.catalogue.ops.normalization import BatchNorm
from nnspec.core.dims import Dim
from nnspec.graph.graph import Call, Value, walk
from nnspec.graph.training import Training


def normalises_rows(training: Training) -> bool:
    """Whether a batch norm of a step normalises over the rows of the batch alone."""
    for step in training.steps:
        if isinstance(step, Call):
            rows = {v.type.shape[0] for v in step.body.inputs if v.type.rank}
            norms = (n for n in walk(step.body) if isinstance(n.op, BatchNorm))
            if any(_rows_alone(norm.inputs[0], rows) for norm in norms):
                return True
    return False


def _rows_alone(value: Value, rows: Collection[Dim]) -> bool:
    """Whether a row has one value of each feature: `[N, C]`, or `[N, 1, 1, C]`."""
    first, *others = value.type.shape[:-1]
    return first in rows and all(size == 1 for size in others)
