"""How each op is applied: with `F` in a block, `nd` in a training step, `mx.sym` in a symbol graph.

A `Symbol` has no shape and no operator that depends on one, so nothing here reads `.shape`.
"""

from __future__ import annotations

from collections.abc import Mapping

from codegen.gluon.dtypes import DTYPES
from codegen.gluon.reshape import reshape_codes
from codegen.python.dialect import Application, Result, UnsupportedOp
from codegen.python.forward import Forward
from codegen.python.source import Attribute, Expr, Item, Literal, Name, Operator, Unary
from nnspec.catalogue.ops import (
    activations,
    algebra,
    elementwise,
    pooling,
    random,
    reduction,
    shaping,
)
from nnspec.catalogue.ops.base import Op
from nnspec.core.dims import Sym
from nnspec.core.types import TensorType
from nnspec.graph.graph import Node

Args = tuple[Expr, ...]


def functions(prefix: str) -> Mapping[type[Op], Application]:
    """The table, for operators that live under `prefix`."""
    f = Functions(prefix)
    return {
        elementwise.Add: f.arithmetic("+", "broadcast_add"),
        elementwise.Subtract: f.arithmetic("-", "broadcast_sub"),
        elementwise.Multiply: f.arithmetic("*", "broadcast_mul"),
        elementwise.Divide: f.arithmetic("/", "broadcast_div"),
        elementwise.Maximum: f.arithmetic(None, "broadcast_maximum", "maximum"),
        elementwise.Minimum: f.arithmetic(None, "broadcast_minimum", "minimum"),
        elementwise.Negative: lambda node, args, forward: -args[0],
        elementwise.Exp: f.plain("exp"),
        elementwise.Log: f.plain("log"),
        elementwise.Sqrt: f.plain("sqrt"),
        elementwise.Abs: f.plain("abs"),
        elementwise.Identity: lambda node, args, forward: args[0],
        elementwise.StopGradient: f.plain("stop_gradient"),
        elementwise.Constant: _constant,
        activations.Relu: f.plain("relu"),
        elementwise.Log1p: f.plain("log1p"),
        elementwise.Sign: f.plain("sign"),
        activations.Sigmoid: f.plain("sigmoid"),
        activations.Tanh: f.plain("tanh"),
        activations.Softmax: f.along_axis("softmax"),
        activations.LogSoftmax: f.along_axis("log_softmax"),
        reduction.Mean: f.reduce("mean"),
        reduction.Sum: f.reduce("sum"),
        algebra.MatMul: f.matmul,
        shaping.Flatten: f.plain("flatten"),
        shaping.Reshape: f.reshape,
        shaping.Transpose: f.transpose,
        shaping.Concat: f.concat,
        shaping.Slice: f.slice,
        shaping.Cast: f.cast,
        pooling.GlobalAvgPool: f.global_avg_pool,
        random.RandomNormal: f.random_normal,
    }


def _constant(node: Node, args: Args, forward: Forward) -> Result:
    assert isinstance(node.op, elementwise.Constant)
    return Literal(node.op.value)


def _same_shape(a: TensorType, b: TensorType) -> bool:
    return a.shape == b.shape


