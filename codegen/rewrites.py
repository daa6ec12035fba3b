"""Rewrites that several targets share: uses that many frameworks lack, by uses that they have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from nnspec.catalogue.ops.arranging import Pad
from nnspec.catalogue.ops.attention import Attention
from nnspec.catalogue.ops.convolution import Conv, ConvTranspose
from nnspec.catalogue.ops.depthwise import DepthwiseConv2D
from nnspec.catalogue.ops.derivatives import part
from nnspec.catalogue.ops.indexing import OneHot, ScatterAdd
from nnspec.catalogue.ops.losses import BinaryCrossEntropy, CrossEntropy
from nnspec.catalogue.ops.pooling import AvgPool, Pool
from nnspec.catalogue.ops.search import TopK
from nnspec.catalogue.ops.site import Site, Term
from nnspec.catalogue.ops.sliding import Convolution, ConvolutionTranspose, MaxWindow
from nnspec.core.dims import Dim, product
from nnspec.graph.graph import Node
from nnspec.graph.site import GraphSite

Pads = tuple[tuple[int, int], ...]
Bounds = tuple[Dim, Dim | None]


def is_plain_entropy(node: Node) -> bool:
    """Whether a cross entropy is the plain one: of whole numbers as labels, none of which is ignored, unweighted."""
    return (
        isinstance(node.op, CrossEntropy) and node.op.is_plain and not node.inputs[1].type.is_float
    )


def is_unweighted(node: Node) -> bool:
    """Whether a binary cross entropy weighs both kinds of targets alike."""
    return isinstance(node.op, BinaryCrossEntropy) and node.op.positive_weight == 1


def in_rows(node: Node) -> bool:
    """Whether parts are added along the first axis, by a list of numbers."""
    op, rank = node.op, node.inputs[0].type.rank
    return isinstance(op, ScatterAdd) and op.axis % rank == 0 and node.inputs[1].type.rank == 1


def scatter_in_rows(to: Site, op: ScatterAdd, x: Term, indices: Term, updates: Term) -> Term:
    """Along the first axis, by a list of numbers."""
    at, count = op.axis % x.rank, product(indices.shape)
    flat = to.reshape(updates, (*x.shape[:at], count, *x.shape[at + 1 :]))
    order = (at, *(i for i in range(x.rank) if i != at))
    back = tuple(order.index(i) for i in range(x.rank))
    rows = to.scatter_add(
        to.transpose(x, order), to.reshape(indices, (count,)), to.transpose(flat, order)
    )
    return to.transpose(rows, back)


def one_hot_of_one(to: Site, op: OneHot, index: Term) -> Term:
    """Of a single number, as that of a list of one."""
    (row,) = to.apply(op, to.reshape(index, (1,)))
    return to.reshape(row, (op.classes,))


def along_last(node: Node) -> bool:
    """Whether the last axis is searched."""
    return isinstance(node.op, TopK) and node.op.axis % node.inputs[0].type.rank == (
        node.inputs[0].type.rank - 1
    )


def topk_along_last(to: Site, op: TopK, x: Term) -> tuple[Term, ...]:
    """Along the last axis."""
    at = op.axis % x.rank
    order = (*(i for i in range(x.rank) if i != at), at)
    back = tuple(order.index(i) for i in range(x.rank))
    found = to.apply(TopK(op.k), to.transpose(x, order))
    return tuple(to.transpose(t, back) for t in found)


def padded(to: Site, x: Term, pads: Sequence[tuple[Dim, Dim]], value: float = 0.0) -> Term:
    """Cells around space."""
    return to.pad(x, ((0, 0), *pads, (0, 0)), value) if any(map(any, pads)) else x


def edges_joined(to: Site, op: Pad, x: Term) -> Term:
    """What lies at the edges, copied and joined on, axis after axis."""
    for axis, (before, after) in enumerate(op.pads):
        first: Bounds = (1, 1 + before)
        last: Bounds = (-1 - after, -1)
        if not isinstance(after, int):
            last = (x.shape[axis] - 1 - after, x.shape[axis] - 1)
        if op.mode == "edge":
            first, last = (0, 1), (-1, None)
        parts = [x]
        if before != 0:
            parts.insert(0, _copied(to, op, x, axis, before, first))
        if after != 0:
            parts.append(_copied(to, op, x, axis, after, last))
        x = to.concat(*parts, axis=axis) if len(parts) > 1 else x
    return x


def _copied(to: Site, op: Pad, x: Term, axis: int, cells: Dim, bounds: Bounds) -> Term:
    """The cells between bounds turned round, or the one there that often."""
    seen = part(to, x, axis, *bounds)
    if op.mode == "reflect":
        return to.flip(seen, (axis,))
    return to.broadcast_to(seen, (*x.shape[:axis], cells, *x.shape[axis + 1 :]))


def convolution_apart(to: Site, op: Convolution, x: Term, kernel: Term) -> Term:
    """One group, no padding, no stride together with dilation: for frameworks that have no more."""
    x = padded(to, x, op.pads)
    thinned = any(s > 1 for s in op.steps) and any(d > 1 for d in op.spread)
    steps = (1,) * op.rank if thinned else op.steps
    none = ((0, 0),) * op.rank
    y: Term | None = None
    inside, outside = int(str(kernel.shape[1])), int(str(kernel.shape[0])) // op.groups
    parts = []
    for group in range(op.groups):
        seen = _part(to, x, x.rank - 1, group * inside, inside)
        weights = _part(to, kernel, 0, group * outside, outside)
        parts.append(to.convolution(seen, weights, steps=steps, pads=none, spread=op.spread))
    y = parts[0] if len(parts) == 1 else to.concat(*parts)
    if not thinned:
        return y
    none_, one = (None,) * y.rank, 1
    return to.slice(y, starts=none_, ends=none_, steps=(one, *op.steps, one))


def _part(to: Site, x: Term, axis: int, start: int, size: int) -> Term:
    if x.shape[axis] == size:
        return x
    starts = tuple(start if i == axis else None for i in range(x.rank))
    ends = tuple(start + size if i == axis else None for i in range(x.rank))
    return to.slice(x, starts=starts, ends=ends, steps=(1,) * x.rank)


def transpose_as_convolution(to: Site, op: ConvolutionTranspose, x: Term, kernel: Term) -> Term:
    """The convolution of the operand, its cells moved apart, with the kernel turned round."""
    from nnspec.catalogue.ops.shaping import apart

    rank, groups = op.rank, op.groups
    for axis, step in enumerate(op.steps, 1):
        x = apart(to, x, axis, step)
    channels, filters, *cells = kernel.shape
    inside = int(str(channels)) // groups
    turned = to.flip(kernel, tuple(range(2, 2 + rank)))
    split = to.reshape(turned, (groups, inside, filters, *cells))
    swapped = to.transpose(split, (0, 2, 1, *range(3, 3 + rank)))
    weights = to.reshape(swapped, (groups * filters, inside, *cells))
    reach = tuple((d * (int(str(k)) - 1),) * 2 for k, d in zip(cells, op.spread, strict=True))
    return to.convolution(
        x, weights, steps=(1,) * rank, pads=reach, spread=op.spread, groups=groups
    )


def max_window_padded(to: Site, op: MaxWindow, x: Term) -> Term:
    """Without padding of its own."""
    x = padded(to, x, op.pads, float("-inf"))
    return to.max_window(x, steps=op.steps, pads=((0, 0),) * op.rank, cells=op.cells)


def pad_first(to: GraphSite, op: Conv | Pool, x: Term, value: float = 0.0) -> Term:
    """The layer without padding of its own, on the padded operand."""
    around = op.surroundings(x.type)
    (y,) = to.again(op.bare, padded(to, x, around, value))
    return y


def as_groups(to: GraphSite, op: DepthwiseConv2D, x: Term) -> Term:
    """Each channel by itself, as a convolution with a group for each; the weights are the same."""
    (y,) = to.again(op.grouped(x.type), x)
    return y


def mean_within(to: GraphSite, op: AvgPool, x: Term) -> Term:
    """Means of what is padded with zeros, by the share of each window that is no padding."""
    ones = to.broadcast_to(to.number(1, x.dtype), (1, *x.shape[1:]))
    return pad_first(to, op, x) / pad_first(to, op, ones)


def cut_after(to: GraphSite, op: ConvTranspose, x: Term) -> Term:
    """Of the whole result of a transposed convolution, the part that is wanted.

    Where kernels do not reach as far as that, more cells, of zeros, give the result that is missing.
    """
    more = [max(-(after // s), 0) for (_, after), s in zip(op.cuts, op.stride, strict=True)]
    x = padded(to, x, [(0, cells) for cells in more])
    bare = replace(op, padding="valid", output_padding=(0,) * op.rank)
    (whole,) = to.again(bare, x)
    ends = [
        after + cells * s for (_, after), cells, s in zip(op.cuts, more, op.stride, strict=True)
    ]
    return to.slice(
        whole,
        starts=(None, *(before or None for before, _ in op.cuts), None),
        ends=(None, *(-after or None for after in ends), None),
        steps=(1,) * whole.rank,
    )


def is_one_mask(node: Node) -> bool:
    """Whether attention is told by a mask, or as causal, but not by both nor by a window."""
    op = node.op
    return isinstance(op, Attention) and op.window is None and not (op.causal and node.inputs[3:])


def attention_by_mask(
    to: Site, op: Attention, query: Term, key: Term, value: Term, mask: Term | None = None
) -> Term:
    """All that is allowed as one mask."""
    allowed = op.allowed(to, query, key, mask)
    plain = Attention(scale=op.scale)
    (y,) = to.apply(plain, query, key, value, *([] if allowed is None else [allowed]))
    return y
