"""Keras's names and layouts of weights.

A native name is the way to the variable from the model, `grow.conv2d.kernel`, `layer.0.lstm.forward.bias`:
attributes and numbers, then the name that Keras gives the variable (`runtime.py` walks it).
"""

from __future__ import annotations

from codegen.keras.ops import TABLES
from codegen.python.plan import Owner
from codegen.python.source import Expr, Literal, Name, Slice, Tuple
from nnspec.catalogue.ops.helpers import numbers
from nnspec.catalogue.ops.rectifiers import PReLU
from nnspec.catalogue.ops.recurrent import GRU, Recurrent
from nnspec.core.orders import inverse
from nnspec.graph.graph import Node, Weight
from nnspec.graph.weight_map import Gates, Permute, Piece, Reshape, Transform

_RECURRENT = {
    "weight_ih": "kernel",
    "weight_hh": "recurrent_kernel",
    **dict.fromkeys(("bias", "bias_ih", "bias_hh"), "bias"),
}
UPDATE_FIRST = Gates(0, (1, 0, 2))
"""A GRU's gates: the language begins with the reset gate. Its own inverse."""


def _order(weight: Weight, node: Node) -> tuple[int, ...] | None:
    """Where each axis of Keras's weight comes from, if they stand in another order."""
    if isinstance(node.op, Recurrent):
        return None if weight.role.startswith("bias") else (1, 0)
    native = TABLES.natives.get(type(node.op))
    return None if native is None else native.orders.get(weight.role)


def native_parts(weight: Weight, node: Node) -> tuple[str, ...]:
    """The way from a layer's object to one of its variables."""
    if not isinstance(node.op, Recurrent):
        return (TABLES.weights[type(node.op)][weight.role],)
    role, _, place = weight.role.rpartition("_l")
    number, reverse, _ = place.partition("_reverse")
    number = (
        str(2 * int(number)) if node.op.dropout else number
    )  # a layer that drops stands between
    parts = (number,) if node.op.layers > 1 else ()
    if node.op.bidirectional:
        parts = (*parts, "backward" if reverse else "forward")
    return (*parts, _RECURRENT[role])


def native_name(owner: Owner) -> str:
    """The name of a weight among those of its model."""
    if owner.node is None:
        return ".".join(owner.path)
    return ".".join((*owner.path, *native_parts(owner.weight, owner.node)))


def transforms(owner: Owner) -> tuple[Transform, ...]:
    """From the canonical layout to Keras's; an LSTM's gates i f c o are the language's i f g o."""
    if owner.node is None:
        return ()
    found: list[Transform] = [UPDATE_FIRST] if isinstance(owner.node.op, GRU) else []
    if (order := _order(owner.weight, owner.node)) is not None:
        found.append(Permute(order))
    if isinstance(owner.node.op, PReLU):
        slopes = numbers(owner.weight.type.shape)
        found.append(Reshape(slopes, (*(1,) * (owner.node.inputs[0].type.rank - 2), *slopes)))
    return tuple(found)


def piece(owner: Owner) -> Piece | None:
    """A GRU's two biases are the rows of one weight."""
    if owner.node is None or (row := _row(owner.weight)) is None:
        return None
    (count,) = numbers(owner.weight.type.shape)
    return Piece(row * count, (count,), (2, count))


def _row(weight: Weight) -> int | None:
    """Which row of Keras's bias it is, where that holds two."""
    role = weight.role.rpartition("_l")[0]
    return {"bias_ih": 0, "bias_hh": 1}.get(role)


def variable(weight: Weight, owner: Expr, node: Node | None) -> Expr:
    """The variable that holds a weight."""
    if node is None:
        return _attribute(owner, weight.role)
    *way, name = native_parts(weight, node)
    for part in way:
        owner = owner[int(part)] if part.isdigit() else _attribute(owner, f"{part}_layer")
    if isinstance(node.op, Recurrent):
        owner = _attribute(owner, "cell")
    return _attribute(owner, name)


def weight_ref(weight: Weight, owner: Expr, node: Node | None) -> Expr:
    """How a forward pass reads a weight in the canonical layout."""
    native = variable(weight, owner, node)
    if node is None:
        return native
    if (row := _row(weight)) is not None:
        native = native[row]
    if isinstance(node.op, GRU):
        native = _swapped(native, node.op.units, weight.type.rank)
    order = _order(weight, node)
    if isinstance(node.op, PReLU):
        return Name("ops.reshape")(native, weight.type.shape)
    if order is None:
        return native
    transpose = Name("ops.transpose")
    return transpose(native) if len(order) == 2 else transpose(native, inverse(order))


def _swapped(native: Expr, units: int, rank: int) -> Expr:
    """With the first two of three gates, on the last axis, in each other's place."""
    cuts = (Slice(Literal(units), Literal(2 * units)), Slice(None, Literal(units)))
    parts = [*cuts, Slice(Literal(2 * units))]
    whole = (Slice(),) * (rank - 1)
    gates = [native[Tuple((*whole, part)) if whole else part] for part in parts]
    return Name("ops.concatenate")(gates, axis=-1)


def _attribute(owner: Expr, name: str) -> Expr:
    return Name(f"{owner.text}.{name}") if isinstance(owner, Name) else owner.attr(name)
