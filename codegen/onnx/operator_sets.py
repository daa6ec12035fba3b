"""The operator sets of ONNX, each with what it has of all families."""

from __future__ import annotations

from functools import cache

from codegen.onnx.native import Operators, operators
from codegen.onnx.ops import (
    activations,
    arrays,
    attention,
    dense,
    losses,
    normalization,
    norms,
    numbers,
    random,
    recurrent,
    reductions,
    resizing,
    shaping,
    sliding,
)

FAMILIES = (
    activations, numbers, reductions, shaping, arrays, dense, normalization, norms, sliding, recurrent, losses, random, resizing,
    attention,
)  # fmt: skip

IR_VERSIONS = {17: 8, 18: 8, 19: 9, 20: 10, 21: 10, 22: 10, 23: 11, 24: 12}
"""For each opset, an IR version that the first runtimes of that opset load (20: what torch writes)."""


@cache
def operator_set(opset: int) -> Operators:
    """What this one has."""
    return operators([family.TABLE for family in FAMILIES], opset)
