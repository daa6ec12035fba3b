"""Layers: how they are constructed in `__init__`, and what is to be said where they are applied."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from codegen.gluon.initializers import initializer
from codegen.gluon.padding import compact, padded, pads, symmetric
from codegen.python.dialect import Application, Constructor, Result, UnsupportedOp
from codegen.python.forward import Forward
from codegen.python.source import Call, Expr, Literal, Name
from nnspec.catalogue import initializers as init
from nnspec.catalogue.ops import convolution, dense, normalization, pooling, recurrent
from nnspec.catalogue.ops.base import Op, WeightSpec
from nnspec.graph.graph import Node, Weight

Args = tuple[Expr, ...]
Convolution = convolution.Conv | convolution.ConvTranspose
MINUS_INFINITY = Name("float")("-inf")


def inner_pool_pads(node: Node) -> tuple[int, ...] | None:
    """The padding that the op itself can do: symmetric and smaller than the window."""
    op = node.op
    assert isinstance(op, pooling.Pool)
    found = pads(node)
    if symmetric(found) and all(p < k for (p, _), k in zip(found, op.size)):
        return tuple(before for before, _ in found)
    return None


def transposed_crop(op: convolution.ConvTranspose) -> tuple[list[int], list[int], list[int]]:
    """For each axis: symmetric crop, cells to add at the end, cells to cut off at the end."""
    crop, add, cut = [], [], []
    for k, s, d in zip(op.kernel, op.stride, op.dilation):
        beyond = d * (k - 1) + 1 - s if op.padding == "same" else 0
        crop.append(max(beyond, 0) // 2)
        add.append(max(-beyond, 0))
        cut.append(max(beyond, 0) % 2)
    return crop, add, cut


def spread_strides(op: convolution.ConvTranspose) -> bool:
    """Whether strides are made by zeros between the cells of the input.

    MXNet's own transposed convolution with both stride and dilation is wrong without oneDNN, so in f64.
    """
    return any(s > 1 for s in op.stride) and any(
        d > 1 and k > 1 for d, k in zip(op.dilation, op.kernel)
    )


def specs(node: Node) -> dict[str, WeightSpec]:
    return {s.role: s for s in node.op.weights(*(v.type for v in node.inputs))}


def initializers(node: Node, **roles: str) -> dict[str, Expr]:
    """Keyword arguments for those weights that begin otherwise than by MXNet's layers (zeros for biases)."""
    found: dict[str, Expr] = {}
    weights = {w.role: w for w in node.weights}
    for role, spec in specs(node).items():
        weight: Weight | None = weights.get(role)
        value = weight.initializer if weight is not None else spec.initializer
        keyword = roles.get(role, f"{role}_initializer")
        if isinstance(value, init.GlorotUniform):
            found[keyword] = Name("mx.init.Xavier")()
        elif role != "bias" or not isinstance(value, init.Zeros):
            shape = tuple(d for d in spec.shape if isinstance(d, int))
            found[keyword] = initializer(value, shape, spec.fans)
    return found


def _dense(node: Node) -> Expr:
    op = node.op
    assert isinstance(op, dense.Dense)
    call: Call = Name("nn.Dense")(Literal(op.units, "units"))
    if not op.use_bias:
        call = call.with_keyword("use_bias", False)
    if node.inputs[0].type.rank > 2:
        call = call.with_keyword("flatten", False)
    call = call.with_keyword("in_units", node.inputs[0].type.shape[-1])
    return _with(call, initializers(node))


def _embedding(node: Node) -> Expr:
    op = node.op
    assert isinstance(op, dense.Embedding)
    call = Name("nn.Embedding")(Literal(op.tokens, "input_dim"), Literal(op.width, "output_dim"))
    return _with(call, initializers(node))


def _conv(node: Node) -> Expr:
    op = node.op
    assert isinstance(op, convolution.Conv)
    call = Name(f"nn.{op.name}")(Literal(op.filters, "channels"), compact(op.kernel))
    if set(op.stride) != {1}:
        call = call.with_keyword("strides", compact(op.stride))
    padding = pads(node)
    if symmetric(padding) and any(map(any, padding)):
        call = call.with_keyword("padding", compact(tuple(before for before, _ in padding)))
    if set(op.dilation) != {1}:
        call = call.with_keyword("dilation", compact(op.dilation))
    if op.groups != 1:
        call = call.with_keyword("groups", op.groups)
    return _channels(call, node, op)


