"""Normalisation of each example by itself, features second where there is space; noise."""

from __future__ import annotations

from codegen.python.native import Table, call
from codegen.python.source import Call, Expr, Name
from codegen.rules import Argument, at, function, key, layer, of
from nnspec.catalogue.ops.noise import SPATIAL_DROPOUTS, GaussianNoise
from nnspec.catalogue.ops.norms import (
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    LocalResponseNorm,
    RMSNorm,
    are_last,
    sizes_along,
)
from nnspec.core.dims import product
from nnspec.core.types import TensorType
from nnspec.graph.graph import Node

TABLE = Table()
Single = LayerNorm | RMSNorm


@of
def sizes(op: Single, node: Node) -> int | tuple[int, ...]:
    """Of the axes that are normalised together."""
    x = node.inputs[0].type
    along = sizes_along(x, op.over(x))
    return along[0] if len(along) == 1 else along


@of
def is_last(op: Single, node: Node) -> bool:
    """PyTorch normalises the last axes, of known sizes."""
    x, over = node.inputs[0].type, op.over(node.inputs[0].type)
    known = all(isinstance(x.shape[i], int) for i in over)
    return known and are_last(over, x.rank)


def channels(node: Node) -> int:
    """Features of the operand."""
    op, x = node.op, node.inputs[0].type
    assert isinstance(op, GroupNorm | InstanceNorm)
    return int(str(op.logical(x)[-1]))


def cells(op: GroupNorm | InstanceNorm, x: TensorType) -> object:
    """How many cells of space one image has."""
    return product(op.logical(x)[1:-1])


@of
def is_several(op: GroupNorm, node: Node) -> bool:
    """PyTorch refuses to find the variance of one number."""
    x = node.inputs[0].type
    return channels(node) > op.groups or cells(op, x) != 1


@of
def has_space(op: InstanceNorm, node: Node) -> bool:
    return cells(op, node.inputs[0].type) != 1


EPSILON = key("eps", "epsilon", 1e-5)


@TABLE.maker
def layer_norm(op: LayerNorm, node: Node) -> Expr:
    """An offset without a scale is one whose scale stays as it begins."""
    made = call(Name("nn.LayerNorm"), (at(sizes, "features"), EPSILON), node)
    if op.scale:
        return made if op.offset else made.with_keyword("bias", False)
    if op.offset:
        return Name("frozen")(made, "weight")
    return made.with_keyword("elementwise_affine", False)


TABLE.legal[LayerNorm] = is_last


@TABLE.maker
def group_norm(op: GroupNorm, node: Node) -> Expr:
    return affine(op, call(Name("nn.GroupNorm"), (at("groups"), WIDTH, EPSILON), node), False)


TABLE.legal[GroupNorm] = is_several


@TABLE.maker
def instance_norm(op: InstanceNorm, node: Node) -> Expr:
    rank = node.inputs[0].type.rank - 2
    return affine(op, call(Name(f"nn.InstanceNorm{rank}d"), (WIDTH, EPSILON), node), True)


TABLE.legal[InstanceNorm] = has_space
WIDTH: Argument = at(channels, "features")


def affine(op: GroupNorm | InstanceNorm, made: Call, told: bool) -> Expr:
    """With scale and offset, if any; of one alone, the other stays as it begins.

    told: whether the class has none unless it is told.
    """
    wanted = op.scale or op.offset
    if wanted == told:
        made = made.with_keyword("affine", wanted)
    if op.scale == op.offset:
        return made
    return Name("frozen")(made, "bias" if op.scale else "weight")


TABLE.add(
    layer(
        RMSNorm,
        "nn.RMSNorm",
        at(sizes, "features"),
        key("eps", "epsilon"),
        key("elementwise_affine", "scale", True),
        legal=is_last,
    ),
    function(
        LocalResponseNorm,
        "F.local_response_norm",
        at("size"),
        key("alpha", "alpha", 1e-4),
        key("beta", "beta", 0.75),
        key("k", "k", 1.0),
    ),
    *(layer(op, f"nn.Dropout{op.rank}d", at("rate")) for op in SPATIAL_DROPOUTS),
    layer(GaussianNoise, "GaussianNoise", at("stddev")),
)
