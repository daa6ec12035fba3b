"""Activations."""

from __future__ import annotations

from codegen.python.native import Table
from codegen.rules import Form, at, function, key, layer, of
from nnspec.catalogue.ops.activations import (
    AlongAxis,
    LogSoftmax,
    Relu,
    Sigmoid,
    Softmax,
    Softplus,
    Tanh,
)
from nnspec.catalogue.ops.gated import Gelu, Glu, HardSigmoid, HardSwish, Mish, Silu, Softsign
from nnspec.catalogue.ops.rectifiers import Celu, Elu, LeakyRelu, PReLU, Relu6, Selu
from nnspec.graph.graph import Node


@of
def along(op: AlongAxis, node: Node) -> int:
    """The axis; that of a batch of rows counted from the first."""
    return op.axis % 2 if node.inputs[0].type.rank == 2 else op.axis


def below_64_bits(node: Node) -> bool:
    """Above 20 PyTorch's softplus is the operand itself, which is the same in fewer than 64 bits."""
    return node.inputs[0].type.dtype != "f64"


TANH = Form(lambda approximate: "tanh" if approximate else "none", lambda name: name == "tanh")
LAST = (key("dim", "axis"),)
SLOPE = key("negative_slope", "negative_slope", 0.01)
ALPHA = key("alpha", "alpha", 1.0)

TABLE = Table()
TABLE.add(
    function(Relu, "F.relu", chain="nn.ReLU"),
    function(Relu6, "F.relu6", chain="nn.ReLU6"),
    function(LeakyRelu, "F.leaky_relu", SLOPE, chain="nn.LeakyReLU"),
    function(Elu, "F.elu", ALPHA, chain="nn.ELU"),
    function(Selu, "F.selu", chain="nn.SELU"),
    function(Celu, "F.celu", ALPHA, chain="nn.CELU"),
    layer(PReLU, "nn.PReLU", at(lambda node: node.weights[0].type.shape[0], "features")),
    function(Sigmoid, "torch.sigmoid", chain="nn.Sigmoid"),
    function(Tanh, "torch.tanh", chain="nn.Tanh"),
    function(Softplus, "F.softplus", chain="nn.Softplus", legal=below_64_bits),
    function(Softsign, "F.softsign", chain="nn.Softsign"),
    function(Gelu, "F.gelu", key("approximate", "approximate", False, TANH), chain="nn.GELU"),
    function(Silu, "F.silu", chain="nn.SiLU"),
    # PyTorch's is made of its softplus.
    function(Mish, "F.mish", chain="nn.Mish", legal=below_64_bits),
    function(HardSigmoid, "F.hardsigmoid", chain="nn.Hardsigmoid"),
    function(HardSwish, "F.hardswish", chain="nn.Hardswish"),
    function(Glu, "F.glu", key("dim", "axis", -1), chain="nn.GLU"),
    function(Softmax, "F.softmax", key("dim", along), chain="nn.Softmax", chain_arguments=LAST),
    function(
        LogSoftmax, "F.log_softmax", key("dim", along), chain="nn.LogSoftmax", chain_arguments=LAST
    ),
)
