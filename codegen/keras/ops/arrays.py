"""Elements in order, by their numbers, and beside each other."""

from __future__ import annotations

from itertools import accumulate

from codegen.keras.dtypes import DTYPES
from codegen.python.dialect import Result
from codegen.python.native import Table, Use
from codegen.python.source import Expr, Literal, Name, Tuple
from codegen.rewrites import along_last, in_rows, scatter_in_rows, topk_along_last
from codegen.rules import Form, at, function, key
from nnspec.catalogue.ops.arranging import (
    BroadcastTo,
    ExpandDims,
    Flip,
    Pad,
    Repeat,
    Split,
    Squeeze,
    Stack,
    Tile,
)
from nnspec.catalogue.ops.indexing import Gather, OneHot, ScatterAdd
from nnspec.catalogue.ops.random import RandomUniform
from nnspec.catalogue.ops.reduction import Max, Min, Prod
from nnspec.catalogue.ops.search import ArgMax, ArgMin, CumSum, Position, Sort, TopK

ONE = Form(
    lambda axes: axes[0] if axes is not None and len(axes) == 1 else axes,
    lambda axes: (axes,) if isinstance(axes, int) else axes,
)
"""One axis as a number."""

TABLE = Table()
TABLE.add(
    *(
        function(op, name, key("axis", "axis", None, ONE), key("keepdims", "keepdims", False))
        for op, name in ((Max, "ops.max"), (Min, "ops.min"), (Prod, "ops.prod"))
    ),
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


def position(name: str, op: Position, x: Expr) -> Expr:
    """Keras's is an i32."""
    made = Name(name)(x, axis=op.axis)
    made = made.with_keyword("keepdims", True) if op.keepdims else made
    return Name("ops.cast")(made, "int64")


@TABLE.rule
def argmax(op: ArgMax, use: Use, x: Expr) -> Result:
    return position("ops.argmax", op, x)


@TABLE.rule
def argmin(op: ArgMin, use: Use, x: Expr) -> Result:
    return position("ops.argmin", op, x)


@TABLE.rule
def topk(op: TopK, use: Use, x: Expr) -> Result:
    """Keras's places are i32."""
    found = use.forward.name(Name("ops.top_k")(x, op.k), "found")
    return found[0], Name("ops.cast")(found[1], "int64")


@TABLE.rule
def sort(op: Sort, use: Use, x: Expr) -> Result:
    made = Name("ops.sort")(x, axis=op.axis)
    return Name("ops.flip")(made, axis=op.axis) if op.descending else made


@TABLE.rule
def pad(op: Pad, use: Use, x: Expr) -> Result:
    pairs = tuple(Tuple(tuple(map(use.forward.size, pair))) for pair in op.pads)
    made = Name("ops.pad")(x, Tuple(pairs))
    if op.value == 0:
        return made
    if op.value == float("-inf"):
        return made.with_keyword("constant_values", Name("float")("-inf"))
    x_type = use.types[0]
    value = (
        op.value if x_type.is_float else op.value == 1 if x_type.dtype == "bool" else int(op.value)
    )
    return made.with_keyword("constant_values", value)


@TABLE.rule
def broadcast_to(op: BroadcastTo, use: Use, x: Expr) -> Result:
    sizes = Tuple(tuple(map(use.forward.size, op.shape)))
    if not isinstance(x, Literal):
        return Name("ops.broadcast_to")(x, sizes)
    made = Name("ops.full")(sizes, x)
    dtype = use.types[0].dtype
    return made if dtype == "f32" else made.with_keyword("dtype", DTYPES[dtype])


@TABLE.rule
def squeeze(op: Squeeze, use: Use, x: Expr) -> Result:
    return Name("ops.squeeze")(x, axis=ONE.write(op.over(use.types[0])))


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
