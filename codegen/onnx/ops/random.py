"""Draws, whose sizes are attributes where they are known, and told by an operand where not."""

from __future__ import annotations

from typing import Any

from codegen.onnx.lowering import Result
from codegen.onnx.native import Table, Use
from nnspec.catalogue.ops.random import Draw, RandomNormal, RandomUniform

TABLE = Table()
TABLE.until = {RandomNormal: 21, RandomUniform: 21}


def drawn(kind: str, op: Draw, use: Use, **settings: Any) -> Result:
    sizes = op.sizes()
    if len(sizes) == len(op.shape):
        return use.to.op(kind, shape=sizes, **settings)
    like = use.to.op("ConstantOfShape", use.to.shape(op.shape))
    return use.to.op(f"{kind}Like", like, **settings)


@TABLE.rule
def random_normal(op: RandomNormal, use: Use) -> Result:
    return drawn("RandomNormal", op, use, mean=op.mean, scale=op.stddev)


@TABLE.rule
def random_uniform(op: RandomUniform, use: Use) -> Result:
    return drawn("RandomUniform", op, use, low=op.low, high=op.high)
