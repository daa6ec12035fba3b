"""Batch norm, whose features PyTorch wants on the second axis."""

from __future__ import annotations

from codegen.python.dialect import Result
from codegen.python.native import Table, Use, call
from codegen.python.source import Expr, Name
from codegen.rules import COMPLEMENT, at, key
from nnspec.catalogue.ops.normalization import BatchNorm
from nnspec.graph.graph import Node

TABLE = Table()

ARGUMENTS = (
    at(lambda node: node.weights[0].type.shape[0], "features"),
    key("eps", "epsilon", 1e-5),
    key("momentum", "momentum", 0.9, COMPLEMENT),
)


@TABLE.maker
def batch_norm(op: BatchNorm, node: Node) -> Expr:
    """The layer; a scale or offset that the language leaves out stays as it begins."""
    rank = node.inputs[0].type.rank
    made = call(Name(f"BatchNorm{max(rank - 2, 1)}d"), ARGUMENTS, node)
    if not op.scale and not op.offset:
        return made.with_keyword("affine", False)
    if op.scale and op.offset:
        return made
    return Name("frozen")(made, "bias" if op.scale else "weight")


def features_last(op: BatchNorm, rank: int) -> bool:
    """Whether the features stand on the last of more than two axes."""
    return rank > 2 and not op.channels_first


@TABLE.rule
def apply_batch_norm(op: BatchNorm, use: Use, x: Expr) -> Result:
    layer = use.forward.layer(use.node)
    if not features_last(op, use.rank):
        return layer(x)
    return layer(x.attr("movedim")(-1, 1)).attr("movedim")(1, -1)


@TABLE.chain
def batch_norm_in_chain(op: BatchNorm, node: Node) -> Expr | None:
    return None if features_last(op, node.inputs[0].type.rank) else batch_norm(op, node)
