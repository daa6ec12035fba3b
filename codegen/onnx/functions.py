"""Functions as ONNX operators."""

from __future__ import annotations

from typing import Any

import numpy as np

from codegen.dtypes import wide_indices
from codegen.onnx.dtypes import DTYPES
from codegen.onnx.layers import nothing
from codegen.onnx.lowering import Lowering, Rule
from nnspec.catalogue.ops import Op
from nnspec.catalogue.ops.activations import LogSoftmax, Relu, Sigmoid, Softmax, Tanh
from nnspec.catalogue.ops.algebra import MatMul
from nnspec.catalogue.ops.dense import Embedding
from nnspec.catalogue.ops.elementwise import (
    Abs,
    Add,
    Constant,
    Divide,
    Exp,
    Identity,
    Log,
    Log1p,
    Maximum,
    Minimum,
    Multiply,
    Negative,
    Sign,
    Sqrt,
    StopGradient,
    Subtract,
)
from nnspec.catalogue.ops.logic import (
    Equal,
    Greater,
    GreaterEqual,
    Less,
    LessEqual,
    NotEqual,
    Where,
)
from nnspec.catalogue.ops.pooling import GlobalAvgPool
from nnspec.catalogue.ops.random import RandomNormal
from nnspec.catalogue.ops.reduction import Mean, Sum
from nnspec.catalogue.ops.shaping import Cast, Concat, Flatten, Reshape, Slice, Transpose
from nnspec.catalogue.ops.site import Site, Term
from nnspec.core import dtypes
from nnspec.graph.graph import Node
from nnspec.graph.passes.legalize import Rewrite

END = np.iinfo(np.int64).max


def same(kind: str) -> Rule:
    """An operator that takes the operands and nothing else."""

    def rule(to: Lowering, node: Node, inputs: list[str]) -> list[str]:
        return [to.op(kind, inputs)]

    return rule


def along(kind: str) -> Rule:
    """An operator along one axis."""

    def rule(to: Lowering, node: Node, inputs: list[str]) -> list[str]:
        op: Any = node.op
        return [to.op(kind, inputs, axis=op.axis)]

    return rule


def reduce(kind: str, since: int) -> Rule:
    """A reduction; over every axis where none is named."""

    def rule(to: Lowering, node: Node, inputs: list[str]) -> list[str]:
        op: Any = node.op
        axes = op.over(node.inputs[0].type.rank)
        return [to.axes(kind, inputs[0], axes, since, keepdims=int(op.keepdims))]

    return rule


def constant(to: Lowering, node: Node, inputs: list[str]) -> list[str]:
    op: Any = node.op
    return [to.constant(np.array(op.value, dtypes.DTYPES[op.dtype].numpy), "constant")]


def global_avg_pool(to: Lowering, node: Node, inputs: list[str]) -> list[str]:
    op: Any = node.op
    if not op.channels_first:
        return [
            to.axes("ReduceMean", inputs[0], op.space(node.inputs[0].type.rank), 18, keepdims=0)
        ]
    return [to.op("Flatten", [to.op("GlobalAveragePool", inputs)])]


def flatten(to: Lowering, node: Node, inputs: list[str]) -> list[str]:
    return inputs if node.inputs[0].type.rank == 2 else [to.op("Flatten", inputs)]


def reshape(to: Lowering, node: Node, inputs: list[str]) -> list[str]:
    """Sizes that stay where they are are copied (0), one other unknown is worked out (-1)."""
    before, after = node.inputs[0].type.shape, node.outputs[0].type.shape
    codes: list[int] = []
    unknown = []
    for i, dim in enumerate(after):
        if isinstance(dim, int):
            codes.append(dim)
        elif i < len(before) and before[i] == dim:
            codes.append(0)
        else:
            unknown.append(i)
            codes.append(-1)
    if len(unknown) > 1:
        return [to.op("Reshape", [*inputs, to.shape(after)])]
    return [to.op("Reshape", [*inputs, to.constant(np.array(codes, np.int64), "shape")])]


