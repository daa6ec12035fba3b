"""Losses and metrics: as expressions of a training step, and as objects that `compile` takes."""

from __future__ import annotations

from codegen.keras.logits import AsLogits
from codegen.python.dialect import Result
from codegen.python.native import Table, Use
from codegen.python.regularisers import sizes
from codegen.python.source import Expr, Literal, Name, Operator, Tuple
from codegen.rewrites import is_plain_entropy, is_unweighted
from codegen.rules import function
from nnspec.catalogue.ops.base import Op
from nnspec.catalogue.ops.counts import Auc, Precision, Recall
from nnspec.catalogue.ops.ctc import Ctc
from nnspec.catalogue.ops.distances import L1, L2
from nnspec.catalogue.ops.losses import Accuracy, BinaryCrossEntropy, CrossEntropy, Loss, Mse
from nnspec.catalogue.ops.metrics import MeanAbsoluteError, MeanSquaredError, TopKShare
from nnspec.graph.graph import Node

TABLE = Table()
TABLE.add(function(AsLogits, "as_logits"))


TABLE.legal[CrossEntropy] = is_plain_entropy
TABLE.legal[BinaryCrossEntropy] = is_unweighted


def joined(each: Expr, op: Loss) -> Expr:
    return each if op.reduction == "none" else Name(f"ops.{op.reduction}")(each)


@TABLE.rule
def cross_entropy(op: CrossEntropy, use: Use, logits: Expr, labels: Expr) -> Result:
    each = Name("ops.sparse_categorical_crossentropy")(labels, logits, from_logits=True)
    return joined(each, op)


@TABLE.rule
def mse(op: Mse, use: Use, predictions: Expr, targets: Expr) -> Result:
    return joined(Name("ops.square")(Operator("-", predictions, targets)), op)


@TABLE.rule
def binary_cross_entropy(op: BinaryCrossEntropy, use: Use, logits: Expr, targets: Expr) -> Result:
    if isinstance(targets, Literal):
        logits = use.forward.name(logits, "logits")
        targets = alike(logits, targets)
    elif use.types[1].shape != use.types[0].shape:
        logits = use.forward.name(logits, "logits")
        targets = Name("ops.broadcast_to")(targets, Name("ops.shape")(logits))
    return joined(Name("ops.binary_crossentropy")(targets, logits, from_logits=True), op)


@TABLE.rule
def ctc(op: Ctc, use: Use, logits: Expr, labels: Expr, *lengths: Expr) -> Result:
    """Keras is told all lengths."""
    rows, steps, _ = use.types[0].shape
    all_lengths = list(lengths)
    for count in (use.types[1].shape[1], steps)[len(lengths) :]:
        logits = use.forward.name(logits, "logits")
        sizes = Tuple((use.forward.size(rows),))
        made = Name("ops.full")(sizes, use.forward.size(count), dtype="int32")
        all_lengths.append(made)
    each = Name("ops.ctc_loss")(labels, logits, *all_lengths)
    return joined(each.with_keyword("mask_index", op.blank) if op.blank else each, op)


def alike(tensor: Expr, number: Literal) -> Expr:
    """The number as a tensor of another's shape."""
    if number.value == 1:
        return Name("ops.ones_like")(tensor)
    if number.value == 0:
        return Name("ops.zeros_like")(tensor)
    return Name("ops.full_like")(tensor, number)


@TABLE.rule
def accuracy(op: Accuracy, use: Use, logits: Expr, labels: Expr) -> Result:
    return Name("ops.mean")(Name("keras.metrics.sparse_categorical_accuracy")(labels, logits))


OBJECTS: dict[type[Op], str] = {
    CrossEntropy: "SparseCategoricalCrossentropy",
    Mse: "MeanSquaredError",
    BinaryCrossEntropy: "BinaryCrossentropy",
}
"""Keras's classes, the same among its losses and its metrics."""


def compiled_loss(node: Node) -> Expr | None:
    """The loss as an object, if Keras has it: its mean over the batch is the language's."""
    return _object(node, "losses")


def compiled_metric(node: Node, name: str) -> Expr | None:
    """The metric as an object, if Keras has it."""
    match node.op:
        case TopKShare(k=k):
            return Name("keras.metrics.SparseTopKCategoricalAccuracy")(k, name=name)
        case Precision(threshold=level) | Recall(threshold=level):
            given = {} if level == 0.5 else {"thresholds": level}
            return Name(f"keras.metrics.{type(node.op).__name__}")(**given, name=name)
        case Auc(thresholds=points):
            given = {} if points == 200 else {"num_thresholds": points}
            return Name("keras.metrics.AUC")(**given, name=name)
        case MeanAbsoluteError() | MeanSquaredError():
            return Name(f"keras.metrics.{type(node.op).__name__}")(name=name)
        case Accuracy():
            pass
        case _:
            return _object(node, "metrics", name=name)
    # What Keras makes of the word depends on the sizes: one score alone would be binary.
    if name == "accuracy" and node.inputs[0].type.shape[-1] != 1:
        return Literal(name)
    return Name("keras.metrics.SparseCategoricalAccuracy")(name=name)


def _object(node: Node, kind: str, **given: str) -> Expr | None:
    op = node.op
    if not isinstance(op, Loss) or op.reduction != "mean" or type(op) not in OBJECTS:
        return None
    if not isinstance(op, Mse) and not (is_plain_entropy(node) or is_unweighted(node)):
        return None
    made = Name(f"keras.{kind}.{OBJECTS[type(op)]}")(**given)
    return made if isinstance(op, Mse) else made.with_keyword("from_logits", True)


sizes(
    TABLE,
    {
        L1: Name("ops.sum")(Name("ops.abs")(Name("w"))),
        L2: Name("ops.sum")(Name("ops.square")(Name("w"))),
    },
)
