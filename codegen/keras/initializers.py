"""How weights begin, as Keras's initialisers."""

from __future__ import annotations

from collections.abc import Mapping

from codegen.dtypes import PLAIN
from codegen.keras.dtypes import DTYPES
from codegen.python.dialect import Unsupported
from codegen.python.source import Call, Expr, Literal, Name, lift
from nnspec.catalogue import initializers as init
from nnspec.catalogue.ops.convolution import ConvTranspose
from nnspec.catalogue.ops.depthwise import DepthwiseConv2D
from nnspec.graph.graph import Node, Weight


def initializer(value: init.Initializer, *, fan_in: str = "fan_in") -> Expr:
    """The argument of a layer. `fan_in`: what Keras takes for the fan that the language calls in."""
    match value:
        case init.Zeros() | init.Ones() | init.GlorotUniform():
            return Literal(value.name)
        case init.Constant(value=number):
            return Name("keras.initializers.Constant")(number)
        case init.Normal(stddev=stddev):
            return Name("keras.initializers.RandomNormal")(stddev=stddev)
        case init.TruncatedNormal(stddev=stddev):
            return Name("keras.initializers.TruncatedNormal")(stddev=stddev)
        case init.Uniform(low=low, high=high):
            return Name("keras.initializers.RandomUniform")(minval=low, maxval=high)
        case init.Orthogonal(gain=gain):
            made = Name("keras.initializers.Orthogonal")
            return Literal("orthogonal") if gain == 1 else made(gain=gain)
        case init.HeUniform() if fan_in == "fan_in":
            return Literal("he_uniform")
        case init.HeUniform():
            return _scaling(2.0, fan_in, "uniform")
        # Keras's glorot_normal, he_normal and lecun_normal are truncated.
        case init.GlorotNormal():
            return _scaling(1.0, "fan_avg", "untruncated_normal")
        case init.HeNormal():
            return _scaling(2.0, fan_in, "untruncated_normal")
        case init.LecunNormal():
            return _scaling(1.0, fan_in, "untruncated_normal")
    raise TypeError(f"Keras has no initialiser for {value}")


def _scaling(scale: float, mode: str, distribution: str) -> Call:
    made = Name("keras.initializers.VarianceScaling")
    return made(scale=scale, mode=mode, distribution=distribution)


USUAL: dict[str, init.Initializer] = {
    "kernel": init.GlorotUniform(),
    "depthwise_kernel": init.GlorotUniform(),
    "pointwise_kernel": init.GlorotUniform(),
    "bias": init.Zeros(),
    "gamma": init.Ones(),
    "beta": init.Zeros(),
    "moving_mean": init.Zeros(),
    "moving_variance": init.Ones(),
    "scale": init.Ones(),
}
"""What Keras takes by itself, by its names of weights."""


def with_initializers(made: Call, node: Node, names: Mapping[str, str]) -> Call:
    """The layer, told how its weights begin where that is not as Keras has it."""
    for weight in node.weights:
        name = names[weight.role]
        if weight.initializer is not None and weight.initializer != USUAL.get(name):
            if isinstance(node.op, DepthwiseConv2D) and name == "kernel":
                name = "depthwise_kernel"
            # The fan in of a transposed kernel, and of each channel's own, stands where Keras looks for the fan out.
            turned = isinstance(node.op, ConvTranspose) or name == "depthwise_kernel"
            chosen = initializer(weight.initializer, fan_in="fan_out" if turned else "fan_in")
            called = name.removesuffix("_kernel")
            made = made.with_keyword(f"{called}_initializer", chosen)
    return made


def free_weight(weight: Weight) -> Expr:
    """`self.add_weight(...)` for a weight of its own."""
    if isinstance(weight.initializer, init.ForgetBias):
        reason = "it has no such initialiser outside of its own LSTM"
        raise Unsupported(f"`{weight.path}`", weight.span, "Keras", reason)
    if isinstance(weight.initializer, init.Orthogonal) and weight.type.dtype == "bf16":
        reason = "TensorFlow cannot make an orthogonal matrix in bf16"
        raise Unsupported(f"`{weight.path}`", weight.span, "Keras", reason)
    chosen = initializer(weight.initializer or init.Zeros())
    add = Name("self.add_weight")
    made = add(shape=lift(weight.type.shape), initializer=chosen, name=weight.role)
    if weight.type.dtype == PLAIN:
        return made
    return made.with_keyword("dtype", DTYPES[weight.type.dtype])
