"""Losses of predictions and targets of one shape, element by element."""

from __future__ import annotations

from nnspec.catalogue.ops.base import Operand, declare
from nnspec.catalogue.ops.losses import REDUCTIONS, Pairwise
from nnspec.catalogue.ops.site import Site, Term
from nnspec.core.fields import arg
from nnspec.core.kinds import optional, real

PAIR = (Operand("predictions"), Operand("targets", "a tensor or a number"))
SCORES = Operand("logits", "raw scores")


@declare
class Mae(Pairwise):
    """The mean of the absolute differences, over all elements: `mae(y, target)`."""

    name = "mae"
    operands = PAIR
    reduction: str = arg("how the losses are joined", REDUCTIONS, default="mean")

    def expand(self, to: Site, predictions: Term, targets: Term) -> Term:
        return self.joined(to, abs(predictions - targets))


@declare
class Huber(Pairwise):
    """Half the squared difference where that is at most `delta`, beyond it a straight line: `delta * (|e| - delta / 2)`
    (Huber 1964). (MXNet's loss of this name, and PyTorch's `SmoothL1Loss`, are this divided by `delta`.)
    """

    name = "huber"
    operands = PAIR
    reduction: str = arg("how the losses are joined", REDUCTIONS, default="mean")
    delta: float = arg("where the line begins", real(0), default=1.0)

    def expand(self, to: Site, predictions: Term, targets: Term) -> Term:
        error = predictions - targets
        line = self.delta * (abs(error) - 0.5 * self.delta)
        return self.joined(to, to.where(abs(error) <= self.delta, 0.5 * error * error, line))


@declare
class Poisson(Pairwise):
    """`exp(s) - t * s`: the negative logarithm of a Poisson probability, without what no `s` changes.

    From the logarithm of the rate, as PyTorch's (Keras's takes the rate itself): `poisson(score, count)`.
    """

    name = "poisson"
    operands = (Operand("logits", "the logarithm of the rate"), Operand("targets", "counts"))
    reduction: str = arg("how the losses are joined", REDUCTIONS, default="mean")

    def expand(self, to: Site, logits: Term, targets: Term) -> Term:
        return self.joined(to, to.exp(logits) - targets * logits)


@declare
class Hinge(Pairwise):
    """`max(0, 1 - t * s)`, for targets that are -1 or 1: `hinge(score, target)`."""

    name = "hinge"
    operands = (SCORES, Operand("targets", "-1 or 1"))
    reduction: str = arg("how the losses are joined", REDUCTIONS, default="mean")

    def expand(self, to: Site, logits: Term, targets: Term) -> Term:
        return self.joined(to, to.relu(1 - targets * logits))


@declare
class SquaredHinge(Pairwise):
    """The square of `max(0, 1 - t * s)`, for targets that are -1 or 1: `squared_hinge(score, target)`."""

    name = "squared_hinge"
    operands = (SCORES, Operand("targets", "-1 or 1"))
    reduction: str = arg("how the losses are joined", REDUCTIONS, default="mean")

    def expand(self, to: Site, logits: Term, targets: Term) -> Term:
        short = to.relu(1 - targets * logits)
        return self.joined(to, short * short)


@declare
class Focal(Pairwise):
    """Binary cross entropy from raw scores, less where the score is right already: times `(1 - p) ** gamma`, where `p` is
    the probability given to what is true (Lin et al. 2017).

    `alpha` weighs targets of 1, `1 - alpha` those of 0; `none` weighs both alike.
    """

    name = "focal"
    operands = (SCORES, Operand("targets", "a tensor or a number, 0 to 1", domain="unit"))
    reduction: str = arg("how the losses are joined", REDUCTIONS, default="mean")
    alpha: float | None = arg("weight of targets of 1", optional(real(0, 1)), default=0.25)
    gamma: float = arg("how much less", real(0), default=2.0)

    def expand(self, to: Site, logits: Term, targets: Term) -> Term:
        loss = to.softplus(logits) - targets * logits
        wrong = targets * to.sigmoid(-logits) + (1 - targets) * to.sigmoid(logits)
        loss = loss if self.gamma == 0 else loss * wrong**self.gamma
        if self.alpha is not None:
            loss = (self.alpha * targets + (1 - self.alpha) * (1 - targets)) * loss
        return self.joined(to, loss)
