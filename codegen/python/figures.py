"""What becomes of a figure's mean over a pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from codegen.python.snippets.summaries import area, ratio
from nnspec.graph.weight_map import Array

SUMMARIES: Mapping[str, Callable[[Array], float]] = {"area": area, "ratio": ratio}


def single(summary: str | None, mean: Array) -> float:
    """One number of the mean, or of several means."""
    return float(mean.item()) if summary is None else SUMMARIES[summary](mean)
