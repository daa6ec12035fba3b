"""Where Keras keeps each weight, and in which layout.

A native name is the way from the model to the variable: attributes and places in lists, joined with
dots (`layer.0.dense.kernel`, `lstm.forward_layer.cell.bias`).
"""

from __future__ import annotations

from codegen.plan import Owner
from codegen.weight_map import Permute, Transform
from nnspec.graph import Node, Weight
from nnspec.ops.convolution import Conv2D, ConvTranspose2D
from nnspec.ops.dense import Dense, Embedding
from nnspec.ops.normalization import BatchNorm
from nnspec.ops.recurrent import LSTM

_KERNEL = {"weight": "kernel", "bias": "bias"}
_ROLES = {
    Dense: _KERNEL,
    Conv2D: _KERNEL,
    ConvTranspose2D: _KERNEL,
    Embedding: {"weight": "embeddings"},
    BatchNorm: {
        "weight": "gamma",
        "bias": "beta",
        "running_mean": "moving_mean",
        "running_var": "moving_variance",
    },
}
_LSTM = {"weight_ih": "kernel", "weight_hh": "recurrent_kernel", "bias": "bias"}


def native_parts(weight: Weight, node: Node) -> tuple[str, ...]:
    """From the layer's object to the variable."""
    op = node.op
    if not isinstance(op, LSTM):
        return (_ROLES[type(op)][weight.role],)
    role, _, place = weight.role.rpartition("_l")
    layer, _, reverse = place.partition("_")
    parts = (layer,) if op.layers > 1 else ()
    if op.bidirectional:
        parts = (*parts, "backward_layer" if reverse else "forward_layer")
    return (*parts, "cell", _LSTM[role])


def native_name(owner: Owner) -> str:
    """The way from the model."""
    if owner.node is None:
        return ".".join(owner.path)
    return ".".join((*owner.path, *native_parts(owner.weight, owner.node)))


def transforms(owner: Owner) -> tuple[Transform, ...]:
    """From the canonical layout to Keras's."""
    op = owner.node.op if owner.node else None
    match op:
        case Dense() | LSTM() if owner.weight.type.rank == 2:
            return (Permute((1, 0)),)
        case Conv2D() if owner.weight.type.rank == 4:
            return (Permute((2, 3, 1, 0)),)  # O I H W to H W I O
        case ConvTranspose2D() if owner.weight.type.rank == 4:
            return (Permute((2, 3, 1, 0)),)  # I O H W to H W O I
        case _:
            return ()
