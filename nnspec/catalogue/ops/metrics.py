"""Metrics: figures of a batch, from which nothing is derived."""

from __future__ import annotations

from collections.abc import Iterator

from nnspec.catalogue.ops.base import Example, Op, Operand, declare
from nnspec.catalogue.ops.forms import Elementwise
from nnspec.catalogue.ops.losses import Counted, Mse, need_labels
from nnspec.catalogue.ops.site import Site, Term
from nnspec.core.dims import Dim, symbol
from nnspec.core.fields import arg
from nnspec.core.kinds import optional, whole
from nnspec.core.types import TensorType

N, T = symbol("N"), symbol("T")


@declare
class TopKShare(Counted):
    """Share of rows whose label is among the `k` greatest scores: `metric top_k(logits, label, k = 3)`.

    A score that is as great as that of the label does not count against it, as in Keras. In f32, or f64 of scores in f64.
    (`topk` gives the greatest elements themselves.)
    """

    name = "top_k"
    k: int = arg("how many scores are looked at", whole(1), default=5)

    def expand(self, to: Site, logits: Term, labels: Term) -> Term:
        counted = self.counted(logits.dtype)
        logits = to.stop_gradient(logits)
        right = to.equal(to.one_hot(labels, logits.shape[-1], logits.dtype), 1)
        own = to.sum(to.where(right, logits, 0), axis=(-1,), keepdims=True)
        above = to.sum(to.cast(logits > own, counted), axis=(-1,))
        return to.mean(to.cast(above < self.k, counted))

    @classmethod
    def examples(cls) -> Iterator[Example]:
        yield Example(cls(2), (TensorType("f32", (N, 7)), TensorType("i64", (N,))))
        yield Example(cls(1), (TensorType("f32", (N, T, 4)), TensorType("i32", (N, T))))
        yield Example(cls(), (TensorType("f32", (N, 3)), TensorType("i64", (N,))))


class Error(Elementwise):
    """One number, over all elements."""

    best_highest = False
    operands = (Operand("predictions"), Operand("targets", "a tensor or a number"))

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        return Mse().infer(*inputs)

    @classmethod
    def examples(cls) -> Iterator[Example]:
        x = TensorType("f32", (N, 5))
        yield Example(cls(), (x, x))


@declare
class MeanAbsoluteError(Error):
    """The mean of the absolute differences, over all elements: the loss `mae` under the name of the metric."""

    name = "mean_absolute_error"

    def expand(self, to: Site, predictions: Term, targets: Term) -> Term:
        return to.mae(predictions, targets)


@declare
class MeanSquaredError(Error):
    """The mean of the squared differences, over all elements: the loss `mse` under the name of the metric."""

    name = "mean_squared_error"

    def expand(self, to: Site, predictions: Term, targets: Term) -> Term:
        return to.mse(predictions, targets)


@declare
class Perplexity(Op):
    """`exp` of the mean cross entropy of a batch, from raw scores: among how many classes it is undecided.

    What a program reports is the mean over batches. Rows whose label is `ignore_label` do not count.
    """

    name = "perplexity"
    best_highest = False
    operands = (Operand("logits", "raw scores"), Operand("labels", "the right classes"))
    ignore_label: int | None = arg(
        "label of rows that do not count", optional(whole()), default=None
    )

    def check(self, *inputs: TensorType) -> None:
        need_labels(*inputs)

    def expand(self, to: Site, logits: Term, labels: Term) -> Term:
        return to.exp(to.cross_entropy(logits, labels, ignore_label=self.ignore_label))

    def index_bounds(self, *inputs: TensorType) -> dict[int, Dim]:
        return {1: inputs[0].shape[-1]}

    @classmethod
    def examples(cls) -> Iterator[Example]:
        yield Example(cls(), (TensorType("f32", (N, 7)), TensorType("i64", (N,))))
        yield Example(cls(1), (TensorType("f32", (N, T, 4)), TensorType("i64", (N, T))))
