"""Keras's names and layouts of weights.

A native name is the way to the variable from the model, `grow.conv2d.kernel`, `layer.0.lstm.forward.bias`:
attributes and numbers, then the name that Keras gives the variable (`runtime.py` walks it).
"""

from __future__ import annotations

from codegen.python.plan import Owner
from codegen.python.source import Expr, Name
from nnspec.catalogue.ops.base import Op
from nnspec.catalogue.ops.convolution import CONVOLUTIONS, TRANSPOSED
from nnspec.catalogue.ops.dense import Dense, Embedding
from nnspec.catalogue.ops.normalization import BatchNorm
from nnspec.catalogue.ops.recurrent import LSTM
from nnspec.core.orders import inverse
from nnspec.graph.graph import Node, Weight
from nnspec.graph.weight_map import Permute, Transform

_KERNEL = {"weight": "kernel", "bias": "bias"}
_ROLES: dict[type[Op], dict[str, str]] = {
    Dense: _KERNEL,
    **dict.fromkeys((*CONVOLUTIONS, *TRANSPOSED), _KERNEL),
    Embedding: {"weight": "embeddings"},
    BatchNorm: {
        "weight": "gamma",
        "bias": "beta",
        "running_mean": "moving_mean",
        "running_var": "moving_variance",
    },
}
_LSTM = {"weight_ih": "kernel", "weight_hh": "recurrent_kernel", "bias": "bias"}

_ORDERS: dict[type[Op], tuple[int, ...]] = {
    Dense: (1, 0),
    # OIHW, and for the transposed one IOHW, become HWIO and HWOI.
    **{op: (*range(2, op.rank + 2), 1, 0) for op in (*CONVOLUTIONS, *TRANSPOSED)},
}


def native_parts(weight: Weight, node: Node) -> tuple[str, ...]:
    """The way from a layer's object to one of its variables."""
    if not isinstance(node.op, LSTM):
        return (_ROLES[type(node.op)][weight.role],)
    role, _, place = weight.role.rpartition("_l")
    number, reverse, _ = place.partition("_reverse")
    parts = (number,) if node.op.layers > 1 else ()
    if node.op.bidirectional:
        parts = (*parts, "backward" if reverse else "forward")
    return (*parts, _LSTM[role])


def native_name(owner: Owner) -> str:
    """The name of a weight among those of its model."""
    if owner.node is None:
        return ".".join(owner.path)
    return ".".join((*owner.path, *native_parts(owner.weight, owner.node)))


def transforms(owner: Owner) -> tuple[Transform, ...]:
    """From the canonical layout to Keras's; its gates i f c o are the language's i f g o."""
    if owner.node is None:
        return ()
    if isinstance(owner.node.op, LSTM):
        return () if owner.weight.role.startswith("bias") else (Permute((1, 0)),)
    order = _ORDERS.get(type(owner.node.op))
    return (Permute(order),) if order and owner.weight.role == "weight" else ()


def weight_ref(weight: Weight, owner: Expr, node: Node | None) -> Expr:
    """How a forward pass reads a weight in the canonical layout."""
    if node is None:
        return _attribute(owner, weight.role)
    if isinstance(node.op, LSTM):
        return _lstm_weight(weight, owner, node)
    native = _attribute(owner, _ROLES[type(node.op)][weight.role])
    order = _ORDERS.get(type(node.op)) if weight.role == "weight" else None
    if order is None:
        return native
    transpose = Name("ops.transpose")
    return transpose(native) if len(order) == 2 else transpose(native, inverse(order))


def _lstm_weight(weight: Weight, owner: Expr, node: Node) -> Expr:
    *way, name = native_parts(weight, node)
    for part in way:
        owner = owner[int(part)] if part.isdigit() else _attribute(owner, f"{part}_layer")
    native = _attribute(_attribute(owner, "cell"), name)
    return native if name == "bias" else Name("ops.transpose")(native)


def _attribute(owner: Expr, name: str) -> Expr:
    return Name(f"{owner.text}.{name}") if isinstance(owner, Name) else owner.attr(name)
