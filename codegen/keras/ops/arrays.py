"""Elements in order, by their numbers, and beside each other."""

from __future__ import annotations

from itertools import accumulate

from codegen.keras.dtypes import DTYPES
from codegen.keras.ops.reduction import ONE
from codegen.python.dialect import Result
from codegen.python.native import Table, Use
from codegen.python.source import Expr, Literal, Name, Tuple
from codegen.rewrites import along_last, in_rows, scatter_in_rows, topk_along_last
from codegen.rules import at, function, key
from nnspec.catalogue.ops.arranging import (
    BroadcastTo,
    ExpandDims,
    Flip,
    Repeat,
    Split,
    Squeeze,
    Stack,
    Tile,
)
from nnspec.catalogue.ops.einsum import Einsum
from nnspec.catalogue.ops.indexing import Gather, OneHot, ScatterAdd
from nnspec.catalogue.ops.positions import Positions
from nnspec.catalogue.ops.random import RandomUniform
from nnspec.catalogue.ops.search import CumSum, Sort, TopK

TABLE = Table()
TABLE.add(
    function(CumSum, "ops.cumsum", key("axis", "axis")),
    function(Flip, "ops.flip", key("axis", "axis", form=ONE)),
    function(ExpandDims, "ops.expand_dims", key("axis", "axis")),
    function(Tile, "ops.tile", at("times")),
    function(Repeat, "ops.repeat", at("times"), key("axis", "axis")),
    function(Gather, "ops.take", key("axis", "axis")),
)
TABLE.legal[TopK] = along_last
TABLE.rewrites[TopK] = topk_along_last
TABLE.legal[ScatterAdd] = in_rows
TABLE.rewrites[ScatterAdd] = scatter_in_rows


@TABLE.rule
def topk(op: TopK, use: Use, x: Expr) -> Result:
    """Keras's places are i32."""
    found = use.forward.name(Name("ops.top_k")(x, op.k), "found")
    return found[0], Name("ops.cast")(found[1], "int64")


@TABLE.rule
def einsum(op: Einsum, use: Use, *x: Expr) -> Result:
    return Name("ops.einsum")(op.equation, *x)


@TABLE.rule
def sort(op: Sort, use: Use, x: Expr) -> Result:
    made = Name("ops.sort")(x, axis=op.axis)
    return Name("ops.flip")(made, axis=op.axis) if op.descending else made


@TABLE.rule
def broadcast_to(op: BroadcastTo, use: Use, x: Expr) -> Result:
    sizes = Tuple(tuple(map(use.forward.size, op.shape)))
    if not isinstance(x, Literal):
        return Name("ops.broadcast_to")(x, sizes)
    named = "ops.zeros" if x.value == 0 else "ops.ones" if x.value == 1 else None
    made = Name(named)(sizes) if named else Name("ops.full")(sizes, x)
    dtype = use.types[0].dtype
    return made if dtype == "f32" else made.with_keyword("dtype", DTYPES[dtype])


@TABLE.rule
def positions(op: Positions, use: Use, x: Expr) -> Result:
    x = use.forward.name(x, "x")
    count = use.forward.size(use.node.outputs[0].type.shape[0])
    dtype = op.dtype_for(use.types[0])
    made = Name("ops.arange")(count)
    if dtype in ("f16", "u8"):  # TensorFlow does not count in them
        return Name("ops.cast")(made, DTYPES[dtype])
    if op.dtype is None:
        return made.with_keyword("dtype", x.attr("dtype"))
    return made.with_keyword("dtype", DTYPES[dtype])


@TABLE.rule
def squeeze(op: Squeeze, use: Use, x: Expr) -> Result:
    """Keras takes no axes for all axes."""
    axes = op.over(use.types[0])
    return Name("ops.squeeze")(x, axis=ONE.write(axes)) if axes else x


@TABLE.rule
def stack(op: Stack, use: Use, *x: Expr) -> Result:
    return Name("ops.stack")(list(x), axis=op.axis)


@TABLE.rule
def split(op: Split, use: Use, x: Expr) -> Result:
    """Keras is told where to cut."""
    sizes = op.sizes(use.types[0])
    cuts: object = len(sizes) if len(set(sizes)) == 1 else list(accumulate(sizes[:-1]))
    return Name("ops.split")(x, cuts, axis=op.axis)


@TABLE.rule
def scatter_add(op: ScatterAdd, use: Use, x: Expr, indices: Expr, updates: Expr) -> Result:
    count = use.forward.size(use.types[0].shape[0])
    return x + Name("ops.segment_sum")(updates, indices, num_segments=count)


@TABLE.rule
def one_hot(op: OneHot, use: Use, x: Expr) -> Result:
    made = Name("ops.one_hot")(x, op.classes)
    return made if op.dtype == "f32" else made.with_keyword("dtype", DTYPES[op.dtype])


@TABLE.rule
def random_uniform(op: RandomUniform, use: Use) -> Result:
    made = Name("keras.random.uniform")(Tuple(tuple(map(use.forward.size, op.shape))))
    made = made if op.low == 0 else made.with_keyword("minval", op.low)
    return made if op.high == 1 else made.with_keyword("maxval", op.high)
