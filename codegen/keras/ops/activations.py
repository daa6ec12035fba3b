"""Activations: functions, and names that a layer is told."""

from __future__ import annotations

from codegen.python.native import Table
from codegen.rules import at, function, key
from nnspec.catalogue.ops.activations import (
    AlongAxis,
    LogSoftmax,
    Relu,
    Sigmoid,
    Softmax,
    Softplus,
    Tanh,
)
from nnspec.graph.graph import Node


def from_the_end(node: Node) -> int:
    """The axis; the last one as Keras's default."""
    last = node.inputs[0].type.rank - 1
    return -1 if not isinstance(node.op, AlongAxis) or node.op.axis == last else node.op.axis


AXIS = key("axis", from_the_end, -1)

TABLE = Table()
TABLE.add(
    function(Relu, "ops.relu", alias="relu", chain="layers.ReLU"),
    *(
        function(
            op,
            f"ops.{op.name}",
            alias=op.name,
            chain="layers.Activation",
            chain_arguments=(at(lambda node: node.op.name),),
        )
        for op in (Sigmoid, Tanh, Softplus)
    ),
    function(Softmax, "ops.softmax", AXIS, alias="softmax", chain="layers.Softmax"),
    function(LogSoftmax, "ops.log_softmax", AXIS, alias="log_softmax"),
)
