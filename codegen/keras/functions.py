"""Functions as `keras.ops`."""

from __future__ import annotations

from codegen.dialect import Application, Result
from codegen.forward import Forward
from codegen.python_source import Expr, Literal, Name, Operator, Slice, Tuple, lift
from nnspec.graph import Node
from nnspec.ops import Op
from nnspec.ops.activations import LogSoftmax, Relu, Sigmoid, Softmax, Tanh
from nnspec.ops.algebra import MatMul
from nnspec.ops.elementwise import (
    Abs,
    Add,
    Constant,
    Divide,
    Exp,
    Identity,
    Log,
    Maximum,
    Minimum,
    Multiply,
    Negative,
    Sqrt,
    StopGradient,
    Subtract,
)
from nnspec.ops.pooling import GlobalAvgPool
from nnspec.ops.random import RandomNormal
from nnspec.ops.reduction import Mean, Sum
from nnspec.ops.shaping import Cast, Concat, Flatten, Reshape, Transpose
from nnspec.ops.shaping import Slice as Part

DTYPES = {
    "f16": "float16",
    "bf16": "bfloat16",
    "f32": "float32",
    "f64": "float64",
    "i8": "int8",
    "u8": "uint8",
    "i32": "int32",
    "i64": "int64",
    "bool": "bool",
}


def function(name: str) -> Application:
    return lambda node, operands, forward: Name(name)(*operands)


def operator(symbol: str) -> Application:
    return lambda node, operands, forward: Operator(symbol, *operands)


def along(name: str) -> Application:
    """Over one axis; Keras's is the last one too."""

    def apply(node: Node, operands: tuple[Expr, ...], forward: Forward) -> Result:
        assert isinstance(node.op, (Softmax, LogSoftmax))
        axis = node.op.axis
        last = axis in (-1, node.inputs[0].type.rank - 1)
        return Name(name)(*operands) if last else Name(name)(*operands, axis=axis)

    return apply


def reduction(name: str) -> Application:
    def apply(node: Node, operands: tuple[Expr, ...], forward: Forward) -> Result:
        assert isinstance(node.op, (Mean, Sum))
        made = Name(name)(*operands)
        if node.op.axis is not None:
            axes = node.op.axis
            made = made.with_keyword("axis", axes[0] if len(axes) == 1 else axes)
        return made.with_keyword("keepdims", True) if node.op.keepdims else made

    return apply


def global_avg_pool(node: Node, operands: tuple[Expr, ...], forward: Forward) -> Result:
    return Name("ops.mean")(operands[0], axis=(1, 2))


def flatten(node: Node, operands: tuple[Expr, ...], forward: Forward) -> Result:
    size = node.outputs[0].type.shape[1]
    if isinstance(size, int):
        return Name("ops.reshape")(operands[0], (-1, size))
    x = forward.name(operands[0])
    return Name("ops.reshape")(x, (Name("ops.shape")(x)[0], -1))


def reshape(node: Node, operands: tuple[Expr, ...], forward: Forward) -> Result:
    assert isinstance(node.op, Reshape)
    shape = node.op.shape
    unknown = [i for i, d in enumerate(shape) if not isinstance(d, int) or d == -1]
    sizes: list[Expr] = []
    for i, d in enumerate(shape):
        if unknown == [i]:
            sizes.append(lift(-1))
        else:
            sizes.append(lift(d) if isinstance(d, int) else forward.size(d))
    return Name("ops.reshape")(operands[0], Tuple(tuple(sizes)))


def transpose(node: Node, operands: tuple[Expr, ...], forward: Forward) -> Result:
    assert isinstance(node.op, Transpose)
    rank = node.inputs[0].type.rank
    if rank == 2:
        return Name("ops.transpose")(operands[0])
    return Name("ops.transpose")(operands[0], node.op.order(rank))


def concat(node: Node, operands: tuple[Expr, ...], forward: Forward) -> Result:
    assert isinstance(node.op, Concat)
    made = Name("ops.concatenate")(list(operands))
    last = node.op.axis in (-1, node.inputs[0].type.rank - 1)
    return made if last else made.with_keyword("axis", node.op.axis)


def part(node: Node, operands: tuple[Expr, ...], forward: Forward) -> Result:
    """`x[:, 1:-1, 0]`."""
    op = node.op
    assert isinstance(op, Part)
    indices: list[Expr] = []
    for axis, (start, end, step) in enumerate(zip(op.starts, op.ends, op.steps, strict=True)):
        if axis in op.squeeze:
            indices.append(lift(start or 0))
        else:
            bounds = (start or None, end, None if step == 1 else step)
            indices.append(Slice(*(None if b is None else lift(b) for b in bounds)))
    while indices and indices[-1] == Slice():
        indices.pop()
    if not indices:
        return operands[0]
    return operands[0][indices[0] if len(indices) == 1 else Tuple(tuple(indices))]


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
    Sqrt: function("ops.sqrt"),
    Abs: function("ops.absolute"),
    Negative: lambda node, operands, forward: -operands[0],
    Add: operator("+"),
    Subtract: operator("-"),
    Multiply: operator("*"),
    Divide: operator("/"),
    MatMul: function("ops.matmul"),
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


def module(name: str) -> Expr:
    return Name("layers.Activation")(name)


MODULES = {
    Relu: lambda node: module("relu"),
    Sigmoid: lambda node: module("sigmoid"),
    Tanh: lambda node: module("tanh"),
    Flatten: lambda node: Name("layers.Flatten")(),
    Identity: lambda node: Name("layers.Identity")(),
}
