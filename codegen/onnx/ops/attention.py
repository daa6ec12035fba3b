"""Attention, and numbers of places."""

from __future__ import annotations

import numpy as np

from codegen.onnx.dtypes import DTYPES
from codegen.onnx.lowering import Result
from codegen.onnx.native import Table, Use
from codegen.rules import Form, function, key
from nnspec.catalogue.ops.attention import Attention
from nnspec.catalogue.ops.positions import Positions
from nnspec.graph.graph import Node

FLAG = Form(int, bool)
"""A truth value as 0 or 1."""


def is_native(node: Node) -> bool:
    """With heads and without a window; onnxruntime wants a mask for each place, and computes 64 bits in 32."""
    op, (query, key) = node.op, (v.type for v in node.inputs[:2])
    scores = (query.shape[-2], key.shape[-2])
    in_full = all(v.type.rank == 4 and v.type.shape[2:] == scores for v in node.inputs[3:])
    plain = isinstance(op, Attention) and op.window is None
    return plain and in_full and query.rank == 4 and query.dtype != "f64"


TABLE = Table()
TABLE.add(
    function(
        Attention,
        "Attention",
        key("is_causal", "causal", False, FLAG),
        key("scale", "scale", None),
        legal=is_native,
        since=23,
    )
)


@TABLE.rule
def positions(op: Positions, use: Use, x: str) -> Result:
    to, dtype = use.to, op.dtype_for(use.types[0])
    (size,) = use.node.outputs[0].type.shape
    if isinstance(size, int):
        numbers = to.constant(np.arange(size), "positions")
    else:
        count = to.op("Squeeze", to.size(size), to.shape([0], "axes"))
        numbers = to.op("Range", to.constant(np.int64(0)), count, to.constant(np.int64(1)))
    return numbers if dtype == "i64" else to.op("Cast", numbers, to=DTYPES[dtype])
