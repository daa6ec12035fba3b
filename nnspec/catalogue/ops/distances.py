"""Losses of rows: how far vectors, or distributions, are from each other; and the size of a tensor."""

from __future__ import annotations

import operator
from abc import abstractmethod
from collections.abc import Iterator
from functools import reduce

from nnspec.catalogue.ops.base import Example, Op, Operand, ShapeError, declare
from nnspec.catalogue.ops.helpers import need_float, same_dtype
from nnspec.catalogue.ops.losses import REDUCTIONS, Loss
from nnspec.catalogue.ops.site import Site, Term
from nnspec.core.dims import Dim, product, symbol
from nnspec.core.fields import arg
from nnspec.core.kinds import real
from nnspec.core.types import TensorType

N, T = symbol("N"), symbol("T")


class Rows(Loss):
    """Tensors `[..., C]` of one shape, a number for each row."""

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        need_float(*inputs)
        same_dtype(*inputs)
        first = inputs[0]
        for i, x in enumerate(inputs[1 : len(self.rows)], 1):
            if x.shape != first.shape or x.rank < 2:
                raise ShapeError(f"expects rows [..., C] of one shape, found {first} and {x}", 0, i)
        return self.reduced(first.with_shape(first.shape[:-1]))

    @property
    def rows(self) -> tuple[Operand, ...]:
        """The operands that are rows."""
        return self.operands

    @classmethod
    def examples(cls) -> Iterator[Example]:
        x = TensorType("f32", (N, 5))
        for reduction in ("mean", "sum", "none"):
            yield Example(cls(reduction=reduction), (x,) * len(cls.operands))
        yield Example(cls(reduction="mean"), (TensorType("f32", (N, T, 3)),) * len(cls.operands))


@declare
class KlDivergence(Rows):
    """Of distributions `t`, and those that raw scores give: the sum over the last axis of `t * (log t - log_softmax(s))`,
    the mean over rows. (PyTorch's own mean is over all elements.) A probability of 0 counts nothing.
    """

    name = "kl_divergence"
    operands = (Operand("logits", "raw scores"), Operand("targets", "sums to 1", domain="unit"))
    reduction: str = arg("how the losses are joined", REDUCTIONS, default="mean")

    def expand(self, to: Site, logits: Term, targets: Term) -> Term:
        some = targets > 0
        own = to.log(to.where(some, targets, 1))
        each = to.where(some, targets * (own - to.log_softmax(logits)), 0)
        return self.joined(to, to.sum(each, axis=(-1,)))


@declare
class CosineDistance(Rows):
    """1 minus the cosine of the angle between rows; a row of zeros is at a right angle to all."""

    name = "cosine_distance"
    operands = (Operand("a"), Operand("b"))
    reduction: str = arg("how the losses are joined", REDUCTIONS, default="mean")

    def expand(self, to: Site, a: Term, b: Term) -> Term:
        cosine = to.sum(to.normalize(a) * to.normalize(b), axis=(-1,))
        return self.joined(to, 1 - cosine)


def distance(to: Site, a: Term, b: Term) -> Term:
    """Between rows, as PyTorch's: a millionth is added to each difference, so that it has a slope at 0."""
    apart = a - b + 1e-6
    return to.sqrt(to.sum(apart * apart, axis=(-1,)))


@declare
class Triplet(Rows):
    """`max(0, |a - p| - |a - n| + margin)`: an anchor is to be nearer to what is alike than to what is not (Schroff et
    al. 2015, with distances as in PyTorch): `triplet(net(x), net(alike), net(other), margin = 0.2)`.
    """

    name = "triplet"
    operands = (Operand("anchor"), Operand("positive"), Operand("negative"))
    reduction: str = arg("how the losses are joined", REDUCTIONS, default="mean")
    margin: float = arg("by how much nearer", real(0), default=1.0)

    def expand(self, to: Site, anchor: Term, positive: Term, negative: Term) -> Term:
        near, far = distance(to, anchor, positive), distance(to, anchor, negative)
        return self.joined(to, to.relu(near - far + self.margin))


@declare
class Contrastive(Rows):
    """`s * d ** 2 + (1 - s) * max(0, margin - d) ** 2` with the distance `d` between rows and `s`, one for each row, 1
    where they are alike and else 0 (Hadsell et al. 2006, without the halves): `contrastive(net(a), net(b), alike)`.
    """

    name = "contrastive"
    operands = (Operand("a"), Operand("b"), Operand("same", "1 or 0 for each row", domain="unit"))
    reduction: str = arg("how the losses are joined", REDUCTIONS, default="mean")
    margin: float = arg("how far apart is enough", real(0), default=1.0)

    @property
    def rows(self) -> tuple[Operand, ...]:
        return self.operands[:2]

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        result = super().infer(*inputs)
        a, _, same = inputs
        if same.shape != a.shape[:-1]:
            raise ShapeError(f"expects a number for each row of {a}, found {same}", 0, 2)
        return result

    def expand(self, to: Site, a: Term, b: Term, same: Term) -> Term:
        apart = distance(to, a, b)
        short = to.relu(self.margin - apart)
        return self.joined(to, same * apart * apart + (1 - same) * short * short)

    @classmethod
    def examples(cls) -> Iterator[Example]:
        x = TensorType("f32", (N, 5))
        for reduction in ("mean", "sum", "none"):
            yield Example(cls(reduction=reduction), (x, x, x.with_shape((N,))))


class Size(Op):
    """A term of a loss that keeps tensors small: `minimize loss + 1e-4 * l2(net) using Adam()`."""

    operands = (Operand("x", "one or more tensors; networks and their parts", variadic=True),)

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        need_float(*inputs)
        same_dtype(*inputs)
        return (inputs[0].with_shape(()),)

    @abstractmethod
    def size(self, to: Site, x: Term) -> Term:
        """Of one tensor."""

    def expand(self, to: Site, *xs: Term) -> Term:
        first, *others = (self.size(to, x) for x in xs)
        return reduce(operator.add, others, first)

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        total: Dim = 0
        for x in inputs:
            total = total + product(x.shape) * 2
        return total

    @classmethod
    def examples(cls) -> Iterator[Example]:
        yield Example(cls(), (TensorType("f32", (5, 3)),))
        yield Example(cls(), (TensorType("f32", (N, 5, 3, 4)),))
        yield Example(cls(), tuple(TensorType("f32", s) for s in ((5, 3), (), (4,))))


@declare
class L1(Size):
    """The sum of the absolute values of all elements, of one or more tensors.

    In a training program also of the trained weights, biases among them, of a network, a part of one or a list of them, each
    weight once: `l1(net)`, `l1(net.head)`, `l1([net.stem, net.head])`.
    """

    name = "l1"

    def size(self, to: Site, x: Term) -> Term:
        return to.sum(abs(x))


@declare
class L2(Size):
    """The sum of the squares of all elements, of one or more tensors, not halved: its gradient is `2 x`, as that of
    Keras's `l2`.

    In a training program also of the trained weights, biases among them, of a network, a part of one or a list of them, each
    weight once: `minimize loss + 1e-4 * l2(net) using Adam()`, `l2(net.head)`, `l2([net.stem, net.head.weight])`.
    """

    name = "l2"

    def size(self, to: Site, x: Term) -> Term:
        return to.sum(x * x)
