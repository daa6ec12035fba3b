"""Normalisation of each example by itself; noise."""

from __future__ import annotations

from codegen.gluon.layer import Both, Layers, first
from codegen.python.dialect import Result
from codegen.python.native import Use
from codegen.python.source import Expr, Name
from codegen.rules import function, key, of
from nnspec.catalogue.ops.noise import SPATIAL_DROPOUTS, GaussianNoise, SpatialDropout
from nnspec.catalogue.ops.norms import InstanceNorm, LayerNorm, LocalResponseNorm
from nnspec.core.dims import Dim
from nnspec.graph.graph import Node

TABLE = Layers()
SCALED = {"weight": "gamma", "bias": "beta"}


@of
def axis(op: LayerNorm, node: Node) -> int:
    return op.axis[0]


@of
def width(op: LayerNorm, node: Node) -> Dim:
    """Of the axis that is normalised."""
    return node.inputs[0].type.shape[op.axis[0]]


@of
def is_one_axis(op: LayerNorm, node: Node) -> bool:
    """MXNet's normalises one axis, and its operator wants both weights."""
    known = isinstance(node.inputs[0].type.shape[op.axis[0]], int)
    return len(op.axis) == 1 and op.scale and op.offset and known


TABLE.layer(
    LayerNorm,
    "nn.LayerNorm",
    "F.LayerNorm",
    Both(axis, "axis", "axis", -1),
    Both("epsilon", "epsilon", "eps", 1e-5),
    Both(width, "in_channels"),
    weights=SCALED,
    legal=is_one_axis,
)


@of
def features(op: InstanceNorm, node: Node) -> Dim:
    return op.logical(node.inputs[0].type)[-1]


@of
def has_both(op: InstanceNorm, node: Node) -> bool:
    return op.scale and op.offset


TABLE.layer(
    InstanceNorm,
    "nn.InstanceNorm",
    "F.InstanceNorm",
    Both("epsilon", "epsilon", "eps", 1e-5, operator_default=1e-3),
    Both("scale", "scale", None, False),
    Both(features, "in_channels"),
    weights=SCALED,
    legal=has_both,
)


@of
def is_image(op: LocalResponseNorm, node: Node) -> bool:
    """MXNet's is for images, with as many neighbours before as behind."""
    return op.size % 2 == 1 and node.inputs[0].type.rank == 4


TABLE.add(
    function(
        LocalResponseNorm,
        "F.LRN",
        key("nsize", "size"),
        key("alpha", "alpha", 1e-4),
        key("beta", "beta", 0.75),
        key("knorm", "k", 2.0),
        legal=is_image,
    )
)


@of
def space(op: SpatialDropout, node: Node) -> tuple[int, ...]:
    """The axes along which a feature is dropped as a whole."""
    return tuple(range(2, 2 + op.rank))


for kind in SPATIAL_DROPOUTS:
    TABLE.layer(
        kind, "nn.Dropout", "F.Dropout", first("rate", "rate", "p"), Both(space, "axes", "axes")
    )


TABLE.layer(GaussianNoise, "nn.Dropout", "F.Dropout", first(lambda node: 0.5, "rate", "p"))


@TABLE.rule
def noise(op: GaussianNoise, use: Use, x: Expr) -> Result:
    """Only `Dropout` knows whether this is training: of ones, less one, it gives coins of 1 and -1 there and 0 in
    evaluation, and normal numbers times such coins are normal numbers."""
    x = use.forward.name(x, "x")
    coins = use.forward.layer(use.node)(Name("F.ones_like")(x)) - 1
    return x + Name("F.random.normal_like")(x, scale=op.stddev) * coins
