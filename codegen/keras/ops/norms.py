"""Normalisation of each example by itself; noise."""

from __future__ import annotations

from codegen.python.native import Table
from codegen.rules import Argument, at, key, layer, of
from nnspec.catalogue.ops.noise import SPATIAL_DROPOUTS, GaussianNoise
from nnspec.catalogue.ops.norms import GroupNorm, InstanceNorm, LayerNorm, RMSNorm, are_last
from nnspec.core.dims import product
from nnspec.graph.graph import Node

SCALED = {"weight": "gamma", "bias": "beta"}
ARGUMENTS: tuple[Argument, ...] = (
    key("epsilon", "epsilon", 1e-3),
    key("center", "offset", True),
    key("scale", "scale", True),
)


@of
def axes(op: LayerNorm | RMSNorm, node: Node) -> int | list[int]:
    """One axis stands alone."""
    return op.axis[0] if len(op.axis) == 1 else list(op.axis)


@of
def is_scaled(op: RMSNorm, node: Node) -> bool:
    """Keras's has always a scale, which meets the last axes."""
    x = node.inputs[0].type
    return op.scale and are_last(op.over(x), x.rank)


@of
def are_several(op: LayerNorm | GroupNorm | InstanceNorm, node: Node) -> bool:
    """Of a single number nothing is left but the offset. Keras divides by `sqrt(epsilon)` before it subtracts,
    and so leaves rounding of the quotient, 300 times as large."""
    x = node.inputs[0].type
    if isinstance(op, LayerNorm):
        return product(tuple(x.shape[i] for i in op.over(x))) != 1
    _, *space, features = op.logical(x)
    together = features // op.groups if isinstance(op, GroupNorm) else 1
    return product((*space, together)) != 1


TABLE = Table()
TABLE.add(
    layer(
        LayerNorm,
        "layers.LayerNormalization",
        key("axis", axes, -1),
        *ARGUMENTS,
        weights=SCALED,
        legal=are_several,
    ),
    layer(
        RMSNorm,
        "layers.RMSNormalization",
        key("axis", axes, -1),
        key("epsilon", "epsilon", 1e-6),
        weights={"weight": "scale"},
        legal=is_scaled,
    ),
    layer(
        GroupNorm,
        "layers.GroupNormalization",
        key("groups", "groups", 32),
        *ARGUMENTS,
        weights=SCALED,
        legal=are_several,
    ),
    layer(
        InstanceNorm,
        "layers.GroupNormalization",
        key("groups", lambda node: -1),
        *ARGUMENTS,
        weights=SCALED,
        legal=are_several,
    ),
    *(layer(op, f"layers.{op.name}", at("rate")) for op in SPATIAL_DROPOUTS),
    layer(GaussianNoise, "layers.GaussianNoise", at("stddev")),
)
