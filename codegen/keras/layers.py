"""Layers as Keras's own."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

from codegen.keras.initializers import initializer, with_initializers
from codegen.python.dialect import Application, Constructor, Result
from codegen.python.forward import Forward
from codegen.python.source import Assign, Call, Expr, List, Literal, Name, Slice, Tuple, lift
from nnspec.catalogue.initializers import Normal
from nnspec.catalogue.ops.activations import Relu, Sigmoid, Softmax, Tanh
from nnspec.catalogue.ops.base import Op
from nnspec.catalogue.ops.convolution import CONVOLUTIONS, TRANSPOSED, Conv, ConvTranspose
from nnspec.catalogue.ops.dense import Dense, Embedding
from nnspec.catalogue.ops.image import Windowed
from nnspec.catalogue.ops.normalization import BatchNorm, Dropout
from nnspec.catalogue.ops.pooling import AVG_POOLS, MAX_POOLS, Pool
from nnspec.catalogue.ops.recurrent import LSTM
from nnspec.catalogue.ops.windows import Pads, extent
from nnspec.graph.graph import Node

Sizes = tuple[int, ...]


def square(sizes: Sizes, hint: str) -> Expr:
    """One number for all axes where they are equal."""
    return Literal(sizes[0], hint) if len(set(sizes)) == 1 else lift(sizes)


def dense(node: Node) -> Call:
    op = node.op
    assert isinstance(op, Dense)
    made = Name("layers.Dense")(Literal(op.units, "units"))
    if not op.use_bias:
        made = made.with_keyword("use_bias", False)
    return with_initializers(made, node.weights)


def embedding(node: Node) -> Expr:
    op = node.op
    assert isinstance(op, Embedding)
    chosen = initializer(node.weights[0].initializer or Normal())
    made = Name("layers.Embedding")(Literal(op.tokens, "tokens"), Literal(op.width, "width"))
    return made.with_keyword("embeddings_initializer", chosen)


def dropout(node: Node) -> Expr:
    assert isinstance(node.op, Dropout)
    return Name("layers.Dropout")(Literal(node.op.rate, "rate"))


def batch_norm(node: Node) -> Expr:
    op = node.op
    assert isinstance(op, BatchNorm)
    made = Name("layers.BatchNormalization")()
    # Keras's own are 0.99 and 1e-3.
    if op.momentum != 0.99:
        made = made.with_keyword("momentum", op.momentum)
    if op.epsilon != 1e-3:
        made = made.with_keyword("epsilon", op.epsilon)
    if not op.offset:
        made = made.with_keyword("center", False)
    return made if op.scale else made.with_keyword("scale", False)


# Convolutions.


def _thinned(op: Conv) -> bool:
    """Whether places are left out after the layer: Keras has no stride together with dilation."""
    return set(op.stride) != {1} and set(op.dilation) != {1}


def _pads(node: Node) -> Pads | str:
    """Padding that is written before the layer, or the word that the layer is given."""
    op = node.op
    assert isinstance(op, Windowed)
    padding = op.window.padding
    if padding == "same" and isinstance(op, Conv) and _thinned(op):
        return op.around(node.inputs[0].type) or "unknown"
    if isinstance(padding, str):
        return padding
    return padding if any(map(any, padding)) else "valid"


def _padded(x: Expr, pads: Pads, **keywords: object) -> Expr:
    return Name("ops.pad")(x, ((0, 0), *pads, (0, 0)), **keywords)


def conv(node: Node) -> Call:
    op = node.op
    assert isinstance(op, Conv)
    made = Name(f"layers.{op.name}")(Literal(op.filters, "filters"), square(op.kernel, "kernel"))
    if set(op.stride) != {1} and not _thinned(op):
        made = made.with_keyword("strides", square(op.stride, "stride"))
    if (word := _pads(node)) in ("same", "causal"):
        made = made.with_keyword("padding", word)
    if set(op.dilation) != {1}:
        made = made.with_keyword("dilation_rate", square(op.dilation, "dilation"))
    if op.groups != 1:
        made = made.with_keyword("groups", op.groups)
    if not op.use_bias:
        made = made.with_keyword("use_bias", False)
    return with_initializers(made, node.weights)


def apply_conv(node: Node, operands: tuple[Expr, ...], forward: Forward) -> Result:
    op = node.op
    assert isinstance(op, Conv)
    (x,) = operands
    match _pads(node):
        case "unknown":
            x = Name("same_padding")(x, op.kernel, op.stride, op.dilation)
        case str():
            pass
        case pads:
            x = _padded(x, pads)
    result = forward.layer(node)(x)
    if not _thinned(op):
        return result
    return _cut(result, [Slice(None, None, None if s == 1 else Literal(s)) for s in op.stride])


def _missing(op: ConvTranspose) -> Sizes:
    """Cells by which Keras's "valid" result is longer: strides that reach beyond the last kernel."""
    if op.padding == "same":
        return (0,) * op.rank
    along = zip(op.kernel, op.dilation, op.stride, strict=True)
    return tuple(max(s - extent(k, d), 0) for k, d, s in along)


def conv_transpose(node: Node) -> Call:
    op = node.op
    assert isinstance(op, ConvTranspose)
    dilated = set(op.dilation) != {1}
    kind = Name(f"{'Dilated' if dilated else 'layers.'}Conv{op.rank}DTranspose")
    made = kind(Literal(op.filters, "filters"), square(op.kernel, "kernel"))
    if set(op.stride) != {1}:
        made = made.with_keyword("strides", square(op.stride, "stride"))
    if op.padding == "same":
        made = made.with_keyword("padding", "same")
    if dilated:
        made = made.with_keyword("dilation", lift(op.dilation))
    if not op.use_bias:
        made = made.with_keyword("use_bias", False)
    # A transposed kernel's fan in stands where Keras looks for the fan out.
    return with_initializers(made, node.weights, fan_in="fan_out")


