"""Attention, and numbers of places."""

from __future__ import annotations

from math import log

import numpy as np

from codegen.onnx.dtypes import DTYPES
from codegen.onnx.lowering import Lowering, Result
from codegen.onnx.native import Table, Use
from codegen.rules import Form, function, key
from nnspec.catalogue.ops.attention import Attention
from nnspec.catalogue.ops.positions import Positions, Rotary, even_width
from nnspec.core.dims import Dim
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
    numbers = counted(to, size)
    return numbers if dtype == "i64" else to.op("Cast", numbers, to=DTYPES[dtype])


def counted(to: Lowering, size: Dim) -> str:
    """The numbers of so many places."""
    if isinstance(size, int):
        return to.constant(np.arange(size), "positions")
    count = to.op("Squeeze", to.size(size), to.shape([0], "axes"))
    return to.op("Range", to.constant(np.int64(0)), count, to.constant(np.int64(1)))


def is_turned(node: Node) -> bool:
    """With heads, and in f32: halves would be turned by angles in halves."""
    x = node.inputs[0].type
    return x.rank == 4 and x.dtype == "f32"


TABLE.since[Rotary] = 23
TABLE.legal[Rotary] = is_turned


@TABLE.rule
def rotary(op: Rotary, use: Use, x: str) -> Result:
    """The operator looks angles up by numbers of places, which it wants for each example."""
    to, (count, _, places, _) = use.to, use.types[0].shape
    width = even_width(use.types[0], op.width)
    waves = np.exp(np.arange(width // 2, dtype="f4") * np.float32(-2 * log(op.base) / width))
    numbers = counted(to, places)
    if isinstance(places, int):
        angles = np.arange(places, dtype="f4")[:, None] * waves
        tables = [to.constant(f(angles), name) for f, name in ((np.cos, "cos"), (np.sin, "sin"))]
    else:
        column = to.op("Cast", to.op("Unsqueeze", numbers, to.shape([1], "axes")), to=1)
        turned = to.op("Mul", column, to.constant(waves, "waves"))
        tables = [to.op("Cos", turned), to.op("Sin", turned)]
    each = to.op("Expand", numbers, to.shape([count, places]))
    part = {} if width == use.types[0].shape[-1] else {"rotary_embedding_dim": width}
    return to.op("RotaryEmbedding", x, *tables, each, interleaved=int(op.interleaved), **part)
