"""Which step of a run led out of the finite numbers: its last stretch is gone through once more, step by step."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from codegen.running import WEIGHTS
from nnspec.driver.training import checkpoints
from nnspec.driver.training.loop import Loop, broken
from nnspec.graph import weight_files
from nnspec.graph.weight_map import Array

BEFORE = "before.safetensors"
"""The weights before the step, in native names, until the parent process makes canonical ones of them."""


def searched(loop: Loop) -> dict[str, Any]:
    """Step, epoch, rows, and the loss or the weights that are no numbers; no step where it does not come again."""
    checkpoint, _ = checkpoints.load(loop.folder)
    assert checkpoint is not None
    loop.restore(checkpoint)
    before = checkpoint.arrays
    for rows, batch in loop.batches():
        # Each step as a pass of its own: a figure of it alone.
        loop.runner.clear()
        loop.runner.step(batch)
        figures = loop.runner.figures()
        loop.place = loop.place.after()
        loss = next((name for name in loop.losses if not math.isfinite(figures[name])), None)
        after, _ = loop.runner.state()
        weights = broken(after)
        if loss or weights:
            _keep(loop, before)
            assert isinstance(rows, np.ndarray)
            return {
                "step": loop.place.step,
                "epoch": loop.place.epoch,
                "rows": rows.tolist(),
                "loss": loss,
                "value": str(figures[loss]) if loss else None,
                "weights": weights,
            }
        before = after
    return {"step": None, "epoch": loop.place.epoch, "loss": None, "weights": []}


def _keep(loop: Loop, arrays: Mapping[str, Array]) -> None:
    own = {name: arrays[name] for name in arrays if name.startswith(f"{WEIGHTS}/")}
    weight_files.content(own)(loop.folder / BEFORE)
