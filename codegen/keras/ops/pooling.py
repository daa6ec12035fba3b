"""Pooling: the greatest or the mean of windows."""

from __future__ import annotations

from codegen.keras.ops.padding import PADDING, surrounded, word
from codegen.python.native import Table
from codegen.rewrites import pad_first
from codegen.rules import SQUARE, Native, at, key, layer
from nnspec.catalogue.ops.pooling import AVG_POOLS, MAX_POOLS, AvgPool, MaxPool, Pool
from nnspec.catalogue.ops.site import Term
from nnspec.graph.graph import Node
from nnspec.graph.site import GraphSite


def step(node: Node) -> tuple[int, ...] | None:
    """The step of windows that do not stand beside each other."""
    op = node.op
    return op.step if isinstance(op, Pool) and op.step != op.size else None


def pool(op: type[Pool], name: str) -> Native:
    # Those of volumes are classes of the file: Keras's own have no f64.
    home = "layers." if op.rank < 3 else ""
    return layer(
        op,
        f"{home}{name}{op.rank}D",
        at("size", form=SQUARE),
        key("strides", step, None, SQUARE),
        PADDING,
        legal=lambda node: word(node) is not None,
    )


TABLE = Table()
TABLE.add(
    *(pool(op, "MaxPooling") for op in MAX_POOLS),
    *(pool(op, "AveragePooling") for op in AVG_POOLS),
)


@TABLE.rewrite
def greatest(to: GraphSite, op: MaxPool, x: Term) -> Term:
    """Padding never wins."""
    return pad_first(to, op, x, float("-inf"))


@TABLE.rewrite
def average(to: GraphSite, op: AvgPool, x: Term) -> Term:
    """The mean with zeros around, by the share of each window that is no padding."""
    bare, pads = op.bare, op.surroundings(x.type)
    inside = to.broadcast_to(to.number(1, x.dtype), (1, *x.shape[1:-1], 1))
    (total,) = to.again(bare, surrounded(to, x, pads))
    (share,) = to.again(bare, surrounded(to, inside, pads))
    return total / share
