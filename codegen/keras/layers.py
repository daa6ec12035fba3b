"""Layers as Keras's; images keep their channels last, so the logical graph is written as it is."""

from __future__ import annotations

from codegen.dialect import Application, Constructor, Result, UnsupportedOp
from codegen.forward import Forward
from codegen.keras.initializers import initializers
from codegen.python_source import Assign, Call, Expr, Literal, Name, Slice, Tuple, lift
from nnspec.graph import Node
from nnspec.ops import Op
from nnspec.ops.activations import Relu, Sigmoid, Softmax, Tanh
from nnspec.ops.convolution import Conv2D, ConvTranspose2D
from nnspec.ops.dense import Dense, Embedding
from nnspec.ops.normalization import BatchNorm, Dropout
from nnspec.ops.pooling import AvgPool2D, MaxPool2D
from nnspec.ops.recurrent import LSTM
from nnspec.ops.windows import Pads, extent

Pair = tuple[int, int]


def square(pair: Pair, hint: str) -> Expr:
    """One number for both axes where they are equal."""
    return Literal(pair[0], hint) if pair[0] == pair[1] else lift(pair)


def dense(node: Node) -> Call:
    assert isinstance(node.op, Dense)
    made = Name("layers.Dense")(Literal(node.op.units, "units"))
    made = made if node.op.use_bias else made.with_keyword("use_bias", False)
    return initializers(made, node)


def embedding(node: Node) -> Call:
    assert isinstance(node.op, Embedding)
    made = Name("layers.Embedding")(
        Literal(node.op.tokens, "tokens"), Literal(node.op.width, "width")
    )
    return initializers(made, node)


def dropout(node: Node) -> Call:
    assert isinstance(node.op, Dropout)
    return Name("layers.Dropout")(Literal(node.op.rate, "rate"))


def conv2d(node: Node) -> Call:
    op = node.op
    assert isinstance(op, Conv2D)
    if op.stride != (1, 1) and op.dilation != (1, 1):
        raise UnsupportedOp(node, "Keras", "its convolutions have a stride or a dilation, not both")
    made = Name("layers.Conv2D")(Literal(op.filters, "filters"), square(op.kernel, "kernel_size"))
    if op.stride != (1, 1):
        made = made.with_keyword("strides", square(op.stride, "strides"))
    if op.padding == "same":
        made = made.with_keyword("padding", "same")
    if op.dilation != (1, 1):
        made = made.with_keyword("dilation_rate", square(op.dilation, "dilation_rate"))
    if op.groups != 1:
        made = made.with_keyword("groups", op.groups)
    if not op.use_bias:
        made = made.with_keyword("use_bias", False)
    return initializers(made, node)


def conv_transpose2d(node: Node) -> Call:
    op = node.op
    assert isinstance(op, ConvTranspose2D)
    if op.dilation != (1, 1):
        raise UnsupportedOp(node, "Keras", "TensorFlow has no gradient of a dilated one on a CPU")
    made = Name("layers.Conv2DTranspose")(
        Literal(op.filters, "filters"), square(op.kernel, "kernel_size")
    )
    if op.stride != (1, 1):
        made = made.with_keyword("strides", square(op.stride, "strides"))
    if op.padding == "same":
        made = made.with_keyword("padding", "same")
    if not op.use_bias:
        made = made.with_keyword("use_bias", False)
    return initializers(made, node)


def pool(name: str) -> Constructor:
    def make(node: Node) -> Call:
        op = node.op
        assert isinstance(op, (MaxPool2D, AvgPool2D))
        made = Name(name)() if op.size == (2, 2) else Name(name)(square(op.size, "pool_size"))
        if op.step != op.size:
            made = made.with_keyword("strides", square(op.step, "strides"))
        return made.with_keyword("padding", "same") if op.padding == "same" else made

    return make


def batch_norm(node: Node) -> Call:
    op = node.op
    assert isinstance(op, BatchNorm)
    made = Name("layers.BatchNormalization")(momentum=op.momentum, epsilon=op.epsilon)
    if not op.scale:
        made = made.with_keyword("scale", False)
    return made if op.offset else made.with_keyword("center", False)


def lstm(node: Node) -> Expr:
    """One layer, or a list of stacked ones of which only the last may return less than the sequence."""
    op = node.op
    assert isinstance(op, LSTM)
    stack = []
    for i in range(op.layers):
        made = Name("layers.LSTM")(Literal(op.units, "units"))
        last = i == op.layers - 1
        if not last or op.returns != "last":
            made = made.with_keyword("return_sequences", True)
        if last and op.returns == "all":
            made = made.with_keyword("return_state", True)
        stack.append(Name("layers.Bidirectional")(made) if op.bidirectional else made)
    return stack[0] if len(stack) == 1 else lift(stack)


# --- application -----------------------------------------------------------------------------------


