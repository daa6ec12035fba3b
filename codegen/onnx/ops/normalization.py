"""Batch norm, which has no form without scale and offset."""

from __future__ import annotations

import numpy as np

from codegen.onnx.lowering import Result
from codegen.onnx.native import Table, Use
from nnspec.catalogue.ops.normalization import BatchNorm
from nnspec.core.dtypes import DTYPES

TABLE = Table()


@TABLE.rule
def batch_norm(op: BatchNorm, use: Use, x: str) -> Result:
    to, weights = use.to, use.weights
    mean, var = weights["running_mean"], weights["running_var"]
    dtype = DTYPES["f32" if to.widens else use.types[0].dtype].numpy
    form = np.ones(int(str(mean.type.shape[0])), dtype)
    scale = to.weight(weights["weight"]) if op.scale else to.constant(form, "ones")
    offset = to.weight(weights["bias"]) if op.offset else to.constant(0 * form, "zeros")
    middle = to.weight(mean)
    if added := to.unadded.get(use.node.inputs[0]):
        middle = to.op("Sub", middle, added)
    kept = middle, to.weight(var)
    return to.op("BatchNormalization", x, scale, offset, *kept, epsilon=op.epsilon)
