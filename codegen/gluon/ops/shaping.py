"""The same elements in another shape, parts of them, elements beside each other, elements by their numbers.

A `Symbol` has no shape and no operator that depends on one, so nothing here reads `.shape`.
"""

from __future__ import annotations

from codegen.gluon.dtypes import DTYPES
from codegen.gluon.ops.elementwise import with_axes
from codegen.gluon.ops.reduction import axis, several
from codegen.gluon.reshape import reshape_codes
from codegen.gluon.sizes import has_axes, has_shapes, is_ruler, zeros
from codegen.python.dialect import Result, UnsupportedOp
from codegen.python.native import Table, Use
from codegen.python.source import Expr, Literal, Name, Tuple
from codegen.rewrites import edges_joined, in_rows, one_hot_of_one, scatter_in_rows
from codegen.rules import at, function, key
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
from nnspec.catalogue.ops.positions import Positions
from nnspec.catalogue.ops.shaping import Concat, Flatten, Reshape, Slice, Transpose
from nnspec.catalogue.ops.site import Site, Term
from nnspec.core.dims import Dim, Sym
from nnspec.graph.graph import Node

TABLE = Table()


def turned(node: Node) -> object:
    """The order of a transpose; None for all axes the other way round, which is MXNet's own."""
    assert isinstance(node.op, Transpose)
    rank = node.inputs[0].type.rank
    order = node.op.order(rank)
    return None if order == tuple(reversed(range(rank))) else order


def flipped(node: Node) -> object:
    assert isinstance(node.op, Flip)
    return several(tuple(a % node.inputs[0].type.rank for a in node.op.axis))


def squeezed(node: Node) -> object:
    assert isinstance(node.op, Squeeze)
    return several(node.op.over(node.inputs[0].type))


def part_count(node: Node) -> int:
    assert isinstance(node.op, Split)
    return len(node.op.sizes(node.inputs[0].type))


def in_equal_parts(node: Node) -> bool:
    assert isinstance(node.op, Split)
    sizes = node.op.sizes(node.inputs[0].type)
    return len(sizes) > 1 and len(set(sizes)) == 1


def has_indices(node: Node) -> bool:
    """Whether the axis becomes others, or was the only one."""
    x, indices = node.inputs
    return indices.type.rank > 0 or x.type.rank == 1


TABLE.add(
    function(Flatten, "F.flatten"),
    function(Transpose, "F.transpose", key("axes", turned, None)),
    function(ExpandDims, "F.expand_dims", key("axis", "axis"), legal=has_axes),
    function(Squeeze, "F.squeeze", key("axis", squeezed)),
    function(Stack, "F.stack", key("axis", "axis", 0), legal=has_axes),
    function(Flip, "F.flip", key("axis", flipped)),
    function(Tile, "F.tile", key("reps", "times")),
    function(Repeat, "F.repeat", key("repeats", "times"), key("axis", axis)),
    function(
        Split,
        "F.split",
        key("num_outputs", part_count),
        key("axis", axis, 1),
        legal=in_equal_parts,
    ),
    function(Gather, "F.take", key("axis", axis, 0), legal=has_indices),
    function(
        OneHot,
        "F.one_hot",
        at("classes"),
        key("dtype", lambda node: DTYPES[node.outputs[0].type.dtype], "float32"),
        legal=has_axes,
    ),
)


@TABLE.rewrite
def expand_scalar(to: Site, op: ExpandDims, x: Term) -> Term:
    return to.reshape(x, (1,))


@TABLE.rewrite
def stack_scalars(to: Site, op: Stack, *xs: Term) -> Term:
    return to.concat(*(to.reshape(x, (1,)) for x in xs), axis=0)


TABLE.rewrite(one_hot_of_one)


@TABLE.rewrite
def gather_one(to: Site, op: Gather, x: Term, index: Term) -> Term:
    """The part at one index, without the axis."""
    (part,) = to.apply(op, x, to.reshape(index, (1,)))
    (y,) = to.apply(Squeeze((op.axis,)), part)
    return y