def apply_conv_transpose(node: Node, operands: tuple[Expr, ...], forward: Forward) -> Result:
    assert isinstance(node.op, ConvTranspose)
    result = forward.layer(node)(operands[0])
    missing = _missing(node.op)
    if not any(missing):
        return result
    return _cut(result, [Slice(None, Literal(-m)) if m else Slice() for m in missing])


def _cut(x: Expr, along: list[Slice]) -> Expr:
    while along[-1] == Slice():
        along.pop()
    return x[Tuple((Slice(), *along))]


# Pooling.


def pool(name: str) -> Constructor:
    def make(node: Node) -> Expr:
        op = node.op
        assert isinstance(op, Pool)
        # Those of volumes are classes of the file: Keras's own have no f64.
        made = Name(f"{'layers.' if op.rank < 3 else ''}{name}{op.rank}D")(square(op.size, "size"))
        if op.step != op.size:
            made = made.with_keyword("strides", square(op.step, "stride"))
        return made.with_keyword("padding", "same") if op.padding == "same" else made

    return make


def apply_max_pool(node: Node, operands: tuple[Expr, ...], forward: Forward) -> Result:
    layer, pads = forward.layer(node), _pads(node)
    if isinstance(pads, str):
        return layer(operands[0])
    return layer(_padded(operands[0], pads, constant_values=float("-inf")))


def apply_avg_pool(node: Node, operands: tuple[Expr, ...], forward: Forward) -> Result:
    layer, pads = forward.layer(node), _pads(node)
    if isinstance(pads, str):
        return layer(operands[0])
    x = forward.name(operands[0])
    return layer(_padded(x, pads)) / layer(_padded(Name("ops.ones_like")(x), pads))


# Recurrent layers: one layer of Keras for each that is stacked.


def lstm(node: Node) -> Expr:
    op = node.op
    assert isinstance(op, LSTM)
    made = tuple(_lstm(op, last=i == op.layers - 1) for i in range(op.layers))
    return made[0] if len(made) == 1 else List(made)


def _lstm(op: LSTM, *, last: bool) -> Expr:
    made = Name("layers.LSTM")(Literal(op.units, "units"))
    if not last or op.returns != "last":
        made = made.with_keyword("return_sequences", True)
    if last and op.returns == "all":
        made = made.with_keyword("return_state", True)
    return Name("layers.Bidirectional")(made) if op.bidirectional else made


def apply_lstm(node: Node, operands: tuple[Expr, ...], forward: Forward) -> Result:
    op = node.op
    assert isinstance(op, LSTM)
    layer = forward.layer(node)
    stack = [layer] if op.layers == 1 else [layer[i] for i in range(op.layers)]
    result = reduce(lambda x, each: each(x), stack, operands[0])
    if op.returns != "all" or not op.bidirectional:
        return result
    sequence, *states = (forward.fresh(n) for n in ("sequence", "h", "c", "h_back", "c_back"))
    forward.emit(Assign(Tuple((sequence, *states)), result))
    h, c, h_back, c_back = states
    join = Name("ops.concatenate")
    return sequence, join([h, h_back], axis=-1), join([c, c_back], axis=-1)


# A layer that is told its activation.

_ACTIVATIONS: dict[type[Op], str] = {Relu: "relu", Sigmoid: "sigmoid", Tanh: "tanh"}
_ACTIVATED: dict[type[Op], Callable[[Node], Call]] = {
    Dense: dense,
    **dict.fromkeys(CONVOLUTIONS, conv),
    **dict.fromkeys(TRANSPOSED, conv_transpose),
}


def absorb(layer: Node, activation: Node) -> Expr | None:
    """`layers.Dense(8, activation="relu")`."""
    op = activation.op
    name = _ACTIVATIONS.get(type(op))
    if isinstance(op, Softmax) and op.axis in (-1, activation.inputs[0].type.rank - 1):
        name = "softmax"
    if name is None or type(layer.op) not in _ACTIVATED:
        return None
    return _ACTIVATED[type(layer.op)](layer).with_keyword("activation", name)


LAYERS: dict[type[Op], Constructor] = {
    Dense: dense,
    Embedding: embedding,
    Dropout: dropout,
    **dict.fromkeys(CONVOLUTIONS, conv),
    **dict.fromkeys(TRANSPOSED, conv_transpose),
    **dict.fromkeys(MAX_POOLS, pool("MaxPooling")),
    **dict.fromkeys(AVG_POOLS, pool("AveragePooling")),
    BatchNorm: batch_norm,
    LSTM: lstm,
}
APPLIED: dict[type[Op], Application] = {
    **dict.fromkeys(CONVOLUTIONS, apply_conv),
    **dict.fromkeys(TRANSPOSED, apply_conv_transpose),
    **dict.fromkeys(MAX_POOLS, apply_max_pool),
    **dict.fromkeys(AVG_POOLS, apply_avg_pool),
    LSTM: apply_lstm,
}


def _whole(node: Node) -> bool:
    """Whether the layer alone is all that the op does."""
    match node.op:
        case Conv() as op:
            return isinstance(_pads(node), str) and not _thinned(op)
        case Pool():
            return isinstance(_pads(node), str)
        case ConvTranspose() as op:
            return not any(_missing(op))
        case LSTM() as op:
            return op.layers == 1 and op.returns != "all"
    return True


def chained(kind: type[Op]) -> Callable[[Node], Expr | None]:
    """The layer as one of a `keras.Sequential`."""
    return lambda node: LAYERS[kind](node) if _whole(node) else None


CHAINED = {kind: chained(kind) for kind in APPLIED}
