"""Over axes: how far elements spread, their logarithms summed, and rows of length one."""

from __future__ import annotations

from collections.abc import Iterator

from nnspec.catalogue.ops.activations import AlongAxis, greatest
from nnspec.catalogue.ops.base import Example, declare
from nnspec.catalogue.ops.derivatives import kept
from nnspec.catalogue.ops.helpers import normal_axis
from nnspec.catalogue.ops.reduction import Reduce
from nnspec.catalogue.ops.site import Site, Term
from nnspec.core.dims import symbol
from nnspec.core.fields import arg
from nnspec.core.kinds import axes, axis, boolean, optional, real
from nnspec.core.types import TensorType

N = symbol("N")


class Spread(Reduce):
    """Over more than one element: a single one has none."""

    @classmethod
    def examples(cls) -> Iterator[Example]:
        x = TensorType("f32", (N, 5, 3, 4))
        for over in (None, (1,), (-1,), (1, 2)):
            yield Example(cls(axis=over, keepdims=False), (x,))
            yield Example(cls(axis=over, keepdims=True), (x,))


@declare
class Var(Spread):
    """The variance over axes: the mean of the squared differences from the mean.

    It is the population's, as NumPy's and Keras's, divided by n; PyTorch by itself divides by n - 1.
    """

    name = "var"
    axis: tuple[int, ...] | None = arg(
        "axes that vanish; none is all", optional(axes), default=None
    )
    keepdims: bool = arg("whether they stay, with size 1", boolean, default=False)

    def expand(self, to: Site, x: Term) -> Term:
        over = self.over(x.rank)
        apart = x - to.mean(x, axis=over, keepdims=True)
        return to.mean(apart * apart, axis=over, keepdims=self.keepdims)


@declare
class Std(Spread):
    """The standard deviation over axes: the root of the population's variance (see `var`)."""

    name = "std"
    axis: tuple[int, ...] | None = arg(
        "axes that vanish; none is all", optional(axes), default=None
    )
    keepdims: bool = arg("whether they stay, with size 1", boolean, default=False)

    def expand(self, to: Site, x: Term) -> Term:
        return to.sqrt(to.var(x, axis=self.over(x.rank), keepdims=self.keepdims))


@declare
class LogSumExp(Reduce):
    """`log(sum(exp(x)))` over axes, without overflow; of nothing but minus infinity, minus infinity."""

    name = "logsumexp"
    axis: tuple[int, ...] | None = arg(
        "axes that vanish; none is all", optional(axes), default=None
    )
    keepdims: bool = arg("whether they stay, with size 1", boolean, default=False)

    def expand(self, to: Site, x: Term) -> Term:
        over = self.over(x.rank)
        most = greatest(to, x, over)
        most = to.where(to.equal(most - most, 0), most, 0)  # infinities cannot be taken away
        total = to.log(to.sum(to.exp(x - most), axis=over, keepdims=True)) + most
        return total if self.keepdims else kept(to, total, self.infer(x.type)[0].shape, ())


@declare
class Normalize(AlongAxis):
    """`x` divided by its length along an axis, `sqrt(sum(x * x))`, or by `epsilon` where that is greater.

    The gradient at 0 is that of a division by `epsilon`. `x -> Dense(64) -> normalize`.
    """

    name = "normalize"
    axis: int = arg("the axis along which the length is 1", axis, default=-1)
    epsilon: float = arg("the least length to divide by", real(0), default=1e-12)

    def expand(self, to: Site, x: Term) -> Term:
        over = (normal_axis(self.axis, x.rank),)
        squares = to.sum(x * x, axis=over, keepdims=True)
        return x / to.sqrt(to.maximum(squares, self.epsilon**2))
