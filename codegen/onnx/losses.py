"""Losses and metrics as ONNX operators."""

from __future__ import annotations

from typing import Any

from onnx import TensorProto

from codegen.onnx.lowering import Lowering, Rule
from nnspec.catalogue.ops import Op
from nnspec.catalogue.ops.losses import Accuracy, BinaryCrossEntropy, CrossEntropy, Mse
from nnspec.graph.graph import Node


def reduced(to: Lowering, x: str, rank: int, reduction: str) -> str:
    if reduction == "none":
        return x
    kind, since = ("ReduceMean", 18) if reduction == "mean" else ("ReduceSum", 13)
    return to.axes(kind, x, range(rank), since, keepdims=0)


def cross_entropy(to: Lowering, node: Node, inputs: list[str]) -> list[str]:
    """The operator wants the classes on the second axis, and labels of 64 bits."""
    op: Any = node.op
    logits, labels = inputs
    rank = node.inputs[0].type.rank
    if rank > 2:
        logits = to.op("Transpose", [logits], perm=[0, rank - 1, *range(1, rank - 1)])
    if node.inputs[1].type.dtype != "i64":
        labels = to.op("Cast", [labels], to=TensorProto.INT64)
    return [to.op("SoftmaxCrossEntropyLoss", [logits, labels], reduction=op.reduction)]


def mse(to: Lowering, node: Node, inputs: list[str]) -> list[str]:
    op: Any = node.op
    gap = to.op("Sub", inputs)
    return [reduced(to, to.op("Mul", [gap, gap]), node.inputs[0].type.rank, op.reduction)]


def binary_cross_entropy(to: Lowering, node: Node, inputs: list[str]) -> list[str]:
    """`max(x, 0) - x * t + log(1 + exp(-|x|))`, which does not overflow."""
    op: Any = node.op
    logits, targets = inputs
    linear = to.op("Sub", [to.op("Relu", [logits]), to.op("Mul", [logits, targets])])
    small = to.op("Softplus", [to.op("Neg", [to.op("Abs", [logits])])])
    loss = to.op("Add", [linear, small])
    return [reduced(to, loss, node.inputs[0].type.rank, op.reduction)]


def accuracy(to: Lowering, node: Node, inputs: list[str]) -> list[str]:
    logits, labels = inputs
    best = to.op("ArgMax", [logits], axis=-1, keepdims=0)
    right = to.op("Equal", [best, to.op("Cast", [labels], to=TensorProto.INT64)])
    share = to.op("Cast", [right], to=TensorProto.FLOAT)
    return [reduced(to, share, node.inputs[1].type.rank, "mean")]


LOSSES: dict[type[Op], Rule] = {
    CrossEntropy: cross_entropy,
    Mse: mse,
    BinaryCrossEntropy: binary_cross_entropy,
    Accuracy: accuracy,
}
