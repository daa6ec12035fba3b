"""Metrics of a whole pass: what they count of a batch is no number yet that batches could be averaged by."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from nnspec.catalogue.ops.base import Example, Op, Operand, ShapeError, declare
from nnspec.catalogue.ops.helpers import need_float
from nnspec.catalogue.ops.losses import Counted
from nnspec.catalogue.ops.site import Site, Term
from nnspec.core.declare import declaration
from nnspec.core.dims import symbol
from nnspec.core.fields import arg
from nnspec.core.kinds import real, whole
from nnspec.core.types import TensorType

N, T = symbol("N"), symbol("T")


class OverPass(Op):
    """Shares of a batch; of their means over a pass, each batch weighted with its rows, a metric makes one number.

    summary: how that number is made: `ratio`, the first mean over the second, or `area` under the curve of the second
        row of means (across) and the first (up). Where it would divide by nothing it is 0.
    """

    operands = (
        Operand("scores", "probabilities, one for each answer"),
        Operand("labels", "of the shape of the scores: 0 or false where the answer is no"),
    )
    best_highest = True
    summary: ClassVar[str] = "ratio"

    def check(self, *inputs: TensorType) -> None:
        scores, labels = inputs
        need_float(scores)
        if not scores.rank or labels.shape != scores.shape:
            raise ShapeError(f"expects a label for each score, found {scores} and {labels}", 0, 1)


def yes(to: Site, labels: Term, dtype: str) -> Term:
    """1 where the answer is yes."""
    return to.cast(labels if labels.dtype == "bool" else to.not_equal(labels, 0), dtype)


@declaration
class Thresholded(OverPass):
    """What is counted where a score above the threshold means yes."""

    threshold: float = arg("above which a score means yes", real(0, 1), default=0.5)

    def counts(self, to: Site, scores: Term, labels: Term) -> tuple[Term, Term, Term]:
        """Shares of all answers: rightly found, found, to be found."""
        dtype = Counted.counted(scores.dtype)
        found, wanted = to.cast(scores > self.threshold, dtype), yes(to, labels, dtype)
        return to.mean(found * wanted), to.mean(found), to.mean(wanted)

    @classmethod
    def examples(cls) -> Iterator[Example]:
        yield Example(cls(), (TensorType("f32", (N,)), TensorType("i64", (N,))))
        yield Example(cls(0.3), (TensorType("f32", (N, T, 3)), TensorType("bool", (N, T, 3))))
        yield Example(cls(), (TensorType("f32", (5, 1)), TensorType("f32", (5, 1))))


@declare
class Precision(Thresholded):
    """Of the answers that are found, the share that is right.

    `metric precision(sigmoid(logits), labels)`. A batch gives `[2]`: the shares of all answers that are rightly found and
    that are found. A metric is their ratio over the whole pass (as `keras.metrics.Precision`); 0 where nothing is found.
    """

    name = "precision"

    def expand(self, to: Site, scores: Term, labels: Term) -> Term:
        right, found, _ = self.counts(to, scores, labels)
        return to.stack(right, found)


@declare
class Recall(Thresholded):
    """Of the answers that should be found, the share that is.

    `metric recall(sigmoid(logits), labels)`. A batch gives `[2]`: the shares of all answers that are rightly found and
    that should be. A metric is their ratio over the whole pass (as `keras.metrics.Recall`); 0 where nothing should be found.
    """

    name = "recall"

    def expand(self, to: Site, scores: Term, labels: Term) -> Term:
        right, _, wanted = self.counts(to, scores, labels)
        return to.stack(right, wanted)


@declare
class F1(Thresholded):
    """The harmonic mean of precision and recall.

    `metric f1(sigmoid(logits), labels)`. A batch gives `[2]`: twice the share of all answers that is rightly found, and the
    shares that are found and that should be, added up. A metric is their ratio over the whole pass; 0 where nothing is
    found nor should be.
    """

    name = "f1"

    def expand(self, to: Site, scores: Term, labels: Term) -> Term:
        right, found, wanted = self.counts(to, scores, labels)
        return to.stack(2 * right, found + wanted)


@declare
class Auc(OverPass):
    """The area under the curve of what is rightly found over what is wrongly found.

    `metric auc(sigmoid(logits), labels)` is 0.5 for guesses, 1 where every yes has a greater score than every no. The curve
    has a point for each of so many thresholds, evenly spread from below 0 to above 1, and is straight between them, as that
    of `keras.metrics.AUC` (Hanley and McNeil 1982). A batch gives `[2, thresholds]`: at each, the shares of all answers that
    are rightly and wrongly found. A metric is the area over the whole pass; 0 where all labels are alike.
    """

    name = "auc"
    summary = "area"
    thresholds: int = arg("points of the curve", whole(3, 10_000), default=200)

    def expand(self, to: Site, scores: Term, labels: Term) -> Term:
        dtype, count = Counted.counted(scores.dtype), self.thresholds
        inside, edge = to.tensor(tuple(range(count)), dtype) / (count - 1), 1e-7
        levels = to.where(inside <= 0, -edge, to.where(inside >= 1, 1 + edge, inside))
        answers = to.expand_dims(to.cast(scores, dtype), axis=-1)
        found = to.cast(answers > levels, dtype)
        wanted = to.expand_dims(yes(to, labels, dtype), axis=-1)
        all_answers = tuple(range(scores.rank))
        right = to.mean(found * wanted, axis=all_answers)
        wrong = to.mean(found * (1 - wanted), axis=all_answers)
        return to.stack(right, wrong, axis=0)

    @classmethod
    def examples(cls) -> Iterator[Example]:
        yield Example(cls(), (TensorType("f32", (N,)), TensorType("i64", (N,))))
        yield Example(cls(5), (TensorType("f32", (N, T, 3)), TensorType("bool", (N, T, 3))))
