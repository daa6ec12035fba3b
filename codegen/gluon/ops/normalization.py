"""Batch norm."""

from __future__ import annotations

from codegen.gluon.layer import Both, Layers
from codegen.python.source import Expr, Name
from nnspec.catalogue.ops.normalization import BatchNorm
from nnspec.catalogue.ops.site import Term
from nnspec.core.dims import Dim, product
from nnspec.graph.graph import Node
from nnspec.graph.site import GraphSite

TABLE = Layers()


def axis(node: Node) -> int:
    """The axis of the features."""
    assert isinstance(node.op, BatchNorm)
    return 1 if node.op.channels_first or node.inputs[0].type.rank == 2 else -1


def features(node: Node) -> Dim:
    return node.inputs[0].type.shape[axis(node)]


def all_ones(node: Node) -> Expr | None:
    """In place of a scale that the layer has not."""
    assert isinstance(node.op, BatchNorm)
    return None if node.op.scale else Name("F.ones")(shape=(features(node),))


def all_zeros(node: Node) -> Expr | None:
    """In place of an offset that the layer has not."""
    assert isinstance(node.op, BatchNorm)
    return None if node.op.offset else Name("F.zeros")(shape=(features(node),))


def is_no_volume(node: Node) -> bool:
    """Of a volume in f32, MXNet's takes a view of what oneDNN holds: beside a convolution, training ends in
    `Check failed: !is_view`."""
    return node.inputs[0].type.rank < 5


@TABLE.rewrite
def norm_of_cells(to: GraphSite, op: BatchNorm, x: Term) -> Term:
    """Of a matrix with a row for each cell."""
    *cells, features = x.shape
    (y,) = to.again(op, to.reshape(x, (product(tuple(cells)), features)))
    return to.reshape(y, x.shape)


TABLE.layer(
    BatchNorm,
    "nn.BatchNorm",
    "F.BatchNorm",
    Both(axis, "axis", "axis", 1),
    Both("momentum", "momentum", "momentum", 0.9),
    Both("epsilon", "epsilon", "eps", 1e-5, operator_default=1e-3),
    # By itself the operator ignores gamma.
    Both(lambda node: False, None, "fix_gamma"),
    Both("offset", "center", None, True),
    Both("scale", "scale", None, True),
    Both(all_ones, None, "gamma", None),
    Both(all_zeros, None, "beta", None),
    Both(features, "in_channels"),
    weights={"weight": "gamma", "bias": "beta"},
    variables={"running_mean": "moving_mean", "running_var": "moving_var"},
    legal=is_no_volume,
)