class Functions:
    """Writes applications of ops with the operators of one namespace."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix

    def op(self, name: str) -> Name:
        return Name(f"{self.prefix}.{name}")

    def plain(self, name: str) -> Application:
        return lambda node, args, forward: self.op(name)(*args)

    def arithmetic(
        self, symbol: str | None, broadcast: str, scalar: str | None = None
    ) -> Application:
        """Python's operator where no broadcasting is needed: a Symbol's does not broadcast."""

        def apply(node: Node, args: Args, forward: Forward) -> Result:
            left, right = args
            numbers = isinstance(left, Literal) or isinstance(right, Literal)
            plain = numbers or _same_shape(node.inputs[0].type, node.inputs[1].type)
            if symbol is not None and plain:
                return Operator(symbol, left, right)
            if scalar is not None and numbers:
                return self.op(scalar)(left, right)
            return self.op(broadcast)(left, right)

        return apply

    def along_axis(self, name: str) -> Application:
        def apply(node: Node, args: Args, forward: Forward) -> Result:
            axis = node.op.axis  # type: ignore[attr-defined]
            if axis in (-1, node.inputs[0].type.rank - 1):
                return self.op(name)(*args)
            return self.op(name)(*args, axis=axis)

        return apply

    def reduce(self, name: str) -> Application:
        def apply(node: Node, args: Args, forward: Forward) -> Result:
            op, rank = node.op, node.inputs[0].type.rank
            assert isinstance(op, reduction.Reduce)
            call = self.op(name)(*args)
            if op.axis is not None and len(op.over(rank)) < rank:
                call = call.with_keyword("axis", op.axis if len(op.axis) > 1 else op.axis[0])
            return call.with_keyword("keepdims", True) if op.keepdims else call

        return apply

    def matmul(self, node: Node, args: Args, forward: Forward) -> Result:
        a, b = (v.type for v in node.inputs)
        left, right = args
        if b.rank == 2:
            return self.op("dot")(left, right)
        # batch_dot does not broadcast: give both operands all axes, then the same sizes.
        left = self._more_axes(left, a.rank, b.rank)
        right = self._more_axes(right, b.rank, a.rank)
        outer = max(a.rank, b.rank) - 2
        m, n = ((1,) * (outer + 2 - t.rank) + t.shape[:-2] for t in (a, b))
        repeat_left = tuple(i for i in range(outer) if m[i] != n[i] and m[i] == 1)
        repeat_right = tuple(i for i in range(outer) if m[i] != n[i] and n[i] == 1)
        if repeat_left:
            right = forward.name(right)
            left = self._like(left, right, repeat_left)
        if repeat_right:
            left = forward.name(left)
            right = self._like(right, left, repeat_right)
        return self.op("batch_dot" if outer == 1 else "linalg_gemm2")(left, right)

    def _more_axes(self, x: Expr, rank: int, wanted: int) -> Expr:
        for _ in range(wanted - rank):
            x = self.op("expand_dims")(x, axis=0)
        return x

    def _like(self, x: Expr, other: Expr, axes: tuple[int, ...]) -> Expr:
        return self.op("broadcast_like")(x, other, lhs_axes=axes, rhs_axes=axes)

    def reshape(self, node: Node, args: Args, forward: Forward) -> Result:
        source, target = node.inputs[0].type.shape, node.outputs[0].type.shape
        if source == target:
            return args[0]
        # MXNet has no arrays without axes: what the language calls a scalar has one axis of size 1.
        codes = reshape_codes(source or (1,), target or (1,))
        if codes is None:
            raise UnsupportedOp(
                node, "Gluon", "the new shape has more than one size that only the input tells"
            )
        return self.op("reshape")(args[0], shape=codes)

    def transpose(self, node: Node, args: Args, forward: Forward) -> Result:
        assert isinstance(node.op, shaping.Transpose)
        rank = node.inputs[0].type.rank
        order = node.op.order(rank)
        if order == tuple(reversed(range(rank))):
            return self.op("transpose")(*args)
        return self.op("transpose")(*args, axes=order)

    def concat(self, node: Node, args: Args, forward: Forward) -> Result:
        assert isinstance(node.op, shaping.Concat)
        if len(args) == 1:
            return args[0]
        call = self.op("concat")(*args)
        rank = node.inputs[0].type.rank
        return call if node.op.axis % rank == 1 else call.with_keyword("dim", node.op.axis)

    def slice(self, node: Node, args: Args, forward: Forward) -> Result:
        op, x = node.op, args[0]
        assert isinstance(op, shaping.Slice)
        if any(isinstance(d, Sym) for d in (*op.starts, *op.ends)):
            return self._slice_sizes(node, op, x, forward)
        begin = list(op.starts)
        end = list(op.ends)
        for axis in op.squeeze:
            start = begin[axis] = op.starts[axis] or 0
            end[axis] = None if start == -1 else start + 1
        cut = [i for i in range(len(begin)) if (begin[i], end[i], op.steps[i]) != (None, None, 1)]
        if len(cut) == 1 and op.steps[cut[0]] == 1:
            (axis,) = cut
            x = self.op("slice_axis")(x, axis=axis, begin=begin[axis] or 0, end=end[axis])
        elif cut:
            x = self.op("slice")(x, begin=tuple(begin), end=tuple(end))
            if any(step != 1 for step in op.steps):
                x = x.with_keyword("step", op.steps)
        if op.squeeze and len(op.squeeze) < len(begin):
            x = self.op("squeeze")(x, axis=op.squeeze if len(op.squeeze) > 1 else op.squeeze[0])
        elif op.squeeze:
            x = self.op("reshape")(x, shape=(1,))
        return x

    def _slice_sizes(self, node: Node, op: shaping.Slice, x: Expr, forward: Forward) -> Expr:
        """Axes cut at sizes that are known at run time: by the size, or by an array that has it."""
        whole = (None, None, 1)
        for axis, cut in enumerate(zip(op.starts, op.ends, op.steps, strict=True)):
            start, end, step = cut
            if cut == whole:
                continue
            if step != 1 or axis in op.squeeze or start not in (None, 0) or end is None:
                raise UnsupportedOp(
                    node, "Gluon", "MXNet 1.9.1 cuts at a size only from the beginning of an axis"
                )
            size = forward.size(end)
            if isinstance(end, int) or self.prefix == "nd":
                x = self.op("slice_axis")(x, axis=axis, begin=0, end=size)
            elif _is_ruler(size):
                along = tuple(-1 if i == axis else 1 for i in range(len(op.starts)))
                like = size if len(along) == 1 else self.op("reshape")(size, shape=along)
                x = self.op("slice_like")(x, like, axes=(axis,))
            else:
                raise UnsupportedOp(node, "Gluon", f"a Symbol cannot tell the size {end}")
        return x

    def cast(self, node: Node, args: Args, forward: Forward) -> Result:
        assert isinstance(node.op, shaping.Cast)
        if node.op.dtype not in DTYPES:
            raise UnsupportedOp(node, "Gluon", f"MXNet 1.9.1 has no {node.op.dtype}")
        if node.op.dtype == "bool":
            return Operator("!=", args[0], Literal(0))
        if node.op.dtype == node.inputs[0].type.dtype:
            return args[0]
        return self.op("cast")(*args, dtype=DTYPES[node.op.dtype])

    def global_avg_pool(self, node: Node, args: Args, forward: Forward) -> Result:
        assert isinstance(node.op, pooling.GlobalAvgPool)
        axes = node.op.space(node.inputs[0].type.rank)
        return self.op("mean")(*args, axis=axes[0] if len(axes) == 1 else axes)

    def random_normal(self, node: Node, args: Args, forward: Forward) -> Result:
        op = node.op
        assert isinstance(op, random.RandomNormal)
        settings = {} if op.mean == 0 else {"loc": op.mean}
        settings |= {} if op.stddev == 1 else {"scale": op.stddev}
        if self.prefix == "nd" or not any(isinstance(d, Sym) for d in op.shape):
            shape = tuple(forward.size(d) for d in op.shape) or (1,)
            return self.op("random.normal")(**settings, shape=shape)
        return self.op("random.normal_like")(self._zeros(node, op.shape, forward), **settings)

    def _zeros(self, node: Node, shape: tuple[int | Sym, ...], forward: Forward) -> Expr:
        """Zeros of a shape that partly is known only at run time (see `ruler` in `helpers.py`)."""
        total: Expr | None = None
        for axis, size in enumerate(shape):
            if isinstance(size, int):
                continue
            along = tuple(-1 if i == axis else 1 for i in range(len(shape)))
            line = forward.size(size)
            if not _is_ruler(line):
                raise UnsupportedOp(node, "Gluon", f"a Symbol cannot tell the size {size}")
            line = line if len(shape) == 1 else self.op("reshape")(line, shape=along)
            total = line if total is None else self.op("broadcast_add")(total, line)
        assert total is not None
        fixed = {i: d for i, d in enumerate(shape) if isinstance(d, int) and d != 1}
        if fixed:
            total = self.op("broadcast_axis")(total, axis=tuple(fixed), size=tuple(fixed.values()))
        return total


def _is_ruler(size: Expr) -> bool:
    """Whether a size is one that stands in a tensor as such, rather than arithmetic on sizes."""
    return not isinstance(size, (Operator, Unary, Item, Attribute, Literal))
