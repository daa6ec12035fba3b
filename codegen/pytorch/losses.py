"""Losses and metrics."""

from __future__ import annotations

from codegen.python.dialect import Application, Result
from codegen.python.forward import Forward
from codegen.python.source import Call, Expr, Literal, Name, Operator
from nnspec.catalogue.ops.base import Op
from nnspec.catalogue.ops.losses import Accuracy, BinaryCrossEntropy, CrossEntropy, Mse
from nnspec.graph.graph import Node


def _reduced(loss: Call, reduction: str) -> Expr:
    return loss if reduction == "mean" else loss.with_keyword("reduction", reduction)


def cross_entropy(node: Node, operands: tuple[Expr, ...], forward: Forward) -> Result:
    assert isinstance(node.op, CrossEntropy)
    logits, labels = operands
    if node.inputs[0].type.rank > 2:
        # PyTorch wants the classes on the second axis.
        logits = logits.attr("movedim")(-1, 1)
    if node.inputs[1].type.dtype != "i64":
        labels = labels.attr("long")()
    return _reduced(Name("F.cross_entropy")(logits, labels), node.op.reduction)


def pairwise(name: str) -> Application:
    """A loss of predictions and targets; PyTorch wants both of one shape."""

    def apply(node: Node, operands: tuple[Expr, ...], forward: Forward) -> Result:
        assert isinstance(node.op, (Mse, BinaryCrossEntropy))
        predictions, targets = operands
        if isinstance(targets, Literal):
            predictions = forward.name(predictions, "predictions")
            targets = _alike(predictions, targets)
        elif node.inputs[1].type.shape != node.inputs[0].type.shape:
            predictions = forward.name(predictions, "predictions")
            targets = targets.attr("expand_as")(predictions)
        return _reduced(Name(name)(predictions, targets), node.op.reduction)

    return apply


def _alike(tensor: Expr, number: Literal) -> Expr:
    if number.value == 1:
        return Name("torch.ones_like")(tensor)
    if number.value == 0:
        return Name("torch.zeros_like")(tensor)
    return Name("torch.full_like")(tensor, number)


def accuracy(node: Node, operands: tuple[Expr, ...], forward: Forward) -> Result:
    right = Operator("==", operands[0].attr("argmax")(-1), operands[1])
    return right.attr("float")().attr("mean")()


LOSSES: dict[type[Op], Application] = {
    CrossEntropy: cross_entropy,
    Mse: pairwise("F.mse_loss"),
    BinaryCrossEntropy: pairwise("F.binary_cross_entropy_with_logits"),
    Accuracy: accuracy,
}
