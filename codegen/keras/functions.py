"""Functions as `keras.ops` has them."""

from __future__ import annotations

from collections.abc import Callable

from codegen.keras.dtypes import DTYPES
from codegen.python.dialect import Application, Result
from codegen.python.forward import Forward
from codegen.python.source import Expr, Literal, Name, Operator, Tuple
from codegen.python.subscripts import part
from nnspec.catalogue.ops.activations import LogSoftmax, Relu, Sigmoid, Softmax, Tanh
from nnspec.catalogue.ops.algebra import MatMul
from nnspec.catalogue.ops.base import Op
from nnspec.catalogue.ops.elementwise import (
    Abs,
    Add,
    Constant,
    Divide,
    Exp,
    Identity,
    Log,
    Log1p,
    Maximum,
    Minimum,
    Multiply,
    Negative,
    Sign,
    Sqrt,
    StopGradient,
    Subtract,
)
from nnspec.catalogue.ops.logic import (
    Equal,
    Greater,
    GreaterEqual,
    Less,
    LessEqual,
    NotEqual,
    Where,
)
from nnspec.catalogue.ops.pooling import GlobalAvgPool
from nnspec.catalogue.ops.random import RandomNormal
from nnspec.catalogue.ops.reduction import Mean, Sum
from nnspec.catalogue.ops.shaping import Cast, Concat, Flatten, Reshape, Transpose
from nnspec.catalogue.ops.shaping import Slice as Part
from nnspec.core.dims import Dim
from nnspec.graph.graph import Node


def function(name: str) -> Application:
    """`ops.exp(x)`."""
    return lambda node, operands, forward: Name(name)(*operands)


def operator(symbol: str) -> Application:
    return lambda node, operands, forward: Operator(symbol, *operands)


def divide(node: Node, operands: tuple[Expr, ...], forward: Forward) -> Result:
    kind = node.outputs[0].type
    if kind.is_float:
        return operands[0] / operands[1]
    # Whole numbers are cut off towards zero.
    return Name("ops.cast")(Name("ops.trunc")(operands[0] / operands[1]), DTYPES[kind.dtype])


def along(name: str) -> Application:
    """`ops.softmax(x)`; the last axis is Keras's default too."""

    def apply(node: Node, operands: tuple[Expr, ...], forward: Forward) -> Result:
        op = node.op
        assert isinstance(op, (Softmax, LogSoftmax))
        made = Name(name)(operands[0])
        return made if op.axis == -1 else made.with_keyword("axis", op.axis)

    return apply


def reduction(name: str) -> Application:
    """`ops.mean(x, axis=(1, 2))`."""

    def apply(node: Node, operands: tuple[Expr, ...], forward: Forward) -> Result:
        op = node.op
        assert isinstance(op, (Mean, Sum))
        made = Name(name)(operands[0])
        if op.axis is not None:
            made = made.with_keyword("axis", op.axis[0] if len(op.axis) == 1 else op.axis)
        return made.with_keyword("keepdims", True) if op.keepdims else made

    return apply


def global_avg_pool(node: Node, operands: tuple[Expr, ...], forward: Forward) -> Result:
    assert isinstance(node.op, GlobalAvgPool)
    axes = node.op.space(node.inputs[0].type.rank)
    return Name("ops.mean")(operands[0], axis=axes[0] if len(axes) == 1 else axes)


def _reshaped(x: Expr, shape: tuple[Dim, ...], forward: Forward) -> Expr:
    """One size that is not known while compiling is left to Keras; the others are read at run time."""
    unknown = [i for i, d in enumerate(shape) if not isinstance(d, int) or d == -1]
    sizes: list[Expr] = []
    for i, size in enumerate(shape):
        left_open = i == unknown[0] if unknown and -1 not in shape else size == -1
        if left_open:
            sizes.append(Literal(-1))
        elif isinstance(size, int):
            sizes.append(Literal(size, "size"))
        else:
            sizes.append(forward.size(size))
    return Name("ops.reshape")(x, Tuple(tuple(sizes)))


