"""Convolution and pooling: PyTorch pads alike on both sides, all else is padded before."""

from __future__ import annotations

from dataclasses import replace

from codegen.python.native import Table
from codegen.rewrites import as_groups, cut_after, mean_within, pad_first
from codegen.rules import SQUARE, at, key, layer, of
from nnspec.catalogue.ops.convolution import CONVOLUTIONS, TRANSPOSED, Conv, ConvTranspose
from nnspec.catalogue.ops.depthwise import DepthwiseConv2D
from nnspec.catalogue.ops.image import Windowed
from nnspec.catalogue.ops.pooling import (
    AVG_POOLS,
    MAX_POOLS,
    AdaptiveAvgPool2D,
    AvgPool,
    AvgPool3D,
    MaxPool,
    Pool,
)
from nnspec.catalogue.ops.site import Term
from nnspec.graph.graph import Node
from nnspec.graph.site import GraphSite

Sizes = tuple[int, ...]
TABLE = Table()
TABLE.rewrites[DepthwiseConv2D] = as_groups


def even(op: Windowed, node: Node) -> Sizes | None:
    """Cells on both sides of each axis; None where the sides differ, or that is not known before."""
    told = replace(op, ceil_mode=False) if isinstance(op, Pool) else op
    around = told.around(node.inputs[0].type)
    if around is None or any(before != after for before, after in around):
        return None
    return tuple(before for before, _ in around)


def says_same(op: Conv) -> bool:
    """PyTorch too puts the odd cell at the end, where it knows the word."""
    return op.padding == "same" and set(op.stride) == {1}


@of
def convolution_legal(op: Conv, node: Node) -> bool:
    return says_same(op) or even(op, node) is not None


@of
def convolution_padding(op: Conv, node: Node) -> str | Sizes | None:
    return "same" if says_same(op) else even(op, node)


@of
def pool_legal(op: Pool, node: Node) -> bool:
    """At most half a window may be padding; a mean over a volume wants it whole inside the volume besides."""
    padding = even(op, node)
    if padding is None or any(p > k // 2 for p, k in zip(padding, op.size, strict=True)):
        return False
    if not isinstance(op, AvgPool3D) or not any(padding):
        return True
    sides = node.inputs[0].type.shape[1:-1]
    return all(isinstance(n, int) and n >= k for n, k in zip(sides, op.size, strict=True))


@of
def pool_padding(op: Pool, node: Node) -> Sizes | None:
    return even(op, node)


@of
def pool_counts_padding(op: AvgPool, node: Node) -> bool:
    return not any(even(op, node) or ())


@of
def counts_last(op: Pool, node: Node) -> bool:
    return op.ceil_mode and op.padding != "same"


@of
def pool_stride(op: Pool, node: Node) -> Sizes | None:
    """None where windows stand beside each other."""
    return None if op.step == op.size else op.step


@of
def transposed_legal(op: ConvTranspose, node: Node) -> bool:
    """PyTorch cuts alike on both sides, and adds at the end less than a stride or dilation."""
    along = zip(op.cuts, op.stride, op.dilation, strict=True)
    return all(0 <= before - after < max(s, d) for (before, after), s, d in along)


@of
def transposed_padding(op: ConvTranspose, node: Node) -> Sizes:
    return tuple(before for before, _ in op.cuts)


@of
def transposed_missing(op: ConvTranspose, node: Node) -> Sizes:
    return tuple(before - after for before, after in op.cuts)


@of
def width(op: Conv, node: Node) -> int:
    return int(str(node.weights[0].type.shape[1])) * op.groups


def transposed_width(node: Node) -> int:
    return int(str(node.weights[0].type.shape[0]))


for conv in CONVOLUTIONS:
    one, none = (1,) * conv.rank, (0,) * conv.rank
    TABLE.add(
        layer(
            conv,
            f"nn.Conv{conv.rank}d",
            at(width, "in_channels"),
            at("filters", "out_channels"),
            at("kernel", form=SQUARE),
            key("stride", "stride", one, SQUARE),
            key("padding", convolution_padding, none, SQUARE),
            key("dilation", "dilation", one, SQUARE),
            key("groups", "groups", 1),
            key("bias", "use_bias", True),
            legal=convolution_legal,
        )
    )
for transposed in TRANSPOSED:
    one, none = (1,) * transposed.rank, (0,) * transposed.rank
    TABLE.add(
        layer(
            transposed,
            f"nn.ConvTranspose{transposed.rank}d",
            at(transposed_width, "in_channels"),
            at("filters", "out_channels"),
            at("kernel", form=SQUARE),
            key("stride", "stride", one, SQUARE),
            key("padding", transposed_padding, none, SQUARE),
            key("output_padding", transposed_missing, none, SQUARE),
            key("groups", "groups", 1),
            key("dilation", "dilation", one, SQUARE),
            key("bias", "use_bias", True),
            legal=transposed_legal,
        )
    )
for pool in (*MAX_POOLS, *AVG_POOLS):
    kind = "Max" if pool in MAX_POOLS else "Avg"
    counts = () if kind == "Max" else (key("count_include_pad", pool_counts_padding, True),)
    TABLE.add(
        layer(
            pool,
            f"nn.{kind}Pool{pool.rank}d",
            at("size", form=SQUARE),
            key("stride", pool_stride, None, SQUARE),
            key("padding", pool_padding, (0,) * pool.rank, SQUARE),
            key("ceil_mode", counts_last, False),
            *counts,
            legal=pool_legal,
        )
    )

TABLE.add(layer(AdaptiveAvgPool2D, "nn.AdaptiveAvgPool2d", at("size", form=SQUARE)))


@TABLE.rewrite
def convolution(to: GraphSite, op: Conv, x: Term) -> Term:
    return pad_first(to, op, x)


@TABLE.rewrite
def transposed_convolution(to: GraphSite, op: ConvTranspose, x: Term) -> Term:
    return cut_after(to, op, x)


@TABLE.rewrite
def max_pool(to: GraphSite, op: MaxPool, x: Term) -> Term:
    return pad_first(to, op, x, float("-inf"))


@TABLE.rewrite
def avg_pool(to: GraphSite, op: AvgPool, x: Term) -> Term:
    return mean_within(to, op, x)