@TABLE.rule
def reshape(op: Reshape, use: Use, x: Expr) -> Result:
    source, target = use.types[0].shape, use.node.outputs[0].type.shape
    source, target = source or (1,), target or (1,)
    if source == target:
        return x
    codes = reshape_codes(source, target)
    if codes is None:
        reason = "the new shape has more than one size that only the input tells"
        raise UnsupportedOp(use.node, "Gluon", reason)
    if len(target) > 1 and source[:1] == target[:1] == (1,):  # as any other batch
        codes = (0, *codes[1:])
    return Name("F.reshape")(x, shape=Tuple(tuple(Literal(code, "size") for code in codes)))


@TABLE.rule
def concat(op: Concat, use: Use, *x: Expr) -> Result:
    if len(x) == 1:
        return x[0]
    joined = Name("F.concat")(*x)
    return joined if op.axis % use.rank == 1 else joined.with_keyword("dim", op.axis)


@TABLE.rule
def cut(op: Slice, use: Use, x: Expr) -> Result:
    if any(isinstance(d, Sym) for d in (*op.starts, *op.ends)):
        return cut_at_sizes(op, use, x)
    begin, end = list(op.starts), list(op.ends)
    for i in op.squeeze:
        start = begin[i] = op.starts[i] or 0
        end[i] = None if start == -1 else start + 1
    along = [i for i in range(len(begin)) if (begin[i], end[i], op.steps[i]) != (None, None, 1)]
    if len(along) == 1 and op.steps[along[0]] == 1:
        (one,) = along
        x = Name("F.slice_axis")(x, axis=one, begin=begin[one] or 0, end=end[one])
    elif along:
        x = Name("F.slice")(x, begin=tuple(begin), end=tuple(end))
        if any(step != 1 for step in op.steps):
            x = x.with_keyword("step", op.steps)
    if op.squeeze and len(op.squeeze) < len(begin):
        return Name("F.squeeze")(x, axis=several(op.squeeze))
    return Name("F.reshape")(x, shape=(1,)) if op.squeeze else x


def cut_at_sizes(op: Slice, use: Use, x: Expr) -> Expr:
    """Axes cut at sizes that are known at run time: by the size, or by an array that has it."""
    for i, (start, end, step) in enumerate(zip(op.starts, op.ends, op.steps, strict=True)):
        if (start, end, step) == (None, None, 1):
            continue
        if step != 1 or i in op.squeeze or start not in (None, 0) or end is None:
            reason = "MXNet 1.9.1 cuts at a size only from the beginning of an axis"
            raise UnsupportedOp(use.node, "Gluon", reason)
        size = use.forward.size(end)
        if isinstance(end, int) or has_shapes(use):
            x = Name("F.slice_axis")(x, axis=i, begin=0, end=size)
        elif is_ruler(size):
            along = tuple(-1 if axis == i else 1 for axis in range(len(op.starts)))
            like = size if len(along) == 1 else Name("F.reshape")(size, shape=along)
            x = Name("F.slice_like")(x, like, axes=(i,))
        else:
            raise UnsupportedOp(use.node, "Gluon", f"a Symbol cannot tell the size {end}")
    return x


# Cells around a tensor.


@TABLE.rule
def pad(op: Pad, use: Use, x: Expr) -> Result:
    pads = tuple((known(use, before), known(use, after)) for before, after in op.pads)
    padded = [i for i, pair in enumerate(pads) if pair != (0, 0)]
    if not padded:
        return x
    new = new_axes(use.rank, padded[0])
    value = number(op.value)
    if new is None or not use.types[0].is_float:
        return joined_edges(use, x, pads, value)
    front, count = new
    for _ in range(count):
        x = Name("F.expand_dims")(x, axis=front)
    around = (*pads[:front], *((0, 0),) * count, *pads[front:])
    width = tuple(cells for pair in around for cells in pair)
    x = Name("F.pad")(x, mode=op.mode, pad_width=width)
    x = x.with_keyword("constant_value", value) if op.mode == "constant" else x
    added = tuple(range(front, front + count))
    return Name("F.squeeze")(x, axis=several(added)) if added else x


def has_edges(node: Node) -> bool:
    """Whether MXNet can copy edges: of floats, along the last axes."""
    assert isinstance(node.op, Pad)
    if node.op.mode == "constant":
        return True
    x, pads = node.inputs[0].type, node.op.pads
    first = next((i for i, pair in enumerate(pads) if pair != (0, 0)), None)
    numbers = all(isinstance(cells, int) for pair in pads for cells in pair)
    return numbers and x.is_float and first is not None and new_axes(x.rank, first) is not None


