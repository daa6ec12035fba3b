"""Losses and metrics."""

from __future__ import annotations

from codegen.python.dialect import Result
from codegen.python.native import Table, Use
from codegen.python.regularisers import sizes
from codegen.python.source import Call, Expr, Literal, Name, Operator, Tuple
from nnspec.catalogue.ops.ctc import Ctc
from nnspec.catalogue.ops.differences import Huber, Mae, Poisson
from nnspec.catalogue.ops.distances import L1, L2, Triplet
from nnspec.catalogue.ops.losses import Accuracy, BinaryCrossEntropy, CrossEntropy, Mse, Pairwise
from nnspec.graph.graph import Node

TABLE = Table()


def reduced(loss: Call, reduction: str) -> Expr:
    """The loss, joined as asked; PyTorch takes the mean too."""
    return loss if reduction == "mean" else loss.with_keyword("reduction", reduction)


@TABLE.rule
def cross_entropy(op: CrossEntropy, use: Use, logits: Expr, labels: Expr) -> Result:
    if use.rank > 2:
        # PyTorch wants the classes on the second axis.
        logits = logits.attr("movedim")(-1, 1)
        labels = labels.attr("movedim")(-1, 1) if use.types[1].is_float else labels
    if not use.types[1].is_float and use.types[1].dtype != "i64":
        labels = labels.attr("long")()
    weights: dict[str, Expr] = {}
    if op.class_weights is not None:
        logits = use.forward.name(logits, "logits")
        weights["weight"] = logits.attr("new_tensor")(list(op.class_weights))
    loss = Name("F.cross_entropy")(logits, labels, **weights)
    if op.ignore_label is not None and op.ignore_label != -100:
        loss = loss.with_keyword("ignore_index", op.ignore_label)
    if op.label_smoothing:
        loss = loss.with_keyword("label_smoothing", op.label_smoothing)
    return reduced(loss, op.reduction)


def weighs_labels(node: Node) -> bool:
    """Where PyTorch is given shares of classes, the weights of these do not weigh the mean."""
    assert isinstance(node.op, CrossEntropy)
    return node.op.class_weights is None or not node.inputs[1].type.is_float


TABLE.legal[CrossEntropy] = weighs_labels


@TABLE.rule
def mse(op: Mse, use: Use, predictions: Expr, targets: Expr) -> Result:
    return pairwise("F.mse_loss", op, use, predictions, targets)


@TABLE.rule
def binary_cross_entropy(
    op: BinaryCrossEntropy, use: Use, predictions: Expr, targets: Expr
) -> Result:
    name = "F.binary_cross_entropy_with_logits"
    if op.positive_weight == 1:
        return pairwise(name, op, use, predictions, targets)
    predictions = use.forward.name(predictions, "predictions")
    weight = predictions.attr("new_tensor")(op.positive_weight)
    return pairwise(name, op, use, predictions, targets, pos_weight=weight)


@TABLE.rule
def mae(op: Mae, use: Use, predictions: Expr, targets: Expr) -> Result:
    return pairwise("F.l1_loss", op, use, predictions, targets)


@TABLE.rule
def huber(op: Huber, use: Use, predictions: Expr, targets: Expr) -> Result:
    told = {} if op.delta == 1 else {"delta": Literal(op.delta)}
    return pairwise("F.huber_loss", op, use, predictions, targets, **told)


@TABLE.rule
def poisson(op: Poisson, use: Use, predictions: Expr, targets: Expr) -> Result:
    return pairwise("F.poisson_nll_loss", op, use, predictions, targets)


@TABLE.rule
def triplet(op: Triplet, use: Use, *rows: Expr) -> Result:
    loss = Name("F.triplet_margin_loss")(*rows)
    loss = loss if op.margin == 1 else loss.with_keyword("margin", op.margin)
    return reduced(loss, op.reduction)


@TABLE.rule
def ctc(op: Ctc, use: Use, logits: Expr, labels: Expr, *lengths: Expr) -> Result:
    """PyTorch wants steps first, and to be told all lengths; its mean divides by them."""
    rows, steps, _ = use.types[0].shape
    all_lengths = list(lengths)
    for count in (use.types[1].shape[1], steps)[len(lengths) :]:
        labels = use.forward.name(labels, "labels")
        sizes = Tuple((use.forward.size(rows),))
        all_lengths.append(labels.attr("new_full")(sizes, use.forward.size(count)))
    of_labels, of_steps = all_lengths
    likely = Name("F.log_softmax")(logits, dim=-1).attr("transpose")(0, 1)
    each = Name("F.ctc_loss")(likely, labels, of_steps, of_labels)
    each = each.with_keyword("blank", op.blank) if op.blank else each
    each = each.with_keyword("reduction", "sum" if op.reduction == "sum" else "none")
    return Name("torch.mean")(each) if op.reduction == "mean" else each


def pairwise(
    name: str, op: Pairwise, use: Use, predictions: Expr, targets: Expr, **told: Expr
) -> Result:
    """A loss of predictions and targets; PyTorch wants both of one shape."""
    if isinstance(targets, Literal):
        predictions = use.forward.name(predictions, "predictions")
        targets = alike(predictions, targets)
    elif use.types[1].shape != use.types[0].shape:
        predictions = use.forward.name(predictions, "predictions")
        targets = targets.attr("expand_as")(predictions)
    return reduced(Name(name)(predictions, targets, **told), op.reduction)


def alike(tensor: Expr, number: Literal) -> Expr:
    """The number as a tensor of another's shape."""
    if number.value == 1:
        return Name("torch.ones_like")(tensor)
    if number.value == 0:
        return Name("torch.zeros_like")(tensor)
    return Name("torch.full_like")(tensor, number)


@TABLE.rule
def accuracy(op: Accuracy, use: Use, logits: Expr, labels: Expr) -> Result:
    right = Operator("==", logits.attr("argmax")(-1), labels)
    return right.attr("float")().attr("mean")()


sizes(
    TABLE,
    {
        L1: Name("w.abs")().attr("sum")(),
        L2: Name("w.square")().attr("sum")(),
    },
)
