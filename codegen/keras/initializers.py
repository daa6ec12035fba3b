"""How weights begin, as Keras's initialisers."""

from __future__ import annotations

from codegen.python_source import Call, Expr, Literal, Name
from nnspec import initializers as init
from nnspec.graph import Node
from nnspec.ops.dense import Embedding

_USUAL: dict[str, init.Initializer] = {"weight": init.GlorotUniform(), "bias": init.Zeros()}


def initializer(value: init.Initializer) -> Expr:
    """A name that Keras knows, or an object where there is something to say."""
    match value:
        case init.Zeros():
            return Literal("zeros")
        case init.Ones():
            return Literal("ones")
        case init.Constant(value=constant):
            return Name("initializers.Constant")(constant)
        case init.Normal(stddev=stddev):
            return Name("initializers.RandomNormal")(stddev=stddev)
        case init.Uniform(low=low, high=high):
            return Name("initializers.RandomUniform")(low, high)
        case init.GlorotUniform():
            return Literal("glorot_uniform")
        case init.GlorotNormal():
            return Literal("glorot_normal")
        case init.HeUniform():
            return Literal("he_uniform")
        case init.HeNormal():
            return Literal("he_normal")
        case init.Orthogonal(gain=gain):
            return Literal("orthogonal") if gain == 1 else Name("initializers.Orthogonal")(gain)
    raise TypeError(f"Keras has no initialiser for {value}")


def initializers(made: Call, node: Node) -> Call:
    """The layer with those initialisers that are not Keras's own."""
    names = {"weight": "kernel_initializer", "bias": "bias_initializer"}
    usual = dict(_USUAL)
    if isinstance(node.op, Embedding):
        names, usual = {"weight": "embeddings_initializer"}, {}
    for weight in node.weights:
        if weight.initializer is not None and weight.initializer != usual.get(weight.role):
            made = made.with_keyword(names[weight.role], initializer(weight.initializer))
    return made
