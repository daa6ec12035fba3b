"""Activations. MXNet's own slopes (`leaky`, `prelu`, `selu`, `gelu` of `LeakyReLU`; `hard_sigmoid`) keep the digits of
f32 only: they are written by their meaning."""

from __future__ import annotations

import struct

from codegen.python.native import Table
from codegen.rules import Argument, function, key
from nnspec.catalogue.ops.activations import LogSoftmax, Relu, Sigmoid, Softmax, Tanh
from nnspec.catalogue.ops.gated import Softsign
from nnspec.catalogue.ops.rectifiers import Elu
from nnspec.graph.graph import Node


def other_axis(node: Node) -> object:
    """The axis of a softmax; None for the last, which is MXNet's own."""
    op = node.op
    assert isinstance(op, (Softmax, LogSoftmax))
    return None if op.axis % node.inputs[0].type.rank == node.inputs[0].type.rank - 1 else op.axis


def held_exactly(node: Node) -> bool:
    """MXNet keeps the number in f32."""
    assert isinstance(node.op, Elu)
    return struct.unpack("f", struct.pack("f", node.op.alpha)) == (node.op.alpha,)


AXIS = Argument(other_axis, "axis", None)
TABLE = Table()
TABLE.add(
    function(Relu, "F.relu"),
    function(
        Elu,
        "F.LeakyReLU",
        key("act_type", lambda node: "elu"),
        key("slope", "alpha", 0.25),
        legal=held_exactly,
    ),
    function(Sigmoid, "F.sigmoid"),
    function(Tanh, "F.tanh"),
    function(Softsign, "F.softsign"),
    function(Softmax, "F.softmax", AXIS),
    function(LogSoftmax, "F.log_softmax", AXIS),
)
