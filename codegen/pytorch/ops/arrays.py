"""Elements in another place or order: shapes, axes, padding, joining, taking apart, indexing."""

from __future__ import annotations

from codegen.python.dialect import Result
from codegen.python.native import Table, Use
from codegen.python.source import Expr, Name, Slice, Tuple
from codegen.python.subscripts import part
from codegen.pytorch.dtypes import DTYPES
from codegen.pytorch.ops.reduction import ONE
from codegen.rewrites import edges_joined
from codegen.rules import at, function, key, method
from nnspec.catalogue.ops.arranging import (
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
from nnspec.catalogue.ops.shaping import Concat, Flatten, Reshape, Transpose
from nnspec.catalogue.ops.shaping import Slice as Part
from nnspec.graph.graph import Node

TABLE = Table()
TABLE.add(
    function(Flatten, "torch.flatten", at(lambda node: 1), chain="nn.Flatten", chain_arguments=()),
    method(Flip, "flip", at("axis", form=ONE)),
    method(ExpandDims, "unsqueeze", at("axis")),
    method(Tile, "tile", at("times")),
    method(Repeat, "repeat_interleave", at("times"), key("dim", "axis")),
)


@TABLE.rule
def reshape(op: Reshape, use: Use, x: Expr) -> Result:
    """A size that is no number is worked out by PyTorch where there is one such; so is a batch of one."""
    unknown = [d for d in op.shape if not isinstance(d, int) or d == -1]
    if not unknown and op.shape[:1] == use.types[0].shape[:1] == (1,):
        return x.attr("reshape")(-1, *op.shape[1:])
    if len(unknown) == 1:
        return x.attr("reshape")(*(d if d is not unknown[0] else -1 for d in op.shape))
    return x.attr("reshape")(*map(use.forward.size, op.shape))


@TABLE.rule
def transpose(op: Transpose, use: Use, x: Expr) -> Result:
    order = op.order(use.rank)
    moved = [i for i, axis in enumerate(order) if i != axis]
    if len(moved) == 2:
        return x.attr("transpose")(*moved)
    return x.attr("permute")(*order)


@TABLE.rule
def concat(op: Concat, use: Use, *x: Expr) -> Result:
    return Name("torch.cat")(list(x), dim=op.axis)


@TABLE.rule
def subscript(op: Part, use: Use, x: Expr) -> Result:
    return part(use.node, (x,), use.forward)


@TABLE.rule
def pad(op: Pad, use: Use, x: Expr) -> Result:
    """PyTorch counts the pairs from the last axis; those of the first that are zero are left out."""
    pairs = list(op.pads)
    while pairs and pairs[0] == (0, 0):
        pairs.pop(0)
    sizes = tuple(use.forward.size(d) for pair in reversed(pairs) for d in pair)
    made = Name("F.pad")(x, Tuple(sizes))
    if op.mode != "constant":
        return made.with_keyword("mode", "replicate" if op.mode == "edge" else op.mode)
    return made if op.value == 0 else made.with_keyword("value", op.value)


def is_padded_by_itself(node: Node) -> bool:
    """PyTorch copies edges of floats only, of up to three axes behind one or two."""
    assert isinstance(node.op, Pad)
    if node.op.mode == "constant":
        return True
    first = next((i for i, pair in enumerate(node.op.pads) if pair != (0, 0)), 0)
    return node.inputs[0].type.is_float and first in (1, 2) and len(node.op.pads) - first <= 3


TABLE.legal[Pad] = is_padded_by_itself
TABLE.rewrites[Pad] = edges_joined


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