def _conv_transpose(node: Node) -> Expr:
    op = node.op
    assert isinstance(op, convolution.ConvTranspose)
    call = Name(f"nn.Conv{op.rank}DTranspose")(Literal(op.filters, "channels"), compact(op.kernel))
    crop, add, _ = transposed_crop(op)
    if set(op.stride) != {1} and not spread_strides(op):
        call = call.with_keyword("strides", compact(op.stride))
    if any(crop):
        call = call.with_keyword("padding", compact(tuple(crop)))
    if any(add):
        call = call.with_keyword("output_padding", compact(tuple(add)))
    if set(op.dilation) != {1}:
        call = call.with_keyword("dilation", compact(op.dilation))
    return _channels(call, node, op)


def _channels(call: Call, node: Node, op: Convolution) -> Expr:
    if not op.use_bias:
        call = call.with_keyword("use_bias", False)
    call = call.with_keyword("in_channels", node.inputs[0].type.shape[1])
    return _with(call, initializers(node))


def _pool(name: str) -> Constructor:
    def construct(node: Node) -> Expr:
        op = node.op
        assert isinstance(op, pooling.Pool)
        call = Name(f"nn.{name}{op.rank}D")(compact(op.size))
        if op.step != op.size:
            call = call.with_keyword("strides", compact(op.step))
        padding = inner_pool_pads(node) or ()
        if any(padding):
            call = call.with_keyword("padding", compact(padding))
            if name == "AvgPool":
                call = call.with_keyword("count_include_pad", False)
        return call

    return construct


def moving_batch_norm(node: Node) -> Expr:
    """The program's own class in place of MXNet's (see `records.moves_once`)."""
    return _batch_norm(node, "BatchNorm")


def _batch_norm(node: Node, name: str = "nn.BatchNorm") -> Expr:
    op, x = node.op, node.inputs[0].type
    assert isinstance(op, normalization.BatchNorm)
    call: Call = Name(name)()
    if batch_norm_axis(node) != 1:
        call = call.with_keyword("axis", batch_norm_axis(node))
    if op.momentum != 0.9:
        call = call.with_keyword("momentum", op.momentum)
    if op.epsilon != 1e-5:
        call = call.with_keyword("epsilon", op.epsilon)
    if not op.offset:
        call = call.with_keyword("center", False)
    if not op.scale:
        call = call.with_keyword("scale", False)
    return call.with_keyword("in_channels", x.shape[batch_norm_axis(node)])


def batch_norm_axis(node: Node) -> int:
    assert isinstance(node.op, normalization.BatchNorm)
    return 1 if node.op.channels_first or node.inputs[0].type.rank == 2 else -1


def _dropout(node: Node) -> Expr:
    assert isinstance(node.op, normalization.Dropout)
    return Name("nn.Dropout")(Literal(node.op.rate, "rate"))


def _lstm(node: Node) -> Expr:
    op = node.op
    assert isinstance(op, recurrent.LSTM)
    width: Any = node.inputs[0].type.shape[-1]
    cells = []
    for _ in range(op.layers):
        call = Name("LSTM")(Literal(op.units, "units"), Literal(width, "input_size"))
        cells.append(call.with_keyword("bidirectional", True) if op.bidirectional else call)
        width = op.units * op.directions
    # MXNet's own stack of layers computes wrong gradients in f64, and in f32 without oneDNN.
    return cells[0] if op.layers == 1 else Name("stack")(*cells)


def _with(call: Call, keywords: dict[str, Expr]) -> Call:
    for name, value in keywords.items():
        call = call.with_keyword(name, value)
    return call


