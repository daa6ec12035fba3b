"""Axes and sizes."""

from __future__ import annotations

import numpy as np

from codegen.onnx.lowering import Result
from codegen.onnx.native import Table, Use
from codegen.rules import at, function, key
from nnspec.catalogue.ops.arranging import BroadcastTo, Flip, Pad, Split, Tile
from nnspec.catalogue.ops.shaping import Concat, Flatten, Reshape, Slice, Transpose
from nnspec.core.orders import keeps_elements, lay

TABLE = Table()
TABLE.add(
    function(Concat, "Concat", key("axis", "axis")),
    function(BroadcastTo, "Expand", at("shape")),
)

END, START = np.iinfo(np.int64).max, np.iinfo(np.int64).min


@TABLE.rule
def transpose(op: Transpose, use: Use, x: str) -> Result:
    """A reshape where only axes of one element move."""
    order, shape = op.order(use.rank), use.types[0].shape
    if keeps_elements(shape, order):
        return use.to.reshape(x, shape, lay(shape, order))
    return use.to.op("Transpose", x, perm=order)


@TABLE.rule
def flatten(op: Flatten, use: Use, x: str) -> Result:
    to, before = use.to, use.types[0].shape
    if use.rank == 2 or x in to.regrouped:
        return to.reshape(x, before, use.node.outputs[0].type.shape)
    y = to.op("Flatten", x)
    to.regrouped[y] = x, before
    return y


@TABLE.rule
def reshape(op: Reshape, use: Use, x: str) -> Result:
    return use.to.reshape(x, use.types[0].shape, use.node.outputs[0].type.shape)


@TABLE.rule
def slice_(op: Slice, use: Use, x: str) -> Result:
    to, bounds = use.to, list(zip(op.starts, op.ends, op.steps, strict=True))
    cut = [
        i for i, (start, end, step) in enumerate(bounds) if (start or 0, end, step) != (0, None, 1)
    ]
    if cut:
        starts = to.shape([op.starts[i] or 0 for i in cut], "starts")
        ends = to.shape([END if (end := op.ends[i]) is None else end for i in cut], "ends")
        steps = to.shape([op.steps[i] for i in cut], "steps")
        x = to.op("Slice", x, starts, ends, to.shape(cut, "axes"), steps)
    return to.op("Squeeze", x, to.shape(op.squeeze, "axes")) if op.squeeze else x


@TABLE.rule
def flip(op: Flip, use: Use, x: str) -> Result:
    """From the last element down to the first."""
    last, beyond = (use.to.shape((n,) * len(op.axis), "bounds") for n in (-1, START))
    return use.to.op("Slice", x, last, beyond, use.to.shape(op.axis, "axes"), last)


@TABLE.rule
def pad(op: Pad, use: Use, x: str) -> Result:
    """All sizes before, then all after."""
    around = use.to.shape(
        [before for before, _ in op.pads] + [after for _, after in op.pads], "pads"
    )
    if op.mode != "constant":
        return use.to.op("Pad", x, around, mode=op.mode)
    return use.to.op("Pad", x, around, use.number(op.value))


@TABLE.rule
def tile(op: Tile, use: Use, x: str) -> Result:
    return use.to.op("Tile", x, use.to.shape((1,) * (use.rank - len(op.times)) + op.times, "times"))


@TABLE.rule
def split(op: Split, use: Use, x: str) -> Result:
    parts = op.sizes(use.types[0])
    return use.to.results(len(parts), "Split", x, use.to.shape(parts, "parts"), axis=op.axis)
