"""Losses and metrics: a batch in, by default one number out."""

from __future__ import annotations

from collections.abc import Iterator

from nnspec.catalogue.ops.base import Example, Op, Operand, ShapeError, declare
from nnspec.catalogue.ops.forms import Elementwise
from nnspec.catalogue.ops.helpers import need_float, need_integer, same_dtype
from nnspec.catalogue.ops.site import Site, Term
from nnspec.core.dims import Dim, product, show, symbol
from nnspec.core.fields import arg
from nnspec.core.kinds import choice
from nnspec.core.types import TensorType

N, T = symbol("N"), symbol("T")
REDUCTIONS = choice("mean", "sum", "none")


class Loss(Op):
    """`reduction`: the mean over the batch (and positions), the sum, or each by itself."""

    reduction: str

    def reduced(self, x: TensorType) -> tuple[TensorType, ...]:
        return (x if self.reduction == "none" else x.with_shape(()),)

    def joined(self, to: Site, each: Term) -> Term:
        """The losses of all elements, as `reduction` says."""
        match self.reduction:
            case "mean":
                return to.mean(each)
            case "sum":
                return to.sum(each)
        return each

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        return product(inputs[0].shape) * 5


def need_labels(logits: TensorType, labels: TensorType) -> None:
    """Logits `[..., C]` and integer labels `[...]`."""
    need_float(logits)
    need_integer(labels, "integer labels", 1)
    if logits.rank < 2 or labels.shape != logits.shape[:-1]:
        raise ShapeError(
            f"expects one label for each row of scores: {logits} goes with labels "
            f"{show(logits.shape[:-1])}, found {labels}",
            0,
            1,
        )


@declare
class CrossEntropy(Loss):
    """`-log softmax(logits)[label]`, from raw scores `[..., C]` and integer labels `[...]`."""

    name = "cross_entropy"
    operands = (Operand("logits", "raw scores"), Operand("labels", "the right classes"))
    reduction: str = arg("how the losses are joined", REDUCTIONS, default="mean")

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        logits, labels = inputs
        need_labels(logits, labels)
        return self.reduced(logits.with_shape(labels.shape))

    def expand(self, to: Site, logits: Term, labels: Term) -> Term:
        right = to.equal(to.one_hot(labels, logits.shape[-1], logits.dtype), 1)
        scores = to.where(right, to.log_softmax(logits), 0)
        return self.joined(to, -to.sum(scores, axis=(-1,)))

    def index_bounds(self, *inputs: TensorType) -> dict[int, Dim]:
        return {1: inputs[0].shape[-1]}

    @classmethod
    def examples(cls) -> Iterator[Example]:
        for reduction in ("mean", "sum", "none"):
            yield Example(cls(reduction), (TensorType("f32", (N, 7)), TensorType("i64", (N,))))
        yield Example(cls(), (TensorType("f32", (N, 5, 7)), TensorType("i64", (N, 5))))


class Pairwise(Loss, Elementwise):
    """Predictions and targets of the same shape."""

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        need_float(*inputs)
        same_dtype(*inputs)
        a, b = inputs
        if b.shape not in (a.shape, ()):
            raise ShapeError(f"expects operands of one shape, found {a} and {b}", 0, 1)
        return self.reduced(a)

    @classmethod
    def examples(cls) -> Iterator[Example]:
        x = TensorType("f32", (N, 5))
        for reduction in ("mean", "sum", "none"):
            yield Example(cls(reduction), (x, x))
        y = TensorType("f32", (2, 5, 3, 4))
        yield Example(cls("mean"), (y, y))


@declare
class Mse(Pairwise):
    """The mean of the squared differences, over all elements."""

    name = "mse"
    operands = (Operand("predictions"), Operand("targets", "a tensor or a number"))
    reduction: str = arg("how the losses are joined", REDUCTIONS, default="mean")

    def expand(self, to: Site, predictions: Term, targets: Term) -> Term:
        error = predictions - targets
        return self.joined(to, error * error)


@declare
class BinaryCrossEntropy(Pairwise):
    """`-t log s - (1 - t) log (1 - s)` with `s = sigmoid(logits)`, from raw scores, over all elements."""

    name = "binary_cross_entropy"
    operands = (
        Operand("logits", "raw scores"),
        Operand("targets", "a tensor or a number, 0 to 1", domain="unit"),
    )
    reduction: str = arg("how the losses are joined", REDUCTIONS, default="mean")

    def expand(self, to: Site, logits: Term, targets: Term) -> Term:
        return self.joined(to, to.softplus(logits) - targets * logits)


@declare
class Accuracy(Op):
    """Share of rows whose greatest score stands at the label; in f32, or f64 of scores in f64."""

    name = "accuracy"
    operands = (Operand("logits", "scores"), Operand("labels", "the right classes"))

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        logits, labels = inputs
        need_labels(logits, labels)
        return (TensorType(self._counted(logits.dtype), ()),)

    @staticmethod
    def _counted(scores: str) -> str:
        """In what the share is counted: halves end at some thousand rows."""
        return "f64" if scores == "f64" else "f32"

    def expand(self, to: Site, logits: Term, labels: Term) -> Term:
        right = to.equal(to.argmax(logits), to.cast(labels, "i64"))
        return to.mean(to.cast(right, self._counted(logits.dtype)))

    def index_bounds(self, *inputs: TensorType) -> dict[int, Dim]:
        return {1: inputs[0].shape[-1]}

    @classmethod
    def examples(cls) -> Iterator[Example]:
        yield Example(cls(), (TensorType("f32", (N, 7)), TensorType("i64", (N,))))
        yield Example(cls(), (TensorType("f64", (N, 7)), TensorType("i32", (N,))))