LAYERS: Mapping[type[Op], Constructor] = {
    dense.Dense: _dense,
    dense.Embedding: _embedding,
    **dict.fromkeys(convolution.CONVOLUTIONS, _conv),
    **dict.fromkeys(convolution.TRANSPOSED, _conv_transpose),
    **dict.fromkeys(pooling.MAX_POOLS, _pool("MaxPool")),
    **dict.fromkeys(pooling.AVG_POOLS, _pool("AvgPool")),
    normalization.BatchNorm: _batch_norm,
    normalization.Dropout: _dropout,
    recurrent.LSTM: _lstm,
}


def _apply_conv(node: Node, args: Args, forward: Forward) -> Result:
    need_channels_first(node)
    (x,) = args
    padding = pads(node)
    if not symmetric(padding):
        x = padded("F", x, padding, 0)
    return forward.layer(node)(x)


def _apply_conv_transpose(node: Node, args: Args, forward: Forward) -> Result:
    assert isinstance(node.op, convolution.ConvTranspose)
    need_channels_first(node)
    x = spread("F", args[0], node)
    return cut_end("F", forward.layer(node)(x), node.op)


def spread(prefix: str, x: Expr, node: Node) -> Expr:
    """The input of a transposed convolution, with zeros between its cells where those make the stride."""
    assert isinstance(node.op, convolution.ConvTranspose)
    if not spread_strides(node.op):
        return x
    if any(transposed_crop(node.op)[1]):
        raise UnsupportedOp(
            node, "Gluon", "a dilated transposed convolution whose stride exceeds its reach"
        )
    return Name("spread")(Name(prefix), x, node.op.stride)


def cut_end(prefix: str, y: Expr, op: convolution.ConvTranspose) -> Expr:
    """Without the odd cells at the end that no symmetric crop takes off."""
    _, _, cut = transposed_crop(op)
    if not any(cut):
        return y
    end = (None, None, *(-c if c else None for c in cut))
    return Name(f"{prefix}.slice")(y, begin=(None,) * len(end), end=end)


def _apply_max_pool(node: Node, args: Args, forward: Forward) -> Result:
    need_channels_first(node)
    (x,) = args
    if inner_pool_pads(node) is None:
        x = padded("F", x, pads(node), MINUS_INFINITY)
    return forward.layer(node)(x)


def _apply_avg_pool(node: Node, args: Args, forward: Forward) -> Result:
    need_channels_first(node)
    if inner_pool_pads(node) is None:
        # The share of a window that is not padding: the mean of zeros outside and ones inside.
        x, padding, pool = forward.name(args[0]), pads(node), forward.layer(node)
        inside = forward.assign("inside", padded("F", Name("F.ones_like")(x), padding, 0))
        x = forward.assign("x", padded("F", x, padding, 0))
        return pool(x) / pool(inside)
    return forward.layer(node)(*args)


def need_channels_first(node: Node) -> None:
    if not node.op.channels_first:  # type: ignore[attr-defined]
        raise UnsupportedOp(node, "Gluon", "MXNet's image layers take N, C, H, W only")


def _apply_lstm(node: Node, args: Args, forward: Forward) -> Result:
    op = node.op
    assert isinstance(op, recurrent.LSTM)
    layer, (x,) = forward.layer(node), args
    match op.returns:
        case "sequence":
            return layer(x)
        case "last" if not op.bidirectional:
            # Not F.SequenceLast: its gradient writes beyond its array.
            return Name("F.flatten")(Name("F.slice_axis")(layer(x), axis=1, begin=-1, end=None))
        case "last":
            return Name("final_state")(Name("F"), layer(x), op.units)
    for i in range(op.layers - 1):
        x = layer[i](x)
    last = layer if op.layers == 1 else layer[op.layers - 1]
    return Name("with_states")(Name("F"), last, x, op.units, *([2] if op.bidirectional else []))


APPLIED: Mapping[type[Op], Application] = {
    **dict.fromkeys(convolution.CONVOLUTIONS, _apply_conv),
    **dict.fromkeys(convolution.TRANSPOSED, _apply_conv_transpose),
    **dict.fromkeys(pooling.MAX_POOLS, _apply_max_pool),
    **dict.fromkeys(pooling.AVG_POOLS, _apply_avg_pool),
    recurrent.LSTM: _apply_lstm,
}
