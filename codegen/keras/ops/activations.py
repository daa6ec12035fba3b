"""Activations: functions, and names that a layer is told."""

from __future__ import annotations

from collections.abc import Callable

from codegen.python.native import Table
from codegen.python.source import Expr, Name
from codegen.rules import at, function, key, layer, of
from nnspec.catalogue.ops.activations import (
    AlongAxis,
    LogSoftmax,
    Relu,
    Sigmoid,
    Softmax,
    Softplus,
    Tanh,
)
from nnspec.catalogue.ops.base import Op
from nnspec.catalogue.ops.gated import Gelu, Glu, HardSigmoid, HardSwish, Mish, Silu, Softsign
from nnspec.catalogue.ops.rectifiers import Celu, Elu, LeakyRelu, PReLU, Relu6, Selu
from nnspec.graph.graph import Node


def from_the_end(node: Node) -> int:
    """The axis; the last one as Keras's default."""
    last = node.inputs[0].type.rank - 1
    return -1 if not isinstance(node.op, AlongAxis) or node.op.axis == last else node.op.axis


@of
def of_the_error_function(op: Gelu, node: Node) -> str | None:
    """As a name Keras's is the exact one, as a function the other."""
    return None if op.approximate else "gelu"


@of
def shared(op: PReLU, node: Node) -> list[int] | None:
    """Keras has a slope for each place of the axes that are not named here."""
    return list(range(1, node.inputs[0].type.rank - 1)) or None


def in_f32(node: Node) -> bool:
    """TensorFlow keeps the slope, and the constants of gelu, in f32."""
    return node.inputs[0].type.dtype != "f64"


AXIS = key("axis", from_the_end, -1)
ALPHA = key("alpha", "alpha", 1.0)
NAMES: dict[type[Op], str] = {
    Sigmoid: "sigmoid",
    Tanh: "tanh",
    Softplus: "softplus",
    Softsign: "softsign",
    Relu6: "relu6",
    Selu: "selu",
    Silu: "silu",
    HardSigmoid: "hard_sigmoid",
    HardSwish: "hard_swish",
}
"""Functions that are names of activations too."""


def named(name: str) -> Callable[[Node], str]:
    return lambda node: name


TABLE = Table()
TABLE.add(
    function(Relu, "ops.relu", alias="relu", chain="layers.ReLU"),
    *(
        function(
            op,
            f"ops.{name}",
            alias=name,
            chain="layers.Activation",
            chain_arguments=(at(named(name)),),
        )
        for op, name in NAMES.items()
    ),
    # Keras has it as an activation only.
    function(
        Mish,
        "keras.activations.mish",
        alias="mish",
        chain="layers.Activation",
        chain_arguments=(at(named("mish")),),
    ),
    function(
        LeakyRelu,
        "ops.leaky_relu",
        key("negative_slope", "negative_slope", 0.2),
        chain="layers.LeakyReLU",
        chain_arguments=(key("negative_slope", "negative_slope", 0.3),),
        legal=in_f32,
    ),
    function(Elu, "ops.elu", ALPHA, alias="elu", chain="layers.ELU"),
    function(Celu, "ops.celu", ALPHA, alias="celu"),
    function(
        Gelu,
        "ops.gelu",
        key("approximate", "approximate", True),
        alias=of_the_error_function,
        legal=in_f32,
    ),
    function(Glu, "ops.glu", AXIS),
    layer(PReLU, "layers.PReLU", key("shared_axes", shared, None), weights={"weight": "alpha"}),
    function(Softmax, "ops.softmax", AXIS, alias="softmax", chain="layers.Softmax"),
    function(LogSoftmax, "ops.log_softmax", AXIS, alias="log_softmax"),
)


@TABLE.chain
def gelu_in_chain(op: Gelu, node: Node) -> Expr | None:
    return None if op.approximate else Name("layers.Activation")("gelu")
