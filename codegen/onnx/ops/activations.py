"""Activations; where an operator set lacks one, its meaning has the form that onnxruntime joins into one."""

from __future__ import annotations

from codegen.onnx.lowering import Result
from codegen.onnx.native import Table, Use
from codegen.rules import Form, function, key
from nnspec.catalogue.ops.activations import LogSoftmax, Relu, Sigmoid, Softmax, Softplus, Tanh
from nnspec.catalogue.ops.gated import Gelu, HardSigmoid, HardSwish, Mish, Softsign
from nnspec.catalogue.ops.rectifiers import Celu, Elu, LeakyRelu, PReLU, Relu6, Selu
from nnspec.graph.weight_map import Reshape

TANH = Form(lambda approximate: "tanh" if approximate else "none", lambda name: name == "tanh")
ALPHA = key("alpha", "alpha", 1.0)
AXIS = key("axis", "axis", -1)
TABLE = Table()
TABLE.add(
    function(Relu, "Relu"),
    function(LeakyRelu, "LeakyRelu", key("alpha", "negative_slope", 0.01)),
    function(Elu, "Elu", ALPHA),
    function(Selu, "Selu"),
    function(Celu, "Celu", ALPHA),
    function(Sigmoid, "Sigmoid"),
    function(Tanh, "Tanh"),
    function(Softplus, "Softplus"),
    function(Softsign, "Softsign"),
    function(Gelu, "Gelu", key("approximate", "approximate", False, TANH), since=20),
    function(Mish, "Mish", since=18),
    # By itself the slope is 0.2.
    function(HardSigmoid, "HardSigmoid", key("alpha", lambda node: 1 / 6)),
    function(HardSwish, "HardSwish"),
    function(Softmax, "Softmax", AXIS),
    function(LogSoftmax, "LogSoftmax", AXIS),
)


@TABLE.rule
def relu6(op: Relu6, use: Use, x: str) -> Result:
    return use.to.op("Clip", x, use.number(0), use.number(6))


@TABLE.rule
def prelu(op: PReLU, use: Use, x: str) -> Result:
    """ONNX's slopes meet the operand from its last axis on."""
    (weight,) = use.node.weights
    (count,) = (int(str(d)) for d in weight.type.shape)
    behind = use.rank - 2 if op.channels_first else 0
    ways = (Reshape((count,), (count, *(1,) * behind)),) if behind else ()
    return use.to.op("PRelu", x, use.to.weight(weight, *ways))
