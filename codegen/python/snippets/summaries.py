"""What makes one number of the means of a pass."""

from __future__ import annotations

import numpy as np


def ratio(means: np.ndarray) -> float:
    """The first over the second; 0 where that would divide by nothing."""
    part, whole = means.tolist()
    return part / whole if whole else 0.0


def area(means: np.ndarray) -> float:
    """Under the curve of the second row, across, and the first, up, in shares of where they begin."""
    up, across = means.astype("float64")
    whole = up[0] * across[0]
    steps = (across[:-1] - across[1:]) * (up[:-1] + up[1:]) / 2
    return float(steps.sum() / whole) if whole else 0.0
