"""Losses and metrics, by Gluon's own loss blocks where they mean the same.

Gluon's losses give one number for each sample (the mean over its other axes), so that their mean is
the mean over everything; L2Loss is half the squared difference and is not used.
"""

from __future__ import annotations

from collections.abc import Mapping

from codegen.python.dialect import Application, Result
from codegen.python.forward import Forward
from codegen.python.source import Expr, Literal, Name
from nnspec.catalogue.ops import losses
from nnspec.catalogue.ops.base import Op
from nnspec.graph.graph import Node

Args = tuple[Expr, ...]


def table(prefix: str) -> Mapping[type[Op], Application]:
    """The losses, for operators that live under `prefix`."""

    def op(name: str) -> Name:
        return Name(f"{prefix}.{name}")

    def reduced(each: Expr, reduction: str) -> Expr:
        return each if reduction == "none" else each.attr(reduction)()

    def cross_entropy(node: Node, args: Args, forward: Forward) -> Result:
        assert isinstance(node.op, losses.CrossEntropy)
        logits, labels = args
        if node.op.reduction == "mean":
            return Name("cross_entropy")(logits, labels)
        return reduced(-op("pick")(op("log_softmax")(logits), labels), node.op.reduction)

    def mse(node: Node, args: Args, forward: Forward) -> Result:
        assert isinstance(node.op, losses.Mse)
        predictions, targets = args
        same = node.inputs[0].type.shape == node.inputs[1].type.shape
        difference: Expr
        if same or isinstance(targets, Literal):
            difference = predictions - targets
        else:
            difference = op("broadcast_sub")(predictions, targets)
        return reduced(op("square")(difference), node.op.reduction)

    def binary_cross_entropy(node: Node, args: Args, forward: Forward) -> Result:
        assert isinstance(node.op, losses.BinaryCrossEntropy)
        logits, targets = args
        if isinstance(targets, Literal) or not node.inputs[1].type.shape:
            logits = forward.name(logits, "logits")
            targets = _filled(prefix, logits, targets)
        if node.op.reduction == "mean":
            return Name("binary_cross_entropy")(logits, targets)
        logits, targets = forward.name(logits, "logits"), forward.name(targets, "targets")
        soft = forward.assign("soft", op("Activation")(-op("abs")(logits), act_type="softrelu"))
        return reduced(op("relu")(logits) - logits * targets + soft, node.op.reduction)

    def accuracy(node: Node, args: Args, forward: Forward) -> Result:
        return Name("accuracy")(*args)

    return {
        losses.CrossEntropy: cross_entropy,
        losses.Mse: mse,
        losses.BinaryCrossEntropy: binary_cross_entropy,
        losses.Accuracy: accuracy,
    }


def _filled(prefix: str, like: Expr, value: Expr) -> Expr:
    """A tensor full of a number, shaped as another is."""
    match value:
        case Literal(value=number) if number in (0, 1):
            return Name(f"{prefix}.{'ones' if number else 'zeros'}_like")(like)
        case Literal():
            return Name(f"{prefix}.ones_like")(like) * value
    return Name(f"{prefix}.broadcast_mul")(Name(f"{prefix}.ones_like")(like), value)
