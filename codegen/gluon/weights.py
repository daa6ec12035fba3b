"""Canonical weights as Gluon calls them: the structural names of `save_parameters`."""

from __future__ import annotations

from codegen.gluon.ops.tables import TABLES
from codegen.python.plan import Owner
from nnspec.catalogue.ops import recurrent
from nnspec.graph.graph import Node, Weight
from nnspec.graph.weight_map import Reshape, Transform


def native_role(node: Node, role: str) -> str:
    """MXNet's name of a weight of a block."""
    return TABLES.weights.get(type(node.op), {}).get(role, role)


def native_name(owner: Owner) -> str:
    """`layer.3.dense.weight`."""
    place, node, role = ".".join(owner.path), owner.node, owner.weight.role
    if node is None:
        return place
    if isinstance(node.op, recurrent.Recurrent):
        part, layer, side = recurrent_role(role)
        stacked = f".{place_of(layer, node.op)}" if node.op.layers > 1 else ""
        cell = f"{side}_cell." if node.op.bidirectional else ""
        return f"{place}{stacked}._unfused.0.{cell}{part}"
    return f"{place}.{native_role(node, role)}"


def place_of(layer: int, op: recurrent.Recurrent) -> int:
    """Where a layer of several stands among its like: one that drops stands between two."""
    return 2 * layer if op.dropout else layer


def recurrent_role(role: str) -> tuple[str, int, str]:
    """`weight_hh_l1_reverse` is `h2h_weight` of layer 1, side `r`."""
    name, reverse = role.removesuffix("_reverse"), role.endswith("_reverse")
    kind, _, layer = name.rpartition("_l")
    parts = {"weight_ih": "i2h_weight", "weight_hh": "h2h_weight", "bias_hh": "h2h_bias"}
    return parts.get(kind, "i2h_bias"), int(layer), "r" if reverse else "l"


def transforms(weight: Weight) -> tuple[Transform, ...]:
    """MXNet has no arrays without axes: a scalar is an array of one element."""
    return () if weight.type.rank else (Reshape((), (1,)),)
