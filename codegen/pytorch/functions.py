"""Functions as PyTorch writes them."""

from __future__ import annotations

from collections.abc import Callable

from codegen.python.dialect import Application, Result
from codegen.python.forward import Forward
from codegen.python.source import Expr, Literal, Name, Operator
from codegen.python.subscripts import part
from codegen.pytorch.dtypes import DTYPES
from codegen.pytorch.gradients import Watched, derivative, watched
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
from nnspec.graph.graph import Node
from nnspec.graph.training import Derivative


def function(name: str) -> Application:
    """`torch.exp(x)`."""
    return lambda node, operands, forward: Name(name)(*operands)


def operator(symbol: str) -> Application:
    return lambda node, operands, forward: Operator(symbol, *operands)


def divide(node: Node, operands: tuple[Expr, ...], forward: Forward) -> Result:
    if node.outputs[0].type.is_float:
        return operands[0] / operands[1]
    return Name("torch.div")(*operands, rounding_mode="trunc")


def bounded(name: str, bound: str) -> Application:
    """The greater or lesser of two; a number is a bound."""

    def apply(node: Node, operands: tuple[Expr, ...], forward: Forward) -> Result:
        for number, tensor in (operands, operands[::-1]):
            if isinstance(number, Literal):
                return Name("torch.clamp")(tensor, **{bound: number})
        return Name(name)(*operands)

    return apply


def along(name: str) -> Application:
    """`F.softmax(x, dim=1)`."""

    def apply(node: Node, operands: tuple[Expr, ...], forward: Forward) -> Result:
        assert isinstance(node.op, (Softmax, LogSoftmax))
        rank, axis = node.inputs[0].type.rank, node.op.axis
        return Name(name)(operands[0], dim=axis % 2 if rank == 2 else axis)

    return apply


def reduction(name: str) -> Application:
    """`x.mean(dim=(2, 3))`."""

    def apply(node: Node, operands: tuple[Expr, ...], forward: Forward) -> Result:
        op = node.op
        assert isinstance(op, (Mean, Sum))
        rank = node.inputs[0].type.rank
        keywords: dict[str, object] = {}
        axes = op.axis
        if axes is None and op.keepdims:
            axes = tuple(range(rank))
        if axes is not None:
            keywords["dim"] = axes[0] if len(axes) == 1 else axes
        if op.keepdims:
            keywords["keepdim"] = True
        return operands[0].attr(name)(**keywords)

    return apply


def global_avg_pool(node: Node, operands: tuple[Expr, ...], forward: Forward) -> Result:
    assert isinstance(node.op, GlobalAvgPool)
    axes = node.op.space(node.inputs[0].type.rank)
    return operands[0].attr("mean")(dim=axes[0] if len(axes) == 1 else axes)


def flatten(node: Node, operands: tuple[Expr, ...], forward: Forward) -> Result:
    return Name("torch.flatten")(operands[0], 1)


def reshape(node: Node, operands: tuple[Expr, ...], forward: Forward) -> Result:
    assert isinstance(node.op, Reshape)
    shape = node.op.shape
    unknown = [i for i, d in enumerate(shape) if not isinstance(d, int) or d == -1]
    sizes: list[object]
    if len(unknown) == 1:
        sizes = [-1 if i == unknown[0] else d for i, d in enumerate(shape)]
    else:
        sizes = [d if isinstance(d, int) else forward.size(d) for d in shape]
    return operands[0].attr("reshape")(*sizes)


def transpose(node: Node, operands: tuple[Expr, ...], forward: Forward) -> Result:
    assert isinstance(node.op, Transpose)
    order = node.op.order(node.inputs[0].type.rank)
    moved = [i for i, axis in enumerate(order) if i != axis]
    if len(moved) == 2:
        return operands[0].attr("transpose")(*moved)
    return operands[0].attr("permute")(*order)


def concat(node: Node, operands: tuple[Expr, ...], forward: Forward) -> Result:
    assert isinstance(node.op, Concat)
    return Name("torch.cat")(list(operands), dim=node.op.axis)


def cast(node: Node, operands: tuple[Expr, ...], forward: Forward) -> Result:
    assert isinstance(node.op, Cast)
    return operands[0].attr("to")(Name(DTYPES[node.op.dtype]))


def constant(node: Node, operands: tuple[Expr, ...], forward: Forward) -> Result:
    assert isinstance(node.op, Constant)
    return Literal(node.op.value)


def random_normal(node: Node, operands: tuple[Expr, ...], forward: Forward) -> Result:
    op = node.op
    assert isinstance(op, RandomNormal)
    drawn: Expr = Name("torch.randn")(*map(forward.size, op.shape))
    if (tensor := forward.any_input()) is not None:
        drawn = Name("torch.randn")(*map(forward.size, op.shape), device=tensor.attr("device"))
    if op.stddev != 1:
        drawn = Literal(op.stddev) * drawn
    return drawn if op.mean == 0 else Literal(op.mean) + drawn


def module(name: str) -> Callable[[Node], Expr]:
    return lambda node: Name(name)()


def along_module(name: str) -> Callable[[Node], Expr]:
    def make(node: Node) -> Expr:
        assert isinstance(node.op, (Softmax, LogSoftmax))
        return Name(name)(dim=node.op.axis)

    return make


FUNCTIONS: dict[type[Op], Application] = {
    Relu: function("F.relu"),
    Sigmoid: function("torch.sigmoid"),
    Tanh: function("torch.tanh"),
    Softmax: along("F.softmax"),
    LogSoftmax: along("F.log_softmax"),
    Exp: function("torch.exp"),
    Log: function("torch.log"),
    Log1p: function("torch.log1p"),
    Sign: function("torch.sign"),
    Sqrt: function("torch.sqrt"),
    Equal: operator("=="),
    NotEqual: operator("!="),
    Less: operator("<"),
    LessEqual: operator("<="),
    Greater: operator(">"),
    GreaterEqual: operator(">="),
    Where: function("torch.where"),
    Abs: function("torch.abs"),
    Negative: lambda node, operands, forward: -operands[0],
    Add: operator("+"),
    Subtract: operator("-"),
    Multiply: operator("*"),
    Divide: divide,
    MatMul: operator("@"),
    Maximum: bounded("torch.maximum", "min"),
    Minimum: bounded("torch.minimum", "max"),
    Mean: reduction("mean"),
    Sum: reduction("sum"),
    GlobalAvgPool: global_avg_pool,
    Flatten: flatten,
    Reshape: reshape,
    Transpose: transpose,
    Concat: concat,
    Part: part,
    Cast: cast,
    Identity: lambda node, operands, forward: operands[0],
    StopGradient: lambda node, operands, forward: operands[0].attr("detach")(),
    Constant: constant,
    RandomNormal: random_normal,
    Watched: watched,
    Derivative: derivative,
}
MODULES: dict[type[Op], Callable[[Node], Expr | None]] = {
    Relu: module("nn.ReLU"),
    Sigmoid: module("nn.Sigmoid"),
    Tanh: module("nn.Tanh"),
    Flatten: module("nn.Flatten"),
    Identity: module("nn.Identity"),
    Softmax: along_module("nn.Softmax"),
    LogSoftmax: along_module("nn.LogSoftmax"),
}
