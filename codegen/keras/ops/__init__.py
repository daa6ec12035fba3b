"""What each op is in Keras: one file a family, one record or rule an op."""

from __future__ import annotations

from codegen.keras.initializers import with_initializers
from codegen.keras.ops import (
    activations,
    arrays,
    convolution,
    dense,
    gradients,
    losses,
    norms,
    numbers,
    padding,
    pooling,
    recurrent,
    reduction,
    resizing,
    shaping,
    sliding,
)
from codegen.python.native import tables
from codegen.python.source import Call, Expr
from nnspec.graph.graph import Node

FAMILIES = (
    activations,
    arrays,
    convolution,
    dense,
    gradients,
    losses,
    norms,
    numbers,
    padding,
    pooling,
    recurrent,
    reduction,
    resizing,
    shaping,
    sliding,
)


def _begun(made: Call, node: Node) -> Expr:
    """The layer, told how its weights begin."""
    return with_initializers(made, node, TABLES.weights.get(type(node.op), {}))


TABLES = tables((family.TABLE for family in FAMILIES), _begun)
