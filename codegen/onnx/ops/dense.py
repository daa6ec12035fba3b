"""Layers that multiply by a matrix, look-up, dropout."""

from __future__ import annotations

from codegen.dtypes import wide_indices
from codegen.onnx.lowering import Result
from codegen.onnx.native import Table, Use
from codegen.onnx.normed import NormedDense
from codegen.rules import operand
from nnspec.catalogue.ops.dense import Dense, Embedding
from nnspec.catalogue.ops.normalization import Dropout
from nnspec.graph.weight_map import Permute

TABLE = Table()
TABLE.add(operand(Dropout))


@TABLE.rule
def dense(op: Dense, use: Use, x: str) -> Result:
    """Gemm is for matrices; with more axes, MatMul and Add."""
    to, (kernel, *bias) = use.to, use.node.weights
    if use.rank == 2:
        return to.op("Gemm", x, to.weight(kernel), *map(to.weight, bias), transB=1)
    product = to.op("MatMul", x, to.weight(kernel, Permute((1, 0))))
    return to.op("Add", product, to.weight(bias[0])) if bias else product


@TABLE.rule
def normed_dense(op: NormedDense, use: Use, x: str) -> Result:
    """The norm adds the bias of a `MatMul`."""
    to, (kernel, *bias) = use.to, use.node.weights
    y = to.op("MatMul", x, to.weight(kernel, Permute((1, 0))))
    if bias:
        to.unadded[use.node.outputs[0]] = to.weight(bias[0])
    return y


@TABLE.rule
def embedding(op: Embedding, use: Use, x: str) -> Result:
    return use.to.op("Gather", use.to.weight(use.weights["weight"]), x)


TABLE.rewrites[Embedding] = wide_indices
