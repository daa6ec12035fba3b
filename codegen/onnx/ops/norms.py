"""Normalisation of each example by itself; noise, of which evaluation has none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from codegen.onnx.lowering import Result
from codegen.onnx.native import Table, Use
from codegen.rules import function, key, of, operand
from nnspec.catalogue.ops.noise import SPATIAL_DROPOUTS, GaussianNoise
from nnspec.catalogue.ops.norms import (
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    LocalResponseNorm,
    RMSNorm,
    are_last,
    sizes_along,
)
from nnspec.catalogue.ops.reduction import Mean
from nnspec.core.dims import product
from nnspec.core.dtypes import DTYPES
from nnspec.graph.graph import Node
from nnspec.graph.weight_map import Reshape

TABLE = Table()
TABLE.add(operand(GaussianNoise), *map(operand, SPATIAL_DROPOUTS))


def all_of(value: float, use: Use, *shape: int) -> str:
    """A constant in place of a weight that the layer has not."""
    dtype = "f32" if use.to.widens else use.types[0].dtype
    return use.to.constant(np.full(shape, value, DTYPES[dtype].numpy), "ones" if value else "zeros")


def scale(op: LayerNorm | InstanceNorm, use: Use, *shape: int) -> str:
    return use.to.weight(use.weights["weight"]) if op.scale else all_of(1, use, *shape)


@TABLE.rule
def layer_norm(op: LayerNorm, use: Use, x: str) -> Result:
    over = op.over(use.types[0])
    given = [scale(op, use, *sizes_along(use.types[0], over))]
    given += [use.to.weight(use.weights["bias"])] if op.offset else []
    axis = {} if len(over) == 1 else {"axis": -len(over)}
    return use.to.op("LayerNormalization", x, *given, **axis, epsilon=op.epsilon)


@of
def is_last(op: LayerNorm | RMSNorm, node: Node) -> bool:
    """The operator normalises the last axes, of known sizes."""
    x, over = node.inputs[0].type, op.over(node.inputs[0].type)
    return are_last(over, x.rank) and all(isinstance(x.shape[i], int) for i in over)


TABLE.legal[LayerNorm] = is_last


@TABLE.rule
def instance_norm(op: InstanceNorm, use: Use, x: str) -> Result:
    channels = int(str(op.logical(use.types[0])[-1]))
    offset = use.to.weight(use.weights["bias"]) if op.offset else all_of(0, use, channels)
    given = scale(op, use, channels), offset
    return use.to.op("InstanceNormalization", x, *given, epsilon=op.epsilon)


@TABLE.rule
def group_norm(op: GroupNorm, use: Use, x: str) -> Result:
    """Each group as a feature of one long sequence: what runtimes have a kernel for at every operator set.

    GroupNormalization of set 21 has none in onnxruntime on CPUs, which takes it apart into some thirty operators.
    """
    to, shape = use.to, use.types[0].shape
    rows = to.op("Reshape", x, to.shape([0, op.groups, -1]))
    plain = all_of(1, use, op.groups), all_of(0, use, op.groups)
    y = to.op("InstanceNormalization", rows, *plain, epsilon=op.epsilon)
    open_ = [size for size in shape[1:] if not isinstance(size, int)]
    sizes = [0, *(size if isinstance(size, int) else -1 for size in shape[1:])]
    y = to.op("Reshape", y, to.shape(sizes) if len(open_) < 2 else to.op("Shape", x))
    each = (int(str(op.logical(use.types[0])[-1])), *(1,) * (len(shape) - 2))
    if op.scale:
        y = to.op("Mul", y, to.weight(use.weights["weight"], Reshape((each[0],), each)))
    if op.offset:
        y = to.op("Add", y, to.weight(use.weights["bias"], Reshape((each[0],), each)))
    return y


@of
def has_kernel(op: InstanceNorm | GroupNorm, node: Node) -> bool:
    """onnxruntime normalises f32 only, and of a single cell leaves the rounding of its own mean."""
    x = node.inputs[0].type
    return x.dtype != "f64" and product(op.logical(x)[1:-1]) != 1


for kind in (InstanceNorm, GroupNorm):
    TABLE.legal[kind] = has_kernel


@TABLE.rule
def rms_norm(op: RMSNorm, use: Use, x: str) -> Result:
    """Before its own operator, the pattern that onnxruntime makes one of."""
    to = use.to
    over = op.over(use.types[0])
    weight = [to.weight(w) for w in use.node.weights]
    if to.opset >= 23 and weight:
        axis = {} if len(over) == 1 else {"axis": -len(over)}
        return to.op("RMSNormalization", x, *weight, **axis, epsilon=op.epsilon)
    mean_over = replace(use.node, op=Mean(over, keepdims=True), weights=())
    (mean,) = to.applied(mean_over, (to.op("Pow", x, use.number(2)),))
    root = to.op("Sqrt", to.op("Add", mean, use.number(op.epsilon)))
    y = to.op("Div", x, root)
    return to.op("Mul", weight[0], y) if weight else y


TABLE.legal[RMSNorm] = is_last


@of
def is_odd(op: LocalResponseNorm, node: Node) -> bool:
    """Of an even number, the operator has one more behind than before; the language the other way round."""
    x = node.inputs[0].type
    return op.size % 2 == 1 and x.rank == 4 and x.dtype != "f64"


TABLE.add(
    function(
        LocalResponseNorm,
        "LRN",
        key("size", "size"),
        key("alpha", "alpha", 1e-4),
        key("beta", "beta", 0.75),
        key("bias", "k", 1.0),
        legal=is_odd,
    )
)