def flatten(node: Node, operands: tuple[Expr, ...], forward: Forward) -> Result:
    return _reshaped(operands[0], node.outputs[0].type.shape, forward)


def reshape(node: Node, operands: tuple[Expr, ...], forward: Forward) -> Result:
    assert isinstance(node.op, Reshape)
    return _reshaped(operands[0], node.op.shape, forward)


def transpose(node: Node, operands: tuple[Expr, ...], forward: Forward) -> Result:
    assert isinstance(node.op, Transpose)
    order = node.op.order(node.inputs[0].type.rank)
    # Without axes Keras turns all of them round.
    if order == tuple(reversed(range(len(order)))):
        return Name("ops.transpose")(operands[0])
    return Name("ops.transpose")(operands[0], order)


def concat(node: Node, operands: tuple[Expr, ...], forward: Forward) -> Result:
    assert isinstance(node.op, Concat)
    return Name("ops.concatenate")(list(operands), axis=node.op.axis)


def cast(node: Node, operands: tuple[Expr, ...], forward: Forward) -> Result:
    assert isinstance(node.op, Cast)
    return Name("ops.cast")(operands[0], DTYPES[node.op.dtype])


def constant(node: Node, operands: tuple[Expr, ...], forward: Forward) -> Result:
    assert isinstance(node.op, Constant)
    return Literal(node.op.value)


def random_normal(node: Node, operands: tuple[Expr, ...], forward: Forward) -> Result:
    op = node.op
    assert isinstance(op, RandomNormal)
    made = Name("keras.random.normal")(Tuple(tuple(map(forward.size, op.shape))))
    if op.mean != 0:
        made = made.with_keyword("mean", op.mean)
    return made if op.stddev == 1 else made.with_keyword("stddev", op.stddev)


FUNCTIONS: dict[type[Op], Application] = {
    Relu: function("ops.relu"),
    Sigmoid: function("ops.sigmoid"),
    Tanh: function("ops.tanh"),
    Softmax: along("ops.softmax"),
    LogSoftmax: along("ops.log_softmax"),
    Exp: function("ops.exp"),
    Log: function("ops.log"),
    Log1p: function("ops.log1p"),
    Sign: function("ops.sign"),
    Sqrt: function("ops.sqrt"),
    Equal: function("ops.equal"),
    NotEqual: function("ops.not_equal"),
    Less: operator("<"),
    LessEqual: operator("<="),
    Greater: operator(">"),
    GreaterEqual: operator(">="),
    Where: function("ops.where"),
    Abs: function("ops.abs"),
    Negative: lambda node, operands, forward: -operands[0],
    Add: operator("+"),
    Subtract: operator("-"),
    Multiply: operator("*"),
    Divide: divide,
    MatMul: operator("@"),
    Maximum: function("ops.maximum"),
    Minimum: function("ops.minimum"),
    Mean: reduction("ops.mean"),
    Sum: reduction("ops.sum"),
    GlobalAvgPool: global_avg_pool,
    Flatten: flatten,
    Reshape: reshape,
    Transpose: transpose,
    Concat: concat,
    Part: part,
    Cast: cast,
    Identity: lambda node, operands, forward: operands[0],
    StopGradient: function("ops.stop_gradient"),
    Constant: constant,
    RandomNormal: random_normal,
}


def module(made: Expr) -> Callable[[Node], Expr | None]:
    return lambda node: made


def _softmax(node: Node) -> Expr | None:
    assert isinstance(node.op, Softmax)
    made = Name("layers.Softmax")()
    return made if node.op.axis == -1 else made.with_keyword("axis", node.op.axis)


MODULES: dict[type[Op], Callable[[Node], Expr | None]] = {
    Relu: module(Name("layers.ReLU")()),
    Sigmoid: module(Name("layers.Activation")("sigmoid")),
    Tanh: module(Name("layers.Activation")("tanh")),
    Softmax: _softmax,
    Flatten: module(Name("layers.Flatten")()),
    GlobalAvgPool: module(Name("layers.GlobalAveragePooling2D")()),
    Identity: module(Name("layers.Identity")()),
}
