"""Losses and metrics: as expressions of a training step, and as objects that `compile` takes."""

from __future__ import annotations

from codegen.python.dialect import Application, Result
from codegen.python.forward import Forward
from codegen.python.source import Expr, Literal, Name, Operator
from nnspec.catalogue.ops.base import Op
from nnspec.catalogue.ops.losses import Accuracy, BinaryCrossEntropy, CrossEntropy, Mse
from nnspec.graph.graph import Node


def _reduced(each: Expr, reduction: str) -> Expr:
    return each if reduction == "none" else Name(f"ops.{reduction}")(each)


def cross_entropy(node: Node, operands: tuple[Expr, ...], forward: Forward) -> Result:
    assert isinstance(node.op, CrossEntropy)
    logits, labels = operands
    each = Name("ops.sparse_categorical_crossentropy")(labels, logits, from_logits=True)
    return _reduced(each, node.op.reduction)


def mse(node: Node, operands: tuple[Expr, ...], forward: Forward) -> Result:
    assert isinstance(node.op, Mse)
    each = Name("ops.square")(Operator("-", *operands))
    return _reduced(each, node.op.reduction)


def binary_cross_entropy(node: Node, operands: tuple[Expr, ...], forward: Forward) -> Result:
    assert isinstance(node.op, BinaryCrossEntropy)
    logits, targets = operands
    if isinstance(targets, Literal):
        logits = forward.name(logits, "logits")
        targets = _alike(logits, targets)
    elif node.inputs[1].type.shape != node.inputs[0].type.shape:
        logits = forward.name(logits, "logits")
        targets = Name("ops.broadcast_to")(targets, Name("ops.shape")(logits))
    each = Name("ops.binary_crossentropy")(targets, logits, from_logits=True)
    return _reduced(each, node.op.reduction)


def _alike(tensor: Expr, number: Literal) -> Expr:
    if number.value == 1:
        return Name("ops.ones_like")(tensor)
    if number.value == 0:
        return Name("ops.zeros_like")(tensor)
    return Name("ops.full_like")(tensor, number)


def accuracy(node: Node, operands: tuple[Expr, ...], forward: Forward) -> Result:
    logits, labels = operands
    return Name("ops.mean")(Name("keras.metrics.sparse_categorical_accuracy")(labels, logits))


LOSSES: dict[type[Op], Application] = {
    CrossEntropy: cross_entropy,
    Mse: mse,
    BinaryCrossEntropy: binary_cross_entropy,
    Accuracy: accuracy,
}

_NAMES: dict[type[Op], str] = {
    CrossEntropy: "SparseCategoricalCrossentropy",
    Mse: "MeanSquaredError",
    BinaryCrossEntropy: "BinaryCrossentropy",
}


def compiled_loss(node: Node) -> Expr | None:
    """The loss as an object, if Keras has it: its mean over the batch is the language's."""
    op = node.op
    if not isinstance(op, (CrossEntropy, Mse, BinaryCrossEntropy)) or op.reduction != "mean":
        return None
    made = Name(f"keras.losses.{_NAMES[type(op)]}")()
    return made if isinstance(op, Mse) else made.with_keyword("from_logits", True)


def compiled_metric(node: Node, name: str) -> Expr | None:
    """The metric as an object, if Keras has it."""
    op = node.op
    if isinstance(op, Accuracy):
        # What Keras makes of the word depends on the sizes: one score alone would be binary.
        if name == "accuracy" and node.inputs[0].type.shape[-1] != 1:
            return Literal(name)
        return Name("keras.metrics.SparseCategoricalAccuracy")(name=name)
    if compiled_loss(node) is None:
        return None
    made = Name(f"keras.metrics.{_NAMES[type(op)]}")(name=name)
    return made if isinstance(op, Mse) else made.with_keyword("from_logits", True)
