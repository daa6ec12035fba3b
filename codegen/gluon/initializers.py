"""Initialisers as MXNet's."""

from __future__ import annotations

import math

from codegen.python.source import Call, Expr, Name
from nnspec.catalogue import initializers as init
from nnspec.catalogue.initializers import Initializer, fans_of
from nnspec.catalogue.ops.convolution import Conv, ConvTranspose
from nnspec.catalogue.ops.dense import Dense, Embedding
from nnspec.graph.graph import Node

INITIALIZED = (Dense, Embedding, Conv, ConvTranspose)
"""Layers whose blocks are told how their weights begin."""


def with_initializers(made: Call, node: Node) -> Call:
    """The block, told of those weights that begin otherwise than MXNet's (zeros for biases)."""
    if not isinstance(node.op, INITIALIZED):
        return made
    weights = {w.role: w for w in node.weights}
    for spec in node.op.weights(*(v.type for v in node.inputs)):
        weight = weights.get(spec.role)
        value = spec.initializer if weight is None else weight.initializer
        if isinstance(value, init.GlorotUniform):
            begin: Expr = Name("mx.init.Xavier")()
        elif spec.role == "bias" and isinstance(value, init.Zeros):
            continue
        else:
            shape = tuple(d for d in spec.shape if isinstance(d, int))
            begin = initializer(value, shape, spec.fans)
        made = made.with_keyword(f"{spec.role}_initializer", begin)
    return made


def initializer(
    value: Initializer | None, shape: tuple[int, ...], fans: tuple[int, int] | None
) -> Expr:
    """Constructor of the initialiser of a weight of this shape."""
    mx = "mx.init."
    match value:
        case init.Zeros() | None:
            return Name(mx + "Zero")()
        case init.Ones():
            return Name(mx + "One")()
        case init.Constant():
            return Name(mx + "Constant")(value.value)
        case init.Normal():
            return Name(mx + "Normal")(value.stddev)
        case init.TruncatedNormal():
            return Name("TruncatedNormal")(value.stddev)
        case init.Uniform() if value.low == -value.high:
            return Name(mx + "Uniform")(value.high)
        case init.Uniform():
            return Name("UniformBetween")(value.low, value.high)
        case init.Orthogonal():
            return Name(mx + "Orthogonal")(value.gain)
        case init.GlorotUniform():
            return Name(mx + "Uniform")(_rounded(math.sqrt(6 / sum(fans_of(shape, fans)))))
        case init.GlorotNormal():
            return Name(mx + "Normal")(_rounded(math.sqrt(2 / sum(fans_of(shape, fans)))))
        case init.HeUniform():
            return Name(mx + "Uniform")(_rounded(math.sqrt(6 / fans_of(shape, fans)[0])))
        case init.LecunNormal():
            return Name(mx + "Normal")(_rounded(math.sqrt(1 / fans_of(shape, fans)[0])))
        case init.HeNormal():
            return Name(mx + "Normal")(_rounded(math.sqrt(2 / fans_of(shape, fans)[0])))
    raise TypeError(f"no Gluon initialiser for {value}")


def _rounded(value: float) -> float:
    """Few enough digits to read; more would mean nothing to a random draw."""
    return float(f"{value:.6g}")
