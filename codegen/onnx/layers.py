"""Layers as ONNX operators."""

from __future__ import annotations

from typing import Any

import numpy as np

from codegen.onnx.lowering import Lowering, Rule
from nnspec.catalogue.ops import Op
from nnspec.catalogue.ops.convolution import CONVOLUTIONS, TRANSPOSED
from nnspec.catalogue.ops.dense import Dense, Embedding
from nnspec.catalogue.ops.image import Windowed
from nnspec.catalogue.ops.normalization import BatchNorm, Dropout
from nnspec.catalogue.ops.pooling import AVG_POOLS, MAX_POOLS
from nnspec.catalogue.ops.recurrent import LSTM
from nnspec.catalogue.ops.windows import extent
from nnspec.core.dtypes import DTYPES
from nnspec.graph.graph import Node
from nnspec.graph.weight_map import Gates, Permute, Reshape, ZeroPad


def dense(to: Lowering, node: Node, inputs: list[str]) -> list[str]:
    """Gemm is for matrices; with more axes, MatMul and Add."""
    kernel, *bias = node.weights
    if node.inputs[0].type.rank == 2:
        return [to.op("Gemm", [*inputs, to.weight(kernel), *map(to.weight, bias)], transB=1)]
    product = to.op("MatMul", [*inputs, to.weight(kernel, Permute((1, 0)))])
    return [to.op("Add", [product, to.weight(bias[0])]) if bias else product]


def padding(op: Windowed, node: Node) -> dict[str, Any]:
    """`pads` (all begins, then all ends), or `auto_pad` where they depend on a size not yet known."""
    pairs = op.around(node.inputs[0].type)
    if pairs is None:
        return {"auto_pad": "SAME_UPPER"}
    pads = [p[0] for p in pairs] + [p[1] for p in pairs]
    return {"pads": pads} if any(pads) else {}


def conv(to: Lowering, node: Node, inputs: list[str]) -> list[str]:
    op: Any = node.op
    attributes: dict[str, Any] = {"kernel_shape": list(op.kernel)}
    if set(op.stride) != {1}:
        attributes["strides"] = list(op.stride)
    if set(op.dilation) != {1}:
        attributes["dilations"] = list(op.dilation)
    if op.groups != 1:
        attributes["group"] = op.groups
    attributes |= padding(op, node)
    return [to.op("Conv", [*inputs, *map(to.weight, node.weights)], **attributes)]


