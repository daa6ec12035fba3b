"""Elements in order, by their numbers, and beside each other."""

from __future__ import annotations

from codegen.python.dialect import Result
from codegen.python.native import Table, Use
from codegen.python.source import Expr, Literal, Name, Slice, Tuple
from codegen.pytorch.dtypes import DTYPES
from codegen.rules import Form, at, key, method
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
from nnspec.catalogue.ops.reduction import Max, Min, Prod, Reduce
from nnspec.catalogue.ops.search import ArgMax, ArgMin, CumSum, Sort, TopK

ONE = Form(
    lambda axes: axes[0] if axes is not None and len(axes) == 1 else axes,
    lambda axes: (axes,) if isinstance(axes, int) else axes,
)
"""One axis as a number."""

TABLE = Table()
TABLE.add(
    *(
        method(op, name, key("dim", "axis"), key("keepdim", "keepdims", False))
        for op, name in ((ArgMax, "argmax"), (ArgMin, "argmin"))
    ),
    method(CumSum, "cumsum", key("dim", "axis")),
    method(TopK, "topk", at("k"), key("dim", "axis", -1)),
    method(Flip, "flip", at("axis", form=ONE)),
    method(ExpandDims, "unsqueeze", at("axis")),
    method(Tile, "tile", at("times")),
    method(Repeat, "repeat_interleave", at("times"), key("dim", "axis")),
)


def extreme(name: str, op: Reduce, x: Expr) -> Expr:
    made = x.attr(name)()
    if op.axis is not None:
        made = made.with_keyword("dim", ONE.write(op.axis))
    elif op.keepdims:
        made = made.with_keyword("dim", ())
    return made.with_keyword("keepdim", True) if op.keepdims else made


@TABLE.rule
def greatest(op: Max, use: Use, x: Expr) -> Result:
    return extreme("amax", op, x)


@TABLE.rule
def least(op: Min, use: Use, x: Expr) -> Result:
    return extreme("amin", op, x)


@TABLE.rule
def prod(op: Prod, use: Use, x: Expr) -> Result:
    """PyTorch's goes along one axis at a time."""
    if op.axis is None and not op.keepdims:
        return x.attr("prod")()
    for axis in reversed(op.over(use.rank)):
        made = x.attr("prod")(dim=axis)
        x = made.with_keyword("keepdim", True) if op.keepdims else made
    return x


@TABLE.rule
def sort(op: Sort, use: Use, x: Expr) -> Result:
    made = x.attr("sort")(dim=op.axis)
    return (made.with_keyword("descending", True) if op.descending else made).attr("values")


@TABLE.rule
def pad(op: Pad, use: Use, x: Expr) -> Result:
    """PyTorch counts the pairs from the last axis; those of the first that are zero are left out."""
    pairs = list(op.pads)
    while pairs and pairs[0] == (0, 0):
        pairs.pop(0)
    sizes = tuple(use.forward.size(d) for pair in reversed(pairs) for d in pair)
    made = Name("F.pad")(x, Tuple(sizes))
    return made if op.value == 0 else made.with_keyword("value", op.value)


@TABLE.rule
def broadcast_to(op: BroadcastTo, use: Use, x: Expr) -> Result:
    sizes = tuple(map(use.forward.size, op.shape))
    if not isinstance(x, Literal):
        return x.attr("expand")(*sizes)
    dtype = use.types[0].dtype
    if (alike := use.forward.any_input(dtype)) is not None:
        return alike.attr("new_full")(Tuple(sizes), x)
    made = Name("torch.full")(Tuple(sizes), x, dtype=Name(DTYPES[dtype]))
    tensor = use.forward.any_input()
    return made if tensor is None else made.with_keyword("device", tensor.attr("device"))


@TABLE.rule
def squeeze(op: Squeeze, use: Use, x: Expr) -> Result:
    return x.attr("squeeze")(ONE.write(op.over(use.types[0])))


@TABLE.rule
def stack(op: Stack, use: Use, *x: Expr) -> Result:
    return Name("torch.stack")(list(x), dim=op.axis)


@TABLE.rule
def split(op: Split, use: Use, x: Expr) -> Result:
    sizes = op.sizes(use.types[0])
    each: object = sizes[0] if len(set(sizes)) == 1 else list(sizes)
    return x.attr("split")(each, dim=op.axis)


@TABLE.rule
def gather(op: Gather, use: Use, x: Expr, indices: Expr) -> Result:
    at = op.axis % use.rank
    return x[indices if at == 0 else Tuple((*(Slice(),) * at, indices))]


@TABLE.rule
def scatter_add(op: ScatterAdd, use: Use, x: Expr, indices: Expr, updates: Expr) -> Result:
    """PyTorch's takes numbers along one axis."""
    at, rank = op.axis % use.rank, use.types[1].rank
    if rank > 1:
        indices = indices.attr("flatten")()
        updates = updates.attr("flatten")(at, at + rank - 1)
    elif rank == 0:
        indices, updates = indices.attr("reshape")(1), updates.attr("unsqueeze")(at)
    return x.attr("index_add")(at, indices, updates)


@TABLE.rule
def one_hot(op: OneHot, use: Use, x: Expr) -> Result:
    if use.types[0].dtype != "i64":
        x = x.attr("long")()
    made = Name("F.one_hot")(x, op.classes)
    return made if op.dtype == "i64" else made.attr("to")(Name(DTYPES[op.dtype]))


@TABLE.rule
def random_uniform(op: RandomUniform, use: Use) -> Result:
    made = Name("torch.rand")(*map(use.forward.size, op.shape))
    if (tensor := use.forward.any_input()) is not None:
        made = made.with_keyword("device", tensor.attr("device"))
    drawn: Expr = made
    if op.high - op.low != 1:
        drawn = Literal(op.high - op.low) * drawn
    return drawn if op.low == 0 else Literal(op.low) + drawn
