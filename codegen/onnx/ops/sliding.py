"""Layers over space, and the functions that they come down to."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from codegen.onnx.lowering import Result
from codegen.onnx.native import Table, Use
from codegen.rewrites import as_groups, max_window_padded
from codegen.rules import Argument, function, key, layer
from nnspec.catalogue.ops.convolution import CONVOLUTIONS, TRANSPOSED, ConvTranspose
from nnspec.catalogue.ops.depthwise import DepthwiseConv2D
from nnspec.catalogue.ops.image import Windowed
from nnspec.catalogue.ops.pooling import AVG_POOLS, MAX_POOLS, GlobalAvgPool, GlobalMaxPool
from nnspec.catalogue.ops.reduction import Max, Mean
from nnspec.catalogue.ops.sliding import Convolution, ConvolutionTranspose, MaxWindow, Sliding
from nnspec.catalogue.ops.windows import Pads
from nnspec.graph.graph import Node

TABLE = Table()
TABLE.rewrites[DepthwiseConv2D] = as_groups


def flat(pairs: Pads) -> tuple[int, ...]:
    """All begins, then all ends."""
    return (*(before for before, _ in pairs), *(after for _, after in pairs))


def pads(node: Node) -> tuple[int, ...]:
    """Cells around space; where that depends on a size not yet known, those that are told."""
    assert isinstance(node.op, Windowed)
    told = node.op.window.padding
    none = ((0, 0),) * node.op.rank
    return flat(node.op.around(node.inputs[0].type) or (none if isinstance(told, str) else told))


def is_open(node: Node) -> bool:
    """Whether the cells around space depend on a size not yet known: then the runtime works them out."""
    assert isinstance(node.op, Windowed)
    return node.op.around(node.inputs[0].type) is None


def auto_pad(node: Node) -> str:
    assert isinstance(node.op, Windowed)
    return "SAME_UPPER" if is_open(node) and node.op.window.padding == "same" else "NOTSET"


def ceil_mode(node: Node) -> int:
    return int(is_open(node) and auto_pad(node) == "NOTSET")


def cut(node: Node) -> tuple[int, ...]:
    """What is left out around the result."""
    assert isinstance(node.op, ConvTranspose)
    return flat(tuple((before, max(after, 0)) for before, after in node.op.cuts))


def missing(node: Node) -> tuple[int, ...]:
    """Cells that the result has beyond what kernels reach."""
    assert isinstance(node.op, ConvTranspose)
    return tuple(max(-after, 0) for _, after in node.op.cuts)


def around(rank: int) -> tuple[Argument, ...]:
    return key("pads", pads, (0,) * 2 * rank), key("auto_pad", auto_pad, "NOTSET")


for kind in CONVOLUTIONS:
    ones = (1,) * kind.rank
    TABLE.add(
        layer(
            kind,
            "Conv",
            key("kernel_shape", "kernel"),
            key("strides", "stride", ones),
            key("dilations", "dilation", ones),
            key("group", "groups", 1),
            *around(kind.rank),
        )
    )
for transposed in TRANSPOSED:
    ones = (1,) * transposed.rank
    TABLE.add(
        layer(
            transposed,
            "ConvTranspose",
            key("kernel_shape", "kernel"),
            key("strides", "stride", ones),
            key("dilations", "dilation", ones),
            key("pads", cut, (0, 0) * transposed.rank),
            key("output_padding", missing, (0,) * transposed.rank),
            key("group", "groups", 1),
        )
    )
for pool, name in (*((p, "MaxPool") for p in MAX_POOLS), *((p, "AveragePool") for p in AVG_POOLS)):
    steps = key("strides", "step", (1,) * pool.rank)
    last = key("ceil_mode", ceil_mode, 0)
    TABLE.add(function(pool, name, key("kernel_shape", "size"), steps, *around(pool.rank), last))


@TABLE.rule
def global_pool(op: GlobalAvgPool | GlobalMaxPool, use: Use, x: str) -> Result:
    """Where features stand second and the axes of space stay, an operator that onnxruntime runs in its own layout."""
    is_mean = isinstance(op, GlobalAvgPool)
    if op.channels_first and op.keepdims:
        return use.to.op("GlobalAveragePool" if is_mean else "GlobalMaxPool", x)
    reduced = (Mean if is_mean else Max)(op.space(use.rank), op.keepdims)
    return use.to.applied(replace(use.node, op=reduced), (x,))


@TABLE.rule
def convolution(op: Convolution, use: Use, x: str, kernel: str) -> Result:
    settings = {"pads": flat(op.pads), "dilations": op.spread, "group": op.groups}
    return slid("Conv", op, use, x, kernel, **settings)


@TABLE.rule
def convolution_transpose(op: ConvolutionTranspose, use: Use, x: str, kernel: str) -> Result:
    return slid("ConvTranspose", op, use, x, kernel, dilations=op.spread, group=op.groups)


@TABLE.rule
def max_window(op: MaxWindow, use: Use, x: str) -> Result:
    return slid("MaxPool", op, use, x, kernel_shape=op.cells)


def is_bare(node: Node) -> bool:
    """Whether nothing surrounds space: onnxruntime refuses windows that padding could fill alone."""
    return isinstance(node.op, MaxWindow) and not any(map(any, node.op.pads))


TABLE.legal[MaxWindow] = is_bare
TABLE.rewrites[MaxWindow] = max_window_padded


def slid(kind: str, op: Sliding, use: Use, x: str, *kernel: str, **settings: Any) -> str:
    """An operator over space, which wants features second."""
    to, rank = use.to, op.rank
    x = to.op("Transpose", x, perm=(0, rank + 1, *range(1, rank + 1)))
    y = to.op(kind, x, *kernel, strides=op.steps, **settings)
    return to.op("Transpose", y, perm=(0, *range(2, rank + 2), 1))
