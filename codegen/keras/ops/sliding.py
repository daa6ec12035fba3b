"""Convolutions and windows as functions: what stands in gradients and expansions."""

from __future__ import annotations

from codegen.python.dialect import Result
from codegen.python.native import Table, Use
from codegen.python.source import Call, Expr, Name
from codegen.rewrites import convolution_apart, max_window_padded, transpose_as_convolution
from nnspec.catalogue.ops.sliding import Convolution, ConvolutionTranspose, MaxWindow
from nnspec.graph.graph import Node

TABLE = Table()
TABLE.rewrites[Convolution] = convolution_apart
TABLE.rewrites[ConvolutionTranspose] = transpose_as_convolution
TABLE.rewrites[MaxWindow] = max_window_padded


def _covers(node: Node) -> bool:
    """Keras has no padding in cells, no stride together with dilation, and not every group's gradient."""
    op = node.op
    if not isinstance(op, Convolution) or any(map(any, op.pads)):
        return False
    if op.groups > 1 and not _is_depthwise(op, node):
        return False
    return all(s == 1 for s in op.steps) or all(d == 1 for d in op.spread)


def _is_depthwise(op: Convolution, node: Node) -> bool:
    """Whether each channel of an image has kernels of its own, which step alike along both axes."""
    alone = node.inputs[1].type.shape[1] == 1
    return alone and op.rank == 2 and len(set(op.steps)) == 1


TABLE.legal[Convolution] = _covers


def _is_bare(node: Node) -> bool:
    """TensorFlow has maxima over volumes in f32 only (and bf16)."""
    op = node.op
    if not isinstance(op, MaxWindow) or any(map(any, op.pads)):
        return False
    return op.rank < 3 or node.inputs[0].type.dtype not in ("f16", "f64")


TABLE.legal[MaxWindow] = _is_bare


def _each(made: Call, keyword: str, numbers: tuple[int, ...]) -> Call:
    """One number for each axis of space, or for all; ones are Keras's own."""
    if set(numbers) == {1}:
        return made
    return made.with_keyword(keyword, numbers[0] if len(set(numbers)) == 1 else numbers)


@TABLE.rule
def convolution(op: Convolution, use: Use, x: Expr, kernel: Expr) -> Result:
    """Keras's kernels have their features last."""
    if op.groups > 1:
        filters, _, *cells = use.types[1].shape
        kernels = Name("ops.reshape")(kernel, (op.groups, int(str(filters)) // op.groups, *cells))
        made = Name("ops.depthwise_conv")(x, Name("ops.transpose")(kernels, (2, 3, 0, 1)))
    else:
        order = (*range(2, 2 + op.rank), 1, 0)
        made = Name("ops.conv")(x, Name("ops.transpose")(kernel, order))
    made = _each(made, "strides", op.steps)
    return _each(made, "dilation_rate", op.spread)


@TABLE.rule
def max_window(op: MaxWindow, use: Use, x: Expr) -> Result:
    return Name("ops.max_pool")(x, op.cells, op.steps)