def conv_transpose(to: Lowering, node: Node, inputs: list[str]) -> list[str]:
    op: Any = node.op
    attributes: dict[str, Any] = {"kernel_shape": list(op.kernel)}
    if set(op.stride) != {1}:
        attributes["strides"] = list(op.stride)
    if set(op.dilation) != {1}:
        attributes["dilations"] = list(op.dilation)
    if op.padding == "same":
        over = [extent(k, d) - s for k, d, s in zip(op.kernel, op.dilation, op.stride, strict=True)]
        cut = [max(o, 0) for o in over]
        attributes["pads"] = [c // 2 for c in cut] + [c - c // 2 for c in cut]
        if any(o < 0 for o in over):
            attributes["output_padding"] = [max(-o, 0) for o in over]
    return [to.op("ConvTranspose", [*inputs, *map(to.weight, node.weights)], **attributes)]


def pool(kind: str) -> Rule:
    """MaxPool and AveragePool; padding never counts."""

    def rule(to: Lowering, node: Node, inputs: list[str]) -> list[str]:
        op: Any = node.op
        attributes: dict[str, Any] = {"kernel_shape": list(op.size), "strides": list(op.step)}
        attributes |= padding(op, node)
        return [to.op(kind, inputs, **attributes)]

    return rule


def batch_norm(to: Lowering, node: Node, inputs: list[str]) -> list[str]:
    op: Any = node.op
    found = {w.role: w for w in node.weights}
    channels = found["running_mean"].type.shape[0]
    size = int(str(channels))
    dtype = np.dtype("f4") if to.widens else DTYPES[node.inputs[0].type.dtype].numpy
    scale = to.weight(found["weight"]) if op.scale else to.constant(np.ones(size, dtype), "ones")
    bias = to.weight(found["bias"]) if op.offset else to.constant(np.zeros(size, dtype), "zeros")
    attributes: dict[str, Any] = {"epsilon": op.epsilon, "momentum": op.momentum}
    if to.training:
        attributes["training_mode"] = 1
    kept = [to.weight(found["running_mean"]), to.weight(found["running_var"])]
    return [
        to.op(
            "BatchNormalization",
            [*inputs, scale, bias, *kept],
            3 if to.training else 1,
            **attributes,
        )
    ]


def nothing(to: Lowering, node: Node, inputs: list[str]) -> list[str]:
    """The identity is no node at all."""
    return inputs


def embedding(to: Lowering, node: Node, inputs: list[str]) -> list[str]:
    return [to.op("Gather", [to.weight(node.weights[0]), *inputs])]


ONNX_GATES = (0, 3, 1, 2)
"""Gates i f g o in the order i o f c of the operator."""


def lstm(to: Lowering, node: Node, inputs: list[str]) -> list[str]:
    """The operator reads [T, N, C] and has two biases, the second of which stays zero."""
    op: Any = node.op
    found = {w.role: w for w in node.weights}
    units, directions = op.units, op.directions
    x = to.op("Transpose", inputs, perm=[1, 0, 2])
    hidden = cell = ""
    for layer in range(op.layers):
        parts: list[list[str]] = [[], [], []]
        for suffix in ("", "_reverse")[:directions]:
            name = f"l{layer}{suffix}"
            width = int(str(found[f"weight_ih_{name}"].type.shape[1]))
            gates = Gates(0, ONNX_GATES)
            for part, role, columns in ((0, "weight_ih", width), (1, "weight_hh", units)):
                shape = Reshape((4 * units, columns), (1, 4 * units, columns))
                parts[part].append(to.weight(found[f"{role}_{name}"], gates, shape))
            bias = Reshape((8 * units,), (1, 8 * units))
            parts[2].append(to.weight(found[f"bias_{name}"], gates, ZeroPad(0, 4 * units), bias))
        operands = [p[0] if directions == 1 else to.op("Concat", p, axis=0) for p in parts]
        direction = {"direction": "bidirectional"} if directions == 2 else {}
        y = to.op("LSTM", [x, *operands], 3, hidden_size=units, **direction)
        hidden, cell = f"{y}_2", f"{y}_3"
        if directions == 1:
            x = to.axes("Squeeze", y, [1], 13)
        else:  # [T, 2, N, H] to [T, N, 2 * H]
            moved = to.op("Transpose", [y], perm=[0, 2, 1, 3])
            x = to.op("Reshape", [moved, to.constant(np.array([0, 0, -1], np.int64), "shape")])
    results = {
        "sequence": lambda: [_batch_first(to, x)],
        "last": lambda: [_state(to, hidden, directions)],
    }
    if op.returns == "all":
        return [_batch_first(to, x), _state(to, hidden, directions), _state(to, cell, directions)]
    return results[op.returns]()


def _batch_first(to: Lowering, x: str) -> str:
    return to.op("Transpose", [x], perm=[1, 0, 2])


def _state(to: Lowering, state: str, directions: int) -> str:
    """[directions, N, H] to [N, directions * H]."""
    if directions == 1:
        return to.axes("Squeeze", state, [0], 13)
    moved = to.op("Transpose", [state], perm=[1, 0, 2])
    return to.op("Reshape", [moved, to.constant(np.array([0, -1], np.int64), "shape")])


LAYERS: dict[type[Op], Rule] = {
    Dense: dense,
    **dict.fromkeys(CONVOLUTIONS, conv),
    **dict.fromkeys(TRANSPOSED, conv_transpose),
    **dict.fromkeys(MAX_POOLS, pool("MaxPool")),
    **dict.fromkeys(AVG_POOLS, pool("AveragePool")),
    BatchNorm: batch_norm,
    Dropout: nothing,
    Embedding: embedding,
    LSTM: lstm,
}
