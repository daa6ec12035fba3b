"""Element by element: powers, waves, rounding, bounds."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from nnspec.catalogue.ops.base import Example, Operand, declare
from nnspec.catalogue.ops.derivatives import Flows, Terms
from nnspec.catalogue.ops.elementwise import Binary, Unary
from nnspec.catalogue.ops.helpers import need_float
from nnspec.catalogue.ops.site import Site, Term
from nnspec.core.dims import symbol
from nnspec.core.fields import arg
from nnspec.core.kinds import optional, real
from nnspec.core.lazy import np
from nnspec.core.types import TensorType

if TYPE_CHECKING:
    from nnspec.catalogue.ops.base import Array

N = symbol("N")


@declare
class Power(Binary):
    """`a` to the power of `b`; a negative `a` has powers that are whole numbers only."""

    name = "power"
    operands = (Operand("a", domain="positive"), Operand("b"))

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        result = super().infer(*inputs)
        need_float(*inputs)
        return result

    def evaluate(self, a: Array, b: Array) -> Array:
        return np.power(a, b)

    def flows(self, to: Site, a: Term, b: Term, y: Term, flow: Term) -> tuple[Term, Term]:
        # Where b is 0 the power does not move with a, not even at 0.
        slope = to.where(to.equal(b, 0), 0, b * a ** (b - 1))
        above = a > 0
        return flow * slope, flow * y * to.where(above, to.log(to.where(above, a, 1)), 0)


@declare
class Rsqrt(Unary):
    """`1 / sqrt(x)`."""

    name = "rsqrt"
    operands = (Operand("x", domain="positive"),)

    def expand(self, to: Site, x: Term) -> Term:
        return 1 / to.sqrt(x)


@declare
class Expm1(Unary):
    """`exp(x) - 1`, exact for small `x`."""

    name = "expm1"

    def evaluate(self, x: Array) -> Array:
        return np.expm1(x)

    def derivative(self, to: Site, x: Term, y: Term) -> Term:
        return y + 1


@declare
class Sin(Unary):
    """The sine of an angle in radians."""

    name = "sin"

    def evaluate(self, x: Array) -> Array:
        return np.sin(x)

    def derivative(self, to: Site, x: Term, y: Term) -> Term:
        return to.cos(x)


@declare
class Cos(Unary):
    """The cosine of an angle in radians."""

    name = "cos"

    def evaluate(self, x: Array) -> Array:
        return np.cos(x)

    def derivative(self, to: Site, x: Term, y: Term) -> Term:
        return -to.sin(x)


@declare
class Erf(Unary):
    """The error function: `2 / sqrt(pi)` times the integral of `exp(-t ** 2)` from 0 to `x`."""

    name = "erf"

    def evaluate(self, x: Array) -> Array:
        return np.asarray(np.frompyfunc(math.erf, 1, 1)(x), x.dtype)

    def derivative(self, to: Site, x: Term, y: Term) -> Term:
        return 2 / math.sqrt(math.pi) * to.exp(-(x * x))


class Rounding(Unary):
    """To a whole number. It moves in steps: nothing flows back."""

    def gradient(self, to: Site, operands: Terms, results: Terms, gradients: Flows) -> Flows:
        return (None,)


@declare
class Floor(Rounding):
    """The greatest whole number that is not above `x`."""

    name = "floor"

    def evaluate(self, x: Array) -> Array:
        return np.floor(x)


@declare
class Ceil(Rounding):
    """The least whole number that is not below `x`."""

    name = "ceil"

    def evaluate(self, x: Array) -> Array:
        return np.ceil(x)


@declare
class Round(Rounding):
    """The nearest whole number, the even one of two."""

    name = "round"

    def evaluate(self, x: Array) -> Array:
        return np.rint(x)


@declare
class Clip(Unary):
    """`x`, but not below `low` and not above `high`. At a bound the gradient is 1."""

    name = "clip"
    low: float | None = arg("the least, or none", optional(real()), default=None)
    high: float | None = arg("the greatest, or none", optional(real()), default=None)

    def expand(self, to: Site, x: Term) -> Term:
        if self.low is not None:
            x = to.where(x < self.low, self.low, x)
        return x if self.high is None else to.where(x > self.high, self.high, x)

    @classmethod
    def examples(cls) -> Iterator[Example]:
        x = TensorType("f32", (N, 5, 3))
        yield Example(cls(-0.5, 0.75), (x,))
        yield Example(cls(0.1), (x,))
        yield Example(cls(high=0.25), (x,))