TABLE.legal[Pad] = has_edges
TABLE.rewrites[Pad] = edges_joined


def number(value: float) -> Expr:
    if value == float("-inf"):
        return Name("float")("-inf")
    return Literal(int(value) if value.is_integer() else value)


def known(use: Use, cells: object) -> int:
    if not isinstance(cells, int):
        raise UnsupportedOp(use.node, "Gluon", f"a padding of {cells} cells is no number")
    return cells


def new_axes(rank: int, first: int) -> tuple[int, int] | None:
    """Where axes are to be put in, and how many, until MXNet can pad: it takes images [N, C, H, W] and
    volumes only, and pads their space. None where that does not help."""
    if first >= 2 and rank in (4, 5):
        return first, 0
    if rank - first > 3 or rank > 4:
        return None
    whole = 4 if rank - first <= 2 and rank < 4 else 5
    return min(first, 2), whole - rank


def joined_edges(use: Use, x: Expr, pads: tuple[tuple[int, int], ...], value: Expr) -> Expr:
    """Edges joined on, axis after axis."""
    for i, pair in enumerate(pads):
        if pair == (0, 0):
            continue
        x = use.forward.name(x)
        edge: Expr = Name("F.zeros_like")(Name("F.slice_axis")(x, axis=i, begin=0, end=1))
        edge = use.forward.name(edge if value == Literal(0) else edge + value, "edge")
        before, after = (edges(edge, size, i) for size in pair)
        x = Name("F.concat")(*before, x, *after, dim=i)
    return x


def edges(edge: Expr, size: int, along: int) -> list[Expr]:
    if size == 0:
        return []
    return [edge if size == 1 else Name("F.repeat")(edge, repeats=size, axis=along)]


# To a shape.


@TABLE.rule
def broadcast_to(op: BroadcastTo, use: Use, x: Expr) -> Result:
    source, rank = use.types[0], len(op.shape)
    had = (1,) * (rank - source.rank) + source.shape
    unknown = [(d, e) for d, e in zip(op.shape, had, strict=True) if not isinstance(d, int)]
    grows = isinstance(x, Literal) or any(d != e for d, e in unknown)
    if unknown and grows and not has_shapes(use):
        full = zeros(use, op.shape)
        measured = [value.type.dtype for value, _ in use.forward.inputs]
        if {source.dtype, *measured} != {"f32"}:  # it has the element type of what it measures
            full = Name("F.cast")(full, dtype=DTYPES[source.dtype])
        if isinstance(x, Literal):
            return full if x.value == 0 else full + x
        return Name("F.broadcast_like")(with_axes(x, max(source.rank, 1), rank), full)
    # A size that stays as it is is written 0.
    sizes = tuple(use.forward.size(d) if grows else Literal(known_size(d)) for d in op.shape)
    sizes = sizes or (Literal(1),)
    if isinstance(x, Literal):
        ones = Name("F.ones")(shape=sizes, dtype=DTYPES[source.dtype])
        return ones if x.value == 1 else ones * x
    return Name("F.broadcast_to")(with_axes(x, max(source.rank, 1), rank), shape=sizes)


def known_size(size: Dim) -> int:
    return size if isinstance(size, int) else 0


# By numbers.


@TABLE.rule
def positions(op: Positions, use: Use, x: Expr) -> Result:
    made = Name("F.contrib.arange_like")(x, axis=axis(use.node))
    had, dtype = use.types[0].dtype, op.dtype_for(use.types[0])
    return made if had == dtype else Name("F.cast")(made, dtype=DTYPES[dtype])


@TABLE.rule
def scatter_add(op: ScatterAdd, use: Use, x: Expr, indices: Expr, updates: Expr) -> Result:
    """MXNet has it as the way back of `gather_nd`, which is told the whole shape."""
    shape = use.types[0].shape
    if not all(isinstance(d, int) for d in shape):
        reason = "parts are added to a tensor of a known shape only"
        raise UnsupportedOp(use.node, "Gluon", reason)
    rows = Name("F.expand_dims")(indices, axis=0)
    return x + Name("F._internal._backward_gather_nd")(updates, rows, shape=shape)


TABLE.legal[ScatterAdd] = in_rows
TABLE.rewrite(scatter_in_rows)
