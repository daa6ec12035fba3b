"""Losses and metrics: a batch in, by default one number out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from nnspec.catalogue.ops.base import Example, Op, Operand, ShapeError, declare
from nnspec.catalogue.ops.forms import Elementwise
from nnspec.catalogue.ops.helpers import need_float, need_integer, same_dtype
from nnspec.catalogue.ops.site import Site, Term
from nnspec.core.dims import Dim, product, show, symbol
from nnspec.core.fields import arg
from nnspec.core.kinds import choice, optional, real, reals, whole
from nnspec.core.types import TensorType

N, T = symbol("N"), symbol("T")
REDUCTIONS = choice("mean", "sum", "none")


class Loss(Op):
    """`reduction`: the mean over the batch (and positions), the sum, or each by itself."""

    best_highest = False
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


def row(to: Site, numbers: Sequence[float], dtype: str) -> Term:
    """Numbers as a vector."""
    each = [to.broadcast_to(to.number(n, dtype), (1,)) for n in numbers]
    return to.concat(*each, axis=0) if len(each) > 1 else each[0]


@declare
class CrossEntropy(Loss):
    """`-log softmax(logits)[label]`, from raw scores `[..., C]` and integer labels `[...]`, or targets `[..., C]`: a share
    for each class (one-hot labels, say).

    `label_smoothing` gives that share of each target to all classes alike (Szegedy et al. 2016). Rows whose label is
    `ignore_label` count nothing, and are left out of the mean. `class_weights`, one for each class, multiply what each class adds; the
    mean is then weighted by the targets' classes. All as in PyTorch:
    `cross_entropy(logits, label, label_smoothing = 0.1, ignore_label = 0)`.
    """

    name = "cross_entropy"
    operands = (Operand("logits", "raw scores"), Operand("labels", "the right classes"))
    reduction: str = arg("how the losses are joined", REDUCTIONS, default="mean")
    label_smoothing: float = arg("share of a target that all classes get", real(0, 1), default=0.0)
    ignore_label: int | None = arg(
        "label of rows that do not count", optional(whole()), default=None
    )
    class_weights: tuple[float, ...] | None = arg("of the classes", optional(reals), default=None)

    @property
    def is_plain(self) -> bool:
        """Whether nothing but how losses are joined is asked for."""
        return not self.label_smoothing and self.ignore_label is None and self.class_weights is None

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        logits, labels = inputs
        if labels.is_float and labels.rank == logits.rank:
            need_float(logits)
            same_dtype(logits, labels)
            if logits.rank < 2 or labels.shape != logits.shape:
                raise ShapeError(
                    f"expects a share for each score of {logits}, found {labels}", 0, 1
                )
            if self.ignore_label is not None:
                raise ShapeError(f"ignores an integer label, found shares {labels}", 1)
        else:
            need_labels(logits, labels)
        if self.class_weights is not None and logits.shape[-1] != len(self.class_weights):
            raise ShapeError(
                f"has {len(self.class_weights)} weights for the {logits.shape[-1]} classes of {logits}",
                0,
            )
        return self.reduced(logits.with_shape(logits.shape[:-1]))

    def expand(self, to: Site, logits: Term, labels: Term) -> Term:
        likely = to.log_softmax(logits)
        counts = None if self.ignore_label is None else to.not_equal(labels, self.ignore_label)
        weights = None if self.class_weights is None else row(to, self.class_weights, logits.dtype)
        heavy = likely if weights is None else weights * likely
        chosen = self.chooser(to, logits, labels, counts)
        each = -chosen(heavy)
        if self.label_smoothing:
            even = self.label_smoothing / float(str(logits.shape[-1]))
            each = (1 - self.label_smoothing) * each - even * to.sum(heavy, axis=(-1,))
        each = each if counts is None else to.where(counts, each, 0)
        if self.reduction != "mean" or (counts is None and weights is None):
            return self.joined(to, each)
        if weights is None:
            assert counts is not None
            return to.sum(each) / to.sum(to.cast(counts, logits.dtype))
        share = chosen(weights)
        return to.sum(each) / to.sum(share if counts is None else to.where(counts, share, 0))

    def chooser(
        self, to: Site, logits: Term, labels: Term, counts: Term | None
    ) -> Callable[[Term], Term]:
        """What takes a number for each class to that of the target."""
        if labels.type.is_float:
            return lambda x: to.sum(labels * x, axis=(-1,))
        known = labels if counts is None else to.where(counts, labels, 0)
        right = to.equal(to.one_hot(known, logits.shape[-1], logits.dtype), 1)
        return lambda x: to.sum(to.where(right, x, 0), axis=(-1,))

    def index_bounds(self, *inputs: TensorType) -> dict[int, Dim]:
        return {} if inputs[1].is_float else {1: inputs[0].shape[-1]}

    @classmethod
    def examples(cls) -> Iterator[Example]:
        for reduction in ("mean", "sum", "none"):
            yield Example(cls(reduction), (TensorType("f32", (N, 7)), TensorType("i64", (N,))))
        x, labels = TensorType("f32", (N, 3)), TensorType("i64", (N,))
        yield Example(cls(), (TensorType("f32", (N, 5, 7)), TensorType("i64", (N, 5))))
        yield Example(cls(label_smoothing=0.1), (x, labels))
        yield Example(cls(ignore_label=1), (x, TensorType("i32", (N,))))
        yield Example(cls(class_weights=(0.5, 1.0, 3.0)), (x, labels))
        for reduction in ("mean", "sum", "none"):
            all_three = cls(reduction, 0.2, 0, (0.5, 1.0, 3.0))
            yield Example(all_three, (TensorType("f32", (N, 4, 3)), TensorType("i64", (N, 4))))
        yield Example(cls(label_smoothing=0.1), (x, x))
        yield Example(cls(class_weights=(0.5, 1.0, 3.0)), (x, x))


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
    """`-t log s - (1 - t) log (1 - s)` with `s = sigmoid(logits)`, from raw scores, over all elements.

    `positive_weight` multiplies what targets of 1 add, as PyTorch's `pos_weight`.
    """

    name = "binary_cross_entropy"
    operands = (
        Operand("logits", "raw scores"),
        Operand("targets", "a tensor or a number, 0 to 1", domain="unit"),
    )
    reduction: str = arg("how the losses are joined", REDUCTIONS, default="mean")

    positive_weight: float = arg("weight of targets of 1", real(0), default=1.0)

    def expand(self, to: Site, logits: Term, targets: Term) -> Term:
        if self.positive_weight == 1:
            return self.joined(to, to.softplus(logits) - targets * logits)
        ones = self.positive_weight * targets * to.softplus(-logits)
        return self.joined(to, ones + (1 - targets) * to.softplus(logits))

    @classmethod
    def examples(cls) -> Iterator[Example]:
        yield from super().examples()
        x = TensorType("f32", (N, 5))
        yield Example(cls(positive_weight=3.0), (x, x))


class Counted(Op):
    """A share of rows of scores and labels; in f32, or f64 of scores in f64."""

    best_highest = True
    operands = (Operand("logits", "scores"), Operand("labels", "the right classes"))

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        logits, labels = inputs
        need_labels(logits, labels)
        return (TensorType(self.counted(logits.dtype), ()),)

    @staticmethod
    def counted(scores: str) -> str:
        """In what the share is counted: halves end at some thousand rows."""
        return "f64" if scores == "f64" else "f32"

    def index_bounds(self, *inputs: TensorType) -> dict[int, Dim]:
        return {1: inputs[0].shape[-1]}


@declare
class Accuracy(Counted):
    """Share of rows whose greatest score stands at the label; in f32, or f64 of scores in f64."""

    name = "accuracy"

    def expand(self, to: Site, logits: Term, labels: Term) -> Term:
        right = to.equal(to.argmax(logits), to.cast(labels, "i64"))
        return to.mean(to.cast(right, self.counted(logits.dtype)))

    @classmethod
    def examples(cls) -> Iterator[Example]:
        yield Example(cls(), (TensorType("f32", (N, 7)), TensorType("i64", (N,))))
        yield Example(cls(), (TensorType("f64", (N, 7)), TensorType("i32", (N,))))
