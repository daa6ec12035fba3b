"""Initialisers as MXNet's."""

from __future__ import annotations

import math

from codegen.python.source import Expr, Name
from nnspec.catalogue import initializers as init
from nnspec.catalogue.initializers import Initializer, fans_of


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
        case init.HeNormal():
            return Name(mx + "Normal")(_rounded(math.sqrt(2 / fans_of(shape, fans)[0])))
    raise TypeError(f"no Gluon initialiser for {value}")


def _rounded(value: float) -> float:
    """Few enough digits to read; more would mean nothing to a random draw."""
    return float(f"{value:.6g}")
