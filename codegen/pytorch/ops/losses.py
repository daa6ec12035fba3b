"""Losses and metrics."""

from __future__ import annotations

from codegen.python.dialect import Result
from codegen.python.native import Table, Use
from codegen.python.source import Call, Expr, Literal, Name, Operator
from nnspec.catalogue.ops.losses import Accuracy, BinaryCrossEntropy, CrossEntropy, Mse, Pairwise

TABLE = Table()


def reduced(loss: Call, reduction: str) -> Expr:
    """The loss, joined as asked; PyTorch takes the mean too."""
    return loss if reduction == "mean" else loss.with_keyword("reduction", reduction)


@TABLE.rule
def cross_entropy(op: CrossEntropy, use: Use, logits: Expr, labels: Expr) -> Result:
    if use.rank > 2:
        # PyTorch wants the classes on the second axis.
        logits = logits.attr("movedim")(-1, 1)
    if use.types[1].dtype != "i64":
        labels = labels.attr("long")()
    return reduced(Name("F.cross_entropy")(logits, labels), op.reduction)


@TABLE.rule
def mse(op: Mse, use: Use, predictions: Expr, targets: Expr) -> Result:
    return pairwise("F.mse_loss", op, use, predictions, targets)


@TABLE.rule
def binary_cross_entropy(
    op: BinaryCrossEntropy, use: Use, predictions: Expr, targets: Expr
) -> Result:
    name = "F.binary_cross_entropy_with_logits"
    return pairwise(name, op, use, predictions, targets)


def pairwise(name: str, op: Pairwise, use: Use, predictions: Expr, targets: Expr) -> Result:
    """A loss of predictions and targets; PyTorch wants both of one shape."""
    if isinstance(targets, Literal):
        predictions = use.forward.name(predictions, "predictions")
        targets = alike(predictions, targets)
    elif use.types[1].shape != use.types[0].shape:
        predictions = use.forward.name(predictions, "predictions")
        targets = targets.attr("expand_as")(predictions)
    return reduced(Name(name)(predictions, targets), op.reduction)


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