def pad(x: Expr, padding: Pads, value: Expr | None = None) -> Expr:
    """Rows and columns around an image."""
    widths = ((0, 0), *padding, (0, 0))
    extra = {} if value is None else {"constant_values": value}
    return Name("ops.pad")(x, widths, **extra)


def apply_conv2d(node: Node, operands: tuple[Expr, ...], forward: Forward) -> Result:
    assert isinstance(node.op, Conv2D)
    (x,) = operands
    if not isinstance(node.op.padding, str):
        x = pad(x, node.op.padding)
    return forward.layer(node)(x)


def apply_conv_transpose2d(node: Node, operands: tuple[Expr, ...], forward: Forward) -> Result:
    """Keras lets a stride beyond the kernel add empty cells at the end; the language does not."""
    op = node.op
    assert isinstance(op, ConvTranspose2D)
    result = forward.layer(node)(*operands)
    spare = [max(s - extent(k, 1), 0) for k, s in zip(op.kernel, op.stride, strict=True)]
    if op.padding == "same" or not any(spare):
        return result
    cut = tuple(Slice(None, lift(-s)) if s else Slice() for s in spare)
    return result[Tuple((Slice(), *cut))]


def apply_pool(node: Node, operands: tuple[Expr, ...], forward: Forward) -> Result:
    op = node.op
    assert isinstance(op, (MaxPool2D, AvgPool2D))
    (x,) = operands
    layer = forward.layer(node)
    if isinstance(op.padding, str):
        return layer(x)
    if isinstance(op, MaxPool2D):
        return layer(pad(x, op.padding, -Name("float")("inf")))
    x = forward.name(x)
    # The share of cells that are no padding makes the mean one of the others alone.
    share = layer(pad(Name("ops.ones_like")(x), op.padding))
    return layer(pad(x, op.padding)) / share


def apply_lstm(node: Node, operands: tuple[Expr, ...], forward: Forward) -> Result:
    op = node.op
    assert isinstance(op, LSTM)
    (x,) = operands
    layer = forward.layer(node)
    if op.layers > 1:
        for i in range(op.layers - 1):
            x = layer[i](x)
        layer = layer[op.layers - 1]
    if op.returns != "all":
        return layer(x)
    if not op.bidirectional:
        return layer(x)
    names = [forward.fresh(n) for n in ("sequence", "h", "c", "h_back", "c_back")]
    forward.emit(Assign(Tuple(tuple(names)), layer(x)))
    sequence, h, c, h_back, c_back = names
    join = Name("ops.concatenate")
    return sequence, join([h, h_back]), join([c, c_back])


# --- activations built in --------------------------------------------------------------------------

_ACTIVATIONS: dict[type[Op], str] = {
    Relu: "relu",
    Sigmoid: "sigmoid",
    Tanh: "tanh",
    Softmax: "softmax",
}


def absorb(node: Node, activation: Node) -> Expr | None:
    """`Dense(128, activation="relu")`."""
    if not isinstance(node.op, (Dense, Conv2D, ConvTranspose2D)):
        return None
    name = _ACTIVATIONS.get(type(activation.op))
    if isinstance(activation.op, Softmax):
        last = activation.op.axis in (-1, node.outputs[0].type.rank - 1)
        name = name if last else None
    made = LAYERS[type(node.op)](node)
    assert isinstance(made, Call)
    if name is None:
        return None
    # Before the initialisers: what a reader looks for first.
    at = next(
        (i for i, (k, _) in enumerate(made.keywords) if k.endswith("initializer")),
        len(made.keywords),
    )
    keywords = (*made.keywords[:at], ("activation", lift(name)), *made.keywords[at:])
    return Call(made.function, made.arguments, keywords)


LAYERS: dict[type[Op], Constructor] = {
    Dense: dense,
    Embedding: embedding,
    Dropout: dropout,
    Conv2D: conv2d,
    ConvTranspose2D: conv_transpose2d,
    MaxPool2D: pool("layers.MaxPooling2D"),
    AvgPool2D: pool("layers.AveragePooling2D"),
    BatchNorm: batch_norm,
    LSTM: lstm,
}
APPLIED: dict[type[Op], Application] = {
    Conv2D: apply_conv2d,
    ConvTranspose2D: apply_conv_transpose2d,
    MaxPool2D: apply_pool,
    AvgPool2D: apply_pool,
    LSTM: apply_lstm,
}


def _chained(node: Node) -> Expr | None:
    """A layer as a link of a chain, where applying it takes nothing more."""
    op = node.op
    if isinstance(op, (Conv2D, MaxPool2D, AvgPool2D)) and not isinstance(op.padding, str):
        return None
    if isinstance(op, ConvTranspose2D) and op.padding != "same" and op.stride > op.kernel:
        return None
    if isinstance(op, LSTM) and (op.layers > 1 or op.returns == "all"):
        return None
    return LAYERS[type(op)](node)


CHAINED = dict.fromkeys(APPLIED, _chained)
