"""Numbers, elements in order and by their numbers, sliding windows as ONNX operators."""

from __future__ import annotations

from typing import Any

import numpy as np

from codegen.onnx.dtypes import DTYPES as ELEMENT_TYPES
from codegen.onnx.functions import along, reduce, same
from codegen.onnx.lowering import Lowering, Rule
from codegen.rewrites import in_rows, max_window_padded, scatter_in_rows
from nnspec.catalogue.ops import Op
from nnspec.catalogue.ops.arranging import BroadcastTo, Flip, Pad
from nnspec.catalogue.ops.indexing import Gather, OneHot, ScatterAdd
from nnspec.catalogue.ops.logic import LogicalAnd, LogicalNot, LogicalOr
from nnspec.catalogue.ops.numeric import Ceil, Cos, Erf, Expm1, Floor, Power, Round, Sin
from nnspec.catalogue.ops.random import RandomUniform
from nnspec.catalogue.ops.reduction import Max, Min, Prod
from nnspec.catalogue.ops.search import ArgMax, ArgMin, CumSum, TopK
from nnspec.catalogue.ops.site import Site, Term
from nnspec.catalogue.ops.sliding import Convolution, ConvolutionTranspose, MaxWindow
from nnspec.core.dtypes import DTYPES
from nnspec.graph.graph import Node
from nnspec.graph.passes.legalize import Rewrite


def _whole(to: Lowering, *numbers: int) -> str:
    return to.constant(np.array(numbers, np.int64), "numbers")


def position(kind: str) -> Rule:
    def rule(to: Lowering, node: Node, inputs: list[str]) -> list[str]:
        op: Any = node.op
        return [to.op(kind, inputs, axis=op.axis, keepdims=int(op.keepdims))]

    return rule


def cumsum(to: Lowering, node: Node, inputs: list[str]) -> list[str]:
    op: Any = node.op
    axis = to.constant(np.array(op.axis, np.int64), "axis")
    return [to.op("CumSum", [*inputs, axis])]


def topk(to: Lowering, node: Node, inputs: list[str]) -> list[str]:
    op: Any = node.op
    values = to.op("TopK", [*inputs, _whole(to, op.k)], 2, axis=op.axis)
    return [values, f"{values}_2"]


def flip(to: Lowering, node: Node, inputs: list[str]) -> list[str]:
    op: Any = node.op
    count = len(op.axis)
    least = np.iinfo(np.int64).min
    ends = (_whole(to, *[n] * count) for n in (-1, least))
    return [to.op("Slice", [*inputs, *ends, _whole(to, *op.axis), _whole(to, *[-1] * count)])]


def pad(to: Lowering, node: Node, inputs: list[str]) -> list[str]:
    op: Any = node.op
    sizes = [before for before, _ in op.pads] + [after for _, after in op.pads]
    dtype = np.dtype("f4") if to.widens else DTYPES[node.inputs[0].type.dtype].numpy
    value = to.constant(np.array(op.value, dtype), "constant")
    return [to.op("Pad", [*inputs, to.shape(sizes), value])]


def broadcast_to(to: Lowering, node: Node, inputs: list[str]) -> list[str]:
    op: Any = node.op
    return [to.op("Expand", [*inputs, to.shape(op.shape)])]


def scatter_add(to: Lowering, node: Node, inputs: list[str]) -> list[str]:
    x, indices, updates = inputs
    if node.inputs[1].type.dtype != "i64":
        indices = to.op("Cast", [indices], to=ELEMENT_TYPES["i64"])
    rows = to.axes("Unsqueeze", indices, [1], 13)
    return [to.op("ScatterND", [x, rows, updates], reduction="add")]


def one_hot(to: Lowering, node: Node, inputs: list[str]) -> list[str]:
    op: Any = node.op
    # Runtimes have it for few types of its operand and result.
    values = to.constant(np.array([0, 1], "f4"), "values")
    (x,) = inputs
    if node.inputs[0].type.dtype != "i64":
        x = to.op("Cast", [x], to=ELEMENT_TYPES["i64"])
    made = to.op("OneHot", [x, _whole(to, op.classes), values])
    return [made if op.dtype == "f32" else to.op("Cast", [made], to=ELEMENT_TYPES[op.dtype])]


def random_uniform(to: Lowering, node: Node, inputs: list[str]) -> list[str]:
    op: Any = node.op
    if all(isinstance(d, int) for d in op.shape):
        return [to.op("RandomUniform", [], shape=list(op.shape), low=op.low, high=op.high)]
    like = to.op("ConstantOfShape", [to.shape(op.shape)])
    return [to.op("RandomUniformLike", [like], low=op.low, high=op.high)]


def _features_second(to: Lowering, x: str, rank: int) -> str:
    return to.op("Transpose", [x], perm=[0, rank + 1, *range(1, rank + 1)])


def _features_last(to: Lowering, x: str, rank: int) -> str:
    return to.op("Transpose", [x], perm=[0, *range(2, rank + 2), 1])


def sliding(kind: str) -> Rule:
    """An operator over space, which wants features second."""

    def rule(to: Lowering, node: Node, inputs: list[str]) -> list[str]:
        op: Any = node.op
        x, *kernel = inputs
        attributes: dict[str, Any] = {"strides": list(op.steps)}
        if kernel:
            attributes["dilations"] = list(op.spread)
            attributes["group"] = op.groups
        else:
            attributes["kernel_shape"] = list(op.cells)
        if isinstance(op, Convolution):
            pads = op.pads
            attributes["pads"] = [p[0] for p in pads] + [p[1] for p in pads]
        seen = _features_second(to, x, op.rank)
        return [_features_last(to, to.op(kind, [seen, *kernel], **attributes), op.rank)]

    return rule


def expm1(to: Site, op: Expm1, x: Term) -> Term:
    """ONNX has no such operator; what the difference loses of a small `x` is put back by the quotient."""
    u = to.exp(x)
    near = to.where(to.equal(u, 1), x, (u - 1) * x / to.log(u))
    return to.where(abs(x) < 1, near, u - 1)


def _is_bare(node: Node) -> bool:
    return isinstance(node.op, MaxWindow) and not any(map(any, node.op.pads))


LEGAL = {ScatterAdd: in_rows, MaxWindow: _is_bare}
REWRITES: dict[type[Op], Rewrite] = {
    Expm1: expm1,
    ScatterAdd: scatter_in_rows,
    MaxWindow: max_window_padded,
}
RULES: dict[type[Op], Rule] = {
    Power: same("Pow"),
    Sin: same("Sin"),
    Cos: same("Cos"),
    Erf: same("Erf"),
    Floor: same("Floor"),
    Ceil: same("Ceil"),
    Round: same("Round"),
    LogicalAnd: same("And"),
    LogicalOr: same("Or"),
    LogicalNot: same("Not"),
    Max: reduce("ReduceMax", 18),
    Min: reduce("ReduceMin", 18),
    Prod: reduce("ReduceProd", 18),
    ArgMax: position("ArgMax"),
    ArgMin: position("ArgMin"),
    CumSum: cumsum,
    TopK: topk,
    Flip: flip,
    Pad: pad,
    BroadcastTo: broadcast_to,
    Gather: along("Gather"),
    ScatterAdd: scatter_add,
    OneHot: one_hot,
    RandomUniform: random_uniform,
    Convolution: sliding("Conv"),
    ConvolutionTranspose: sliding("ConvTranspose"),
    MaxWindow: sliding("MaxPool"),
}
