"""Layers as PyTorch's modules."""

from __future__ import annotations

from collections.abc import Callable

from codegen.python.dialect import Application, Constructor, Result
from codegen.python.forward import Forward
from codegen.python.source import Assign, Expr, Literal, Name, Tuple
from codegen.pytorch import images
from codegen.pytorch.images import shape
from codegen.pytorch.initializers import with_initializers
from nnspec.catalogue.ops.base import Op
from nnspec.catalogue.ops.dense import Dense, Embedding
from nnspec.catalogue.ops.normalization import BatchNorm, Dropout
from nnspec.catalogue.ops.recurrent import LSTM
from nnspec.graph.graph import Node


def dense(node: Node) -> Expr:
    assert isinstance(node.op, Dense)
    units, width = shape(node)
    made = Name("nn.Linear")(Literal(width, "in_features"), Literal(units, "out_features"))
    made = made if node.op.use_bias else made.with_keyword("bias", False)
    return with_initializers(made, node)


def embedding(node: Node) -> Expr:
    assert isinstance(node.op, Embedding)
    made = Name("nn.Embedding")(Literal(node.op.tokens, "tokens"), Literal(node.op.width, "width"))
    return with_initializers(made, node)


def dropout(node: Node) -> Expr:
    assert isinstance(node.op, Dropout)
    return Name("nn.Dropout")(Literal(node.op.rate, "rate"))


def _features_last(node: Node) -> bool:
    """Whether the features stand on the last of more than two axes, where PyTorch wants them second."""
    assert isinstance(node.op, BatchNorm)
    return node.inputs[0].type.rank > 2 and not node.op.channels_first


def batch_norm(node: Node) -> Expr:
    op = node.op
    assert isinstance(op, BatchNorm)
    (features,) = shape(node)
    kind = "BatchNorm2d" if node.inputs[0].type.rank == 4 else "BatchNorm1d"
    made = Name(kind)(Literal(features, "features"))
    if op.epsilon != 1e-5:
        made = made.with_keyword("eps", op.epsilon)
    if op.momentum != 0.9:
        # PyTorch counts the share of the new value.
        made = made.with_keyword("momentum", round(1 - op.momentum, 12))
    if not op.scale and not op.offset:
        return made.with_keyword("affine", False)
    if not op.scale:
        return Name("frozen")(made, "weight")
    return made if op.offset else Name("frozen")(made, "bias")


def apply_batch_norm(node: Node, operands: tuple[Expr, ...], forward: Forward) -> Result:
    layer = forward.layer(node)
    if not _features_last(node):
        return layer(operands[0])
    return layer(operands[0].attr("movedim")(-1, 1)).attr("movedim")(1, -1)


def batch_norm_module(node: Node) -> Expr | None:
    return None if _features_last(node) else batch_norm(node)


def lstm(node: Node) -> Expr:
    op = node.op
    assert isinstance(op, LSTM)
    width = shape(node)[1]
    made = Name("LSTM")(Literal(width, "in_features"), Literal(op.units, "units"))
    if op.layers != 1:
        made = made.with_keyword("num_layers", op.layers)
    made = made.with_keyword("batch_first", True)
    return made.with_keyword("bidirectional", True) if op.bidirectional else made


def apply_lstm(node: Node, operands: tuple[Expr, ...], forward: Forward) -> Result:
    op = node.op
    assert isinstance(op, LSTM)
    applied = forward.layer(node)(operands[0])
    dropped = Name("_")
    if op.returns == "sequence":
        sequence = forward.fresh("sequence")
        forward.emit(Assign(Tuple((sequence, dropped)), applied))
        return sequence
    if op.returns == "last":
        state = forward.fresh("state")
        forward.emit(Assign(Tuple((dropped, Tuple((state, dropped)))), applied))
        return _final(state, op)
    sequence, state, cell = (forward.fresh(name) for name in ("sequence", "state", "cell"))
    forward.emit(Assign(Tuple((sequence, Tuple((state, cell)))), applied))
    return sequence, _final(state, op), _final(cell, op)


def _final(state: Expr, op: LSTM) -> Expr:
    """The last layer's state; of both directions, side by side."""
    if op.bidirectional:
        return Name("torch.cat")([state[-2], state[-1]], dim=1)
    return state[-1]


LAYERS: dict[type[Op], Constructor] = {
    **images.LAYERS,
    Dense: dense,
    Embedding: embedding,
    Dropout: dropout,
    BatchNorm: batch_norm,
    LSTM: lstm,
}
APPLIED: dict[type[Op], Application] = {
    **images.APPLIED,
    BatchNorm: apply_batch_norm,
    LSTM: apply_lstm,
}
CHAINED: dict[type[Op], Callable[[Node], Expr | None]] = {
    **images.CHAINED,
    BatchNorm: batch_norm_module,
}
