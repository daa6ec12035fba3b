"""Labels without places: what a sequence of scores says, whichever way it says it."""

from __future__ import annotations

from collections.abc import Iterator

from nnspec.catalogue.ops.base import Example, Operand, ShapeError, declare
from nnspec.catalogue.ops.derivatives import at
from nnspec.catalogue.ops.helpers import need_integer
from nnspec.catalogue.ops.losses import REDUCTIONS, Loss
from nnspec.catalogue.ops.site import Site, Term
from nnspec.core.dims import Dim, product, symbol
from nnspec.core.fields import arg
from nnspec.core.kinds import whole
from nnspec.core.types import TensorType

N = symbol("N")
NEVER = -1e30
"""A logarithm that is less than any that is met, and has sums and differences of its own kind."""


@declare
class Ctc(Loss):
    """Minus the log probability of labels `[N, S]` under raw scores `[N, T, C]`, over all ways in which they stand among
    `blank` in that order, each repeated any number of times (Graves et al. 2006, forward recursion in logarithms).

    `ctc(logits, labels, label_lengths, logit_lengths)`: how many of the labels, and of the steps, of each row count; where
    the last or both are left out, all do. `T` is a number. The mean is over the batch, as in Keras; PyTorch divides each row by its
    number of labels before. Rows whose labels do not fit into their steps have no loss that could be worked with.
    """

    name = "ctc"
    operands = (
        Operand("logits", "raw scores"),
        Operand("labels", "classes other than the blank"),
        Operand("label_lengths", "how many labels count", optional=True),
        Operand("logit_lengths", "how many steps count", optional=True),
    )
    reduction: str = arg("how the losses are joined", REDUCTIONS, default="mean")
    blank: int = arg("the class that stands for none", whole(0), default=0)

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        logits, labels, *lengths = inputs
        if logits.rank != 3 or logits.dtype not in ("f32", "f64"):
            raise ShapeError(f"expects scores [N, T, C] of f32 or f64, found {logits}", 0)
        n, steps, classes = logits.shape
        if not isinstance(steps, int):
            raise ShapeError(f"needs a number of steps, found {logits}", 0)
        if isinstance(classes, int) and self.blank >= classes:
            raise ShapeError(f"has the blank {self.blank}, and {classes} classes", 0)
        need_integer(labels, "integer labels", 1)
        if labels.rank != 2 or labels.shape[0] != n:
            raise ShapeError(f"expects labels [{n}, S], found {labels}", 1)
        for i, x in enumerate(lengths, 2):
            need_integer(x, "a whole number for each row", i)
            if x.shape != (n,):
                raise ShapeError(f"expects a whole number for each row [{n}], found {x}", i)
        return self.reduced(logits.with_shape((n,)))

    def expand(self, to: Site, logits: Term, labels: Term, *lengths: Term) -> Term:
        """States are the labels with blanks around them; each step stays, goes on by one, or skips a blank."""
        n, steps, classes = logits.shape
        dtype, count = logits.dtype, labels.shape[1]
        labels = labels if labels.dtype == "i64" else to.cast(labels, "i64")
        blanks = to.broadcast_to(to.number(self.blank, "i64"), (n, count))
        between = to.reshape(to.stack(blanks, labels, axis=2), (n, 2 * count))
        states = to.concat(between, _first(to, blanks), axis=1)
        chosen = to.one_hot(states, classes, dtype)
        likely = to.log_softmax(logits) @ to.transpose(chosen, (0, 2, 1))

        is_label = to.not_equal(states, self.blank)
        before = to.concat(_first(to, states), _first(to, states), _but(to, states, 2), axis=1)
        skips = to.logical_and(is_label, to.not_equal(states, before))
        place = to.cumsum(to.broadcast_to(to.number(1, dtype), (1, 2 * count + 1))) - 1
        never = to.broadcast_to(to.number(NEVER, dtype), (n, 1))
        total = to.where(place < 2, at(to, likely, 1, 0), NEVER)
        ends = [to.reshape(to.cast(x, dtype), (n, 1)) for x in lengths]
        for t in range(1, int(str(steps))):
            by_one = to.concat(never, _but(to, total, 1), axis=1)
            by_two = to.concat(never, never, _but(to, total, 2), axis=1)
            ways = to.stack(total, by_one, to.where(skips, by_two, NEVER), axis=0)
            gone_on = to.logsumexp(ways, axis=(0,)) + at(to, likely, 1, t)
            total = gone_on if len(ends) < 2 else to.where(ends[1] > t, gone_on, total)
        last = 2 * ends[0] if ends else to.max(place, keepdims=True)
        final = to.logical_or(to.equal(place, last), to.equal(place, last - 1))
        return self.joined(to, -to.logsumexp(to.where(final, total, NEVER), axis=(1,)))

    def index_bounds(self, *inputs: TensorType) -> dict[int, Dim]:
        logits, labels = inputs[:2]
        classes = logits.shape[-1]
        others = classes - 1 if self.blank + 1 == classes else classes
        sizes = (others, labels.shape[1] + 1, logits.shape[1] + 1)
        return dict(zip(range(1, len(inputs)), sizes, strict=False))

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        return product(inputs[0].shape[:2]) * (inputs[1].shape[1] * 2 + 1) * 12

    @classmethod
    def examples(cls) -> Iterator[Example]:
        x, labels = TensorType("f32", (N, 7, 5)), TensorType("i64", (N, 3))
        for reduction in ("mean", "sum", "none"):
            yield Example(cls(reduction, blank=4), (x, labels, TensorType("i64", (N,))))
        yield Example(cls(blank=4), (x, TensorType("i32", (N, 2))))


def _first(to: Site, x: Term) -> Term:
    """The first column."""
    return to.slice(x, starts=(None, 0), ends=(None, 1), steps=(1, 1))


def _but(to: Site, x: Term, cells: int) -> Term:
    """Without the last columns."""
    return to.slice(x, starts=(None, None), ends=(None, -cells), steps=(1, 1))
