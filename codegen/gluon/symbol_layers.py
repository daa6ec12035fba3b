"""Layers as operators of a symbol graph, whose weights are variables named after the layer.

`mx.sym.Convolution(x, name="conv2d")` makes the variables `conv2d_weight` and `conv2d_bias` itself; where a
layer is shared or its weight is read elsewhere, the variable is made first and handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from codegen.gluon.layers import (
    MINUS_INFINITY,
    batch_norm_axis,
    cut_end,
    inner_pool_pads,
    need_channels_first,
    spread,
    spread_strides,
    transposed_crop,
)
from codegen.gluon.padding import padded, pads, symmetric
from codegen.python.dialect import Application, Result
from codegen.python.forward import Forward
from codegen.python.source import Call, Expr, Name
from nnspec.catalogue.ops import convolution, dense, normalization, pooling, recurrent
from nnspec.catalogue.ops.base import Op
from nnspec.graph.graph import Node

Args = tuple[Expr, ...]
PREFIX = "mx.sym"


@dataclass(frozen=True)
class Layers:
    """Applies layers.

    name_of: the name of a node's layer in the symbol graph. variables: of a layer whose variables were
    made first, by role; empty for the others. (Those of an LSTM, joined to one vector for each of
    its layers, always are.)
    """

    name_of: Callable[[Node], str]
    variables: Callable[[Node], Mapping[str, Name]]

    def table(self) -> Mapping[type[Op], Application]:
        return {
            dense.Dense: self.dense,
            dense.Embedding: self.embedding,
            **dict.fromkeys(convolution.CONVOLUTIONS, self.conv),
            **dict.fromkeys(convolution.TRANSPOSED, self.conv_transpose),
            **dict.fromkeys(pooling.MAX_POOLS, self.max_pool),
            **dict.fromkeys(pooling.AVG_POOLS, self.avg_pool),
            normalization.BatchNorm: self.batch_norm,
            normalization.Dropout: self.dropout,
            recurrent.LSTM: self.lstm,
        }

    def _named(self, call: Call, node: Node) -> Call:
        for role, variable in self.variables(node).items():
            call = call.with_keyword(SYMBOL_ROLES.get((type(node.op), role), role), variable)
        return call.with_keyword("name", self.name_of(node))

    def dense(self, node: Node, args: Args, forward: Forward) -> Result:
        op = node.op
        assert isinstance(op, dense.Dense)
        call = Name("mx.sym.FullyConnected")(*args, num_hidden=op.units)
        if not op.use_bias:
            call = call.with_keyword("no_bias", True)
        if node.inputs[0].type.rank > 2:
            call = call.with_keyword("flatten", False)
        return self._named(call, node)

    def embedding(self, node: Node, args: Args, forward: Forward) -> Result:
        op = node.op
        assert isinstance(op, dense.Embedding)
        call = Name("mx.sym.Embedding")(*args, input_dim=op.tokens, output_dim=op.width)
        return self._named(call, node)

    def conv(self, node: Node, args: Args, forward: Forward) -> Result:
        op, (x,) = node.op, args
        assert isinstance(op, convolution.Conv)
        need_channels_first(node)
        padding = pads(node)
        if not symmetric(padding):
            x = padded(PREFIX, x, padding, 0)
        call = Name("mx.sym.Convolution")(x, num_filter=op.filters, kernel=op.kernel)
        if set(op.stride) != {1}:
            call = call.with_keyword("stride", op.stride)
        if symmetric(padding) and any(map(any, padding)):
            call = call.with_keyword("pad", tuple(before for before, _ in padding))
        if set(op.dilation) != {1}:
            call = call.with_keyword("dilate", op.dilation)
        if op.groups != 1:
            call = call.with_keyword("num_group", op.groups)
        if not op.use_bias:
            call = call.with_keyword("no_bias", True)
        return self._named(call, node)

    def conv_transpose(self, node: Node, args: Args, forward: Forward) -> Result:
        op = node.op
        assert isinstance(op, convolution.ConvTranspose)
        need_channels_first(node)
        crop, add, _ = transposed_crop(op)
        x = spread(PREFIX, args[0], node)
        call = Name("mx.sym.Deconvolution")(x, num_filter=op.filters, kernel=op.kernel)
        if set(op.stride) != {1} and not spread_strides(op):
            call = call.with_keyword("stride", op.stride)
        if any(crop):
            call = call.with_keyword("pad", tuple(crop))
        if any(add):
            call = call.with_keyword("adj", tuple(add))
        if set(op.dilation) != {1}:
            call = call.with_keyword("dilate", op.dilation)
        # Unlike Convolution, Deconvolution has no bias by default.
        call = call.with_keyword("no_bias", not op.use_bias)
        return cut_end(PREFIX, self._named(call, node), op)

    def max_pool(self, node: Node, args: Args, forward: Forward) -> Result:
        (x,) = args
        inner = inner_pool_pads(node)
        if inner is None:
            x = padded(PREFIX, x, pads(node), MINUS_INFINITY)
        return self._pool(node, x, "max", inner or ())

    def avg_pool(self, node: Node, args: Args, forward: Forward) -> Result:
        inner = inner_pool_pads(node)
        if inner is not None:
            return self._pool(node, args[0], "avg", inner)
        # The share of a window that is not padding: the mean of zeros outside and ones inside.
        x, padding = forward.name(args[0]), pads(node)
        inside = forward.assign("inside", padded(PREFIX, Name("mx.sym.ones_like")(x), padding, 0))
        share = forward.assign("share", self._pool(node, inside, "avg", ()))
        x = forward.assign("x", padded(PREFIX, x, padding, 0))
        return self._pool(node, x, "avg", ()) / share

    def _pool(self, node: Node, x: Expr, kind: str, pad: tuple[int, ...]) -> Expr:
        op = node.op
        assert isinstance(op, pooling.Pool)
        need_channels_first(node)
        # A symbol's stride is 1 unless it is given.
        call = Name("mx.sym.Pooling")(x, kernel=op.size, stride=op.step, pool_type=kind)
        if any(pad):
            call = call.with_keyword("pad", pad)
            if kind == "avg":
                call = call.with_keyword("count_include_pad", False)
        return call

    def batch_norm(self, node: Node, args: Args, forward: Forward) -> Result:
        op = node.op
        assert isinstance(op, normalization.BatchNorm)
        axis = batch_norm_axis(node)
        channels = node.inputs[0].type.shape[axis]
        # By default a symbol's epsilon is 1e-3, and it ignores gamma.
        call = Name("mx.sym.BatchNorm")(*args, eps=op.epsilon, fix_gamma=False)
        if op.momentum != 0.9:
            call = call.with_keyword("momentum", op.momentum)
        if axis != 1:
            call = call.with_keyword("axis", axis)
        if not op.scale:
            call = call.with_keyword("gamma", Name("mx.sym.ones")(shape=(channels,)))
        if not op.offset:
            call = call.with_keyword("beta", Name("mx.sym.zeros")(shape=(channels,)))
        return self._named(call, node)

    def dropout(self, node: Node, args: Args, forward: Forward) -> Result:
        assert isinstance(node.op, normalization.Dropout)
        return Name("mx.sym.Dropout")(*args, p=node.op.rate)

    def lstm(self, node: Node, args: Args, forward: Forward) -> Result:
        op, (x,) = node.op, args
        assert isinstance(op, recurrent.LSTM)
        for layer in range(op.layers):
            parameters = self.variables(node)[f"parameters_{layer}"]
            y = Name("lstm_layer")(x, parameters, op.units)
            if op.bidirectional:
                y = y.with_keyword("bidirectional", True)
            if layer < op.layers - 1:
                x = y[0]
        return {"sequence": y[0], "last": y[1], "all": y}[op.returns]


SYMBOL_ROLES: Mapping[tuple[type[Op], str], str] = {
    (normalization.BatchNorm, "weight"): "gamma",
    (normalization.BatchNorm, "bias"): "beta",
    (normalization.BatchNorm, "running_mean"): "moving_mean",
    (normalization.BatchNorm, "running_var"): "moving_var",
}