def transpose(to: Lowering, node: Node, inputs: list[str]) -> list[str]:
    op: Any = node.op
    return [to.op("Transpose", inputs, perm=list(op.order(node.inputs[0].type.rank)))]


def slice_(to: Lowering, node: Node, inputs: list[str]) -> list[str]:
    op: Any = node.op
    cut = [
        i
        for i, (start, end, step) in enumerate(zip(op.starts, op.ends, op.steps, strict=True))
        if (start or 0, end, step) != (0, None, 1)
    ]
    (x,) = inputs
    if cut:
        starts = [op.starts[i] or 0 for i in cut]
        ends = [END if op.ends[i] is None else op.ends[i] for i in cut]
        bounds = [to.shape(starts), to.shape(ends)]
        numbers = (cut, [op.steps[i] for i in cut])
        fixed = [to.constant(np.array(n, np.int64), "slice") for n in numbers]
        x = to.op("Slice", [x, *bounds, *fixed])
    return [to.axes("Squeeze", x, op.squeeze, 13) if op.squeeze else x]


def cast(to: Lowering, node: Node, inputs: list[str]) -> list[str]:
    op: Any = node.op
    return [to.op("Cast", inputs, to=DTYPES[op.dtype])]


def random_normal(to: Lowering, node: Node, inputs: list[str]) -> list[str]:
    op: Any = node.op
    if all(isinstance(d, int) for d in op.shape):
        return [to.op("RandomNormal", [], shape=list(op.shape), mean=op.mean, scale=op.stddev)]
    like = to.op("ConstantOfShape", [to.shape(op.shape)])
    return [to.op("RandomNormalLike", [like], mean=op.mean, scale=op.stddev)]


def not_equal(to: Lowering, node: Node, inputs: list[str]) -> list[str]:
    return [to.op("Not", [to.op("Equal", inputs)])]


def log1p(to: Site, op: Log1p, x: Term) -> Term:
    """ONNX has no such operator; what the sum loses of a small `x` is put back by the quotient."""
    u = 1 + x
    return to.where(to.equal(u, 1), x, to.log(u) * x / (u - 1))


def where(to: Lowering, node: Node, inputs: list[str]) -> list[str]:
    """onnxruntime chooses between booleans on CPUs only where they are numbers."""
    if node.outputs[0].type.dtype != "bool":
        return [to.op("Where", inputs)]
    chosen, *sides = inputs
    bytes_ = [to.op("Cast", [side], to=DTYPES["u8"]) for side in sides]
    return [to.op("Cast", [to.op("Where", [chosen, *bytes_])], to=DTYPES["bool"])]


REWRITES: dict[type[Op], Rewrite] = {Log1p: log1p, Embedding: wide_indices}
FUNCTIONS: dict[type[Op], Rule] = {
    Relu: same("Relu"),
    Sigmoid: same("Sigmoid"),
    Tanh: same("Tanh"),
    Softmax: along("Softmax"),
    LogSoftmax: along("LogSoftmax"),
    Add: same("Add"),
    Subtract: same("Sub"),
    Multiply: same("Mul"),
    Divide: same("Div"),
    Maximum: same("Max"),
    Minimum: same("Min"),
    Negative: same("Neg"),
    Exp: same("Exp"),
    Log: same("Log"),
    Sqrt: same("Sqrt"),
    Sign: same("Sign"),
    Equal: same("Equal"),
    NotEqual: not_equal,
    Less: same("Less"),
    LessEqual: same("LessOrEqual"),
    Greater: same("Greater"),
    GreaterEqual: same("GreaterOrEqual"),
    Where: where,
    Abs: same("Abs"),
    Identity: nothing,
    StopGradient: nothing,
    Constant: constant,
    GlobalAvgPool: global_avg_pool,
    Mean: reduce("ReduceMean", 18),
    Sum: reduce("ReduceSum", 13),
    Flatten: flatten,
    Reshape: reshape,
    Transpose: transpose,
    Concat: along("Concat"),
    Slice: slice_,
    Cast: cast,
    MatMul: same("MatMul"),
    RandomNormal: random_normal,
}
