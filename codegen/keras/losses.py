"""Losses and metrics, as functions in a step and as objects for `compile`."""

from __future__ import annotations

from codegen.dialect import Application, Result
from codegen.forward import Forward
from codegen.python_source import Expr, Literal, Name, Operator
from nnspec.graph import Node
from nnspec.ops import Op
from nnspec.ops.losses import Accuracy, BinaryCrossEntropy, CrossEntropy, Mse


def reduced(loss: Expr, reduction: str) -> Expr:
    if reduction == "none":
        return loss
    return Name(f"ops.{reduction}")(loss)


def cross_entropy(node: Node, operands: tuple[Expr, ...], forward: Forward) -> Result:
    assert isinstance(node.op, CrossEntropy)
    logits, labels = operands
    loss = Name("ops.sparse_categorical_crossentropy")(labels, logits, from_logits=True)
    return reduced(loss, node.op.reduction)


def mse(node: Node, operands: tuple[Expr, ...], forward: Forward) -> Result:
    assert isinstance(node.op, Mse)
    return reduced(Name("ops.square")(operands[0] - operands[1]), node.op.reduction)


def binary_cross_entropy(node: Node, operands: tuple[Expr, ...], forward: Forward) -> Result:
    """Keras wants targets of the logits' shape."""
    assert isinstance(node.op, BinaryCrossEntropy)
    logits, targets = operands
    if node.inputs[1].type.shape != node.inputs[0].type.shape:
        logits = forward.name(logits, "logits")
        if isinstance(targets, Literal) and targets.value in (0, 1):
            targets = Name("ops.ones_like" if targets.value else "ops.zeros_like")(logits)
        else:
            targets = Name("ops.full_like")(logits, targets)
    loss = Name("ops.binary_crossentropy")(targets, logits, from_logits=True)
    return reduced(loss, node.op.reduction)


def accuracy(node: Node, operands: tuple[Expr, ...], forward: Forward) -> Result:
    logits, labels = operands
    best = Name("ops.cast")(Name("ops.argmax")(logits, axis=-1), "int64")
    right = Operator("==", best, Name("ops.cast")(labels, "int64"))
    return Name("ops.mean")(Name("ops.cast")(right, "float32"))


LOSSES: dict[type[Op], Application] = {
    CrossEntropy: cross_entropy,
    Mse: mse,
    BinaryCrossEntropy: binary_cross_entropy,
    Accuracy: accuracy,
}


def loss_object(op: Op) -> Expr | None:
    """The loss that `compile` takes; None where Keras joins the losses in another way."""
    match op:
        case CrossEntropy(reduction="mean"):
            return Name("keras.losses.SparseCategoricalCrossentropy")(from_logits=True)
        case Mse(reduction="mean"):
            return Name("keras.losses.MeanSquaredError")()
        case BinaryCrossEntropy(reduction="mean"):
            return Name("keras.losses.BinaryCrossentropy")(from_logits=True)
        case _:
            return None


def metric_object(op: Op, name: str) -> Expr | None:
    """The metric that `compile` takes."""
    match op:
        case Accuracy():
            return Name("keras.metrics.SparseCategoricalAccuracy")(name=name)
        case Mse(reduction="mean"):
            return Name("keras.metrics.MeanSquaredError")(name=name)
        case _:
            return None
