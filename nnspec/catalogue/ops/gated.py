"""Activations that let through a share of `x`, as large as `x` says."""

from __future__ import annotations

import math
from collections.abc import Iterator

from nnspec.catalogue.ops.activations import AlongAxis
from nnspec.catalogue.ops.arranging import Split
from nnspec.catalogue.ops.base import Example, ShapeError, declare
from nnspec.catalogue.ops.elementwise import Unary
from nnspec.catalogue.ops.helpers import need_float, normal_axis
from nnspec.catalogue.ops.site import Site, Term
from nnspec.core.dims import symbol
from nnspec.core.fields import arg
from nnspec.core.kinds import axis, boolean
from nnspec.core.types import TensorType

N = symbol("N")


@declare
class Gelu(Unary):
    """`x` times the share of normal numbers below it, `x * (1 + erf(x / sqrt(2))) / 2` (Hendrycks and Gimpel 2016).

    `approximate = true` is the same paper's form with `tanh`, as in GPT-2:
    `0.5 * x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x ** 3)))`.
    """

    name = "gelu"
    approximate: bool = arg("whether by tanh", boolean, default=False)

    def expand(self, to: Site, x: Term) -> Term:
        if not self.approximate:
            return 0.5 * (x * (1 + to.erf(x / math.sqrt(2))))
        inner = math.sqrt(2 / math.pi) * (x + 0.044715 * (x * x * x))
        return 0.5 * (x * (1 + to.tanh(inner)))

    @classmethod
    def examples(cls) -> Iterator[Example]:
        for approximate in (False, True):
            yield Example(cls(approximate), (TensorType("f32", (N, 5)),))
        yield Example(cls(), (TensorType("f32", (2, 3, 5, 4)),))


@declare
class Silu(Unary):
    """`x * sigmoid(x)`, also called swish (Elfwing et al. 2018): `x -> Dense(8, activation = silu)`."""

    name = "silu"

    def expand(self, to: Site, x: Term) -> Term:
        return x * to.sigmoid(x)


@declare
class Mish(Unary):
    """`x * tanh(softplus(x))` (Misra 2019): `x -> Dense(8, activation = mish)`."""

    name = "mish"

    def expand(self, to: Site, x: Term) -> Term:
        return x * to.tanh(to.softplus(x))


@declare
class HardSigmoid(Unary):
    """`relu6(x + 3) / 6`, a sigmoid of three straight lines, as in PyTorch and Keras 3 (Howard et al. 2019).

    (ONNX's and MXNet's own has the slope 0.2.) `x -> Dense(8, activation = hard_sigmoid)`.
    """

    name = "hard_sigmoid"

    def expand(self, to: Site, x: Term) -> Term:
        return to.relu6(x + 3) / 6


@declare
class HardSwish(Unary):
    """`x * relu6(x + 3) / 6` (Howard et al. 2019): `x -> Dense(8, activation = hard_swish)`."""

    name = "hard_swish"

    def expand(self, to: Site, x: Term) -> Term:
        return x * to.hard_sigmoid(x)


@declare
class Softsign(Unary):
    """`x / (1 + |x|)`: `x -> Dense(8, activation = softsign)`."""

    name = "softsign"

    def expand(self, to: Site, x: Term) -> Term:
        return x / (1 + abs(x))


@declare
class Glu(AlongAxis):
    """Half of the features, each let through by a sigmoid of one of the other half: `a * sigmoid(b)` (Dauphin et al. 2017).

    `[..., 2 C]` becomes `[..., C]`: `x -> Dense(16) -> glu`.
    """

    name = "glu"
    axis: int = arg("the axis that is halved", axis, default=-1)

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        (x,) = inputs
        need_float(x)
        at = normal_axis(self.axis, x.rank)
        size = x.shape[at]
        if not isinstance(size, int) or size % 2:
            raise ShapeError(f"needs an even number to halve, found {size} along axis {at}", 0)
        return (x.with_shape((*x.shape[:at], size // 2, *x.shape[at + 1 :])),)

    def expand(self, to: Site, x: Term) -> Term:
        through, gate = to.apply(Split(2, self.axis), x)
        return through * to.sigmoid(gate)

    @classmethod
    def examples(cls) -> Iterator[Example]:
        yield Example(cls(), (TensorType("f32", (N, 6)),))
        yield Example(cls(1), (TensorType("f32", (N, 4, 3)),))
        yield Example(cls(), (TensorType("f32", (2, 3, 5, 6)),))
