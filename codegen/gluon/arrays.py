"""Logic, elements in order and by their numbers, sliding windows, with the operators of one namespace.

MXNet's operators know no booleans: what the language calls one is an array of zeros and ones, which a comparison makes
of its operands' type.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from codegen.gluon.dtypes import DTYPES
from codegen.gluon.functions import Args, Functions
from codegen.python.dialect import Application, Result, UnsupportedOp
from codegen.python.forward import Forward
from codegen.python.source import Expr, Literal, Name
from codegen.rewrites import (
    Pads,
    in_rows,
    max_window_padded,
    padded,
    scatter_in_rows,
    transpose_as_convolution,
)
from nnspec.catalogue.ops import (
    arranging,
    convolution,
    indexing,
    logic,
    numeric,
    random,
    reduction,
    search,
)
from nnspec.catalogue.ops import sliding as slide
from nnspec.catalogue.ops.base import Op
from nnspec.catalogue.ops.site import Site, Term
from nnspec.graph.graph import Node
from nnspec.graph.passes.legalize import Rewrite


def arrays(prefix: str) -> Mapping[type[Op], Application]:
    """The table, for operators that live under `prefix`."""
    f = Arrays(prefix)
    return {
        logic.Equal: f.comparison("==", "broadcast_equal"),
        logic.NotEqual: f.comparison("!=", "broadcast_not_equal"),
        logic.Less: f.comparison("<", "broadcast_lesser"),
        logic.LessEqual: f.comparison("<=", "broadcast_lesser_equal"),
        logic.Greater: f.comparison(">", "broadcast_greater"),
        logic.GreaterEqual: f.comparison(">=", "broadcast_greater_equal"),
        logic.LogicalAnd: f.logical("broadcast_logical_and"),
        logic.LogicalOr: f.logical("broadcast_logical_or"),
        logic.LogicalNot: f.plain("logical_not"),
        logic.Where: f.where,
        numeric.Power: f.arithmetic("**", "broadcast_power", "power"),
        numeric.Expm1: f.plain("expm1"),
        numeric.Rsqrt: f.plain("rsqrt"),
        numeric.Sin: f.plain("sin"),
        numeric.Cos: f.plain("cos"),
        numeric.Erf: f.plain("erf"),
        numeric.Floor: f.plain("floor"),
        numeric.Ceil: f.plain("ceil"),
        numeric.Clip: f.clip,
        reduction.Max: f.reduce("max"),
        reduction.Min: f.reduce("min"),
        reduction.Prod: f.reduce("prod"),
        search.ArgMax: f.position("argmax"),
        search.ArgMin: f.position("argmin"),
        search.CumSum: f.cumsum,
        search.TopK: f.topk,
        search.Sort: f.sort,
        arranging.Pad: f.pad,
        arranging.BroadcastTo: f.broadcast_to,
        arranging.Flip: f.flip,
        arranging.ExpandDims: f.expand_dims,
        arranging.Squeeze: f.squeeze,
        arranging.Stack: f.stack,
        arranging.Split: f.split,
        arranging.Tile: f.tile,
        arranging.Repeat: f.repeat,
        indexing.Gather: f.gather,
        indexing.ScatterAdd: f.scatter_add,
        indexing.OneHot: f.one_hot,
        random.RandomUniform: f.random_uniform,
        slide.Convolution: f.convolution,
        slide.ConvolutionTranspose: f.convolution_transpose,
        slide.MaxWindow: f.max_window,
    }


class Arrays(Functions):
    """Writes applications of ops with the operators of one namespace."""

    def comparison(self, symbol: str, broadcast: str) -> Application:
        compare = self.arithmetic(symbol, broadcast)

        def apply(node: Node, args: Args, forward: Forward) -> Result:
            if node.inputs[0].type.dtype == "bool":
                args = tuple(map(self._as_bool, args))
            return compare(node, args, forward)

        return apply

    def logical(self, name: str) -> Application:
        """Both operands of one type: comparisons give that of what they compare."""
        return lambda node, args, forward: self.op(name)(*map(self._as_bool, args))

    def _as_bool(self, x: Expr) -> Expr:
        return self.op("cast")(x, dtype=DTYPES["bool"])

    def where(self, node: Node, args: Args, forward: Forward) -> Result:
        """All three of one shape: MXNet's does not broadcast."""
        shape = node.outputs[0].type.shape
        tensors = [i for i, a in enumerate(args) if not isinstance(a, Literal)]
        whole = [i for i in tensors if node.inputs[i].type.shape == shape]
        given = list(args)
        if len(whole) == 3:
            return self.op("where")(*given)
        if whole:
            full = given[whole[0]] = forward.name(given[whole[0]])
        else:
            for i in tensors:
                given[i] = forward.name(given[i])
            full = self._as_bool(given[tensors[0]])
            for i in tensors[1:]:
                full = self.op("broadcast_add")(full, self._as_bool(given[i]))
            full = forward.name(full)
        dtype = DTYPES[node.outputs[0].type.dtype]
        like = next((given[i] for i in whole if i), None)
        numbers = like if like is not None else self.op("cast")(full, dtype=dtype)
        for i, x in enumerate(given):
            if isinstance(x, Literal):
                zeros = self.op("zeros_like")(numbers)
                given[i] = zeros if x.value == 0 else zeros + x
            elif i not in whole:
                rank = max(node.inputs[i].type.rank, 1)
                x = self._more_axes(x, rank, len(shape))
                given[i] = self.op("broadcast_like")(x, full)
        return self.op("where")(*given)

    def clip(self, node: Node, args: Args, forward: Forward) -> Result:
        """MXNet wants both bounds."""
        op, (x,) = node.op, args
        assert isinstance(op, numeric.Clip)
        if op.low is not None and op.high is not None:
            return self.op("clip")(x, op.low, op.high)
        if op.low is not None:
            return self.op("maximum")(x, op.low)
        return x if op.high is None else self.op("minimum")(x, op.high)

    def position(self, name: str) -> Application:
        """MXNet's gives floats."""

        def apply(node: Node, args: Args, forward: Forward) -> Result:
            op = node.op
            assert isinstance(op, search.Position)
            made = self.op(name)(*args, axis=op.axis)
            made = made.with_keyword("keepdims", True) if op.keepdims else made
            return self.op("cast")(made, dtype=DTYPES["i64"])

        return apply

    def _axis(self, node: Node) -> int:
        """The axis of an op that has one, counted from 0."""
        axis: int = getattr(node.op, "axis")  # noqa: B009 - whichever op it is
        return axis % node.inputs[0].type.rank

    def cumsum(self, node: Node, args: Args, forward: Forward) -> Result:
        return self.op("cumsum")(*args, axis=self._axis(node))

    def topk(self, node: Node, args: Args, forward: Forward) -> Result:
        op = node.op
        assert isinstance(op, search.TopK)
        settings = {"k": op.k, "axis": op.axis, "ret_typ": "both", "dtype": DTYPES["i64"]}
        return self.op("topk")(*args, **settings)

    def sort(self, node: Node, args: Args, forward: Forward) -> Result:
        op = node.op
        assert isinstance(op, search.Sort)
        made = self.op("sort")(*args, axis=op.axis)
        return made.with_keyword("is_ascend", False) if op.descending else made

    def pad(self, node: Node, args: Args, forward: Forward) -> Result:
        """Edges are joined on: MXNet's own pads the space of images only."""
        op, (x,) = node.op, args
        assert isinstance(op, arranging.Pad)
        for axis, pair in enumerate(op.pads):
            if pair == (0, 0):
                continue
            x = forward.name(x)
            first = self.op("slice_axis")(x, axis=axis, begin=0, end=1)
            edge: Expr = self.op("zeros_like")(first)
            if op.value != 0:
                infinite = op.value == float("-inf")
                edge = edge + (Name("float")("-inf") if infinite else Literal(op.value))
            edge = forward.name(edge)
            before, after = (self._edges(node, edge, size, axis) for size in pair)
            x = self.op("concat")(*before, x, *after, dim=axis)
        return x

    def _edges(self, node: Node, edge: Expr, size: object, axis: int) -> list[Expr]:
        if not isinstance(size, int):
            raise UnsupportedOp(node, "Gluon", f"a padding of {size} cells is no number")
        if size == 0:
            return []
        return [edge if size == 1 else self.op("repeat")(edge, repeats=size, axis=axis)]

    def broadcast_to(self, node: Node, args: Args, forward: Forward) -> Result:
        op, (x,) = node.op, args
        assert isinstance(op, arranging.BroadcastTo)
        source, rank = node.inputs[0].type, len(op.shape)
        sizes = tuple(d for d in op.shape if isinstance(d, int))
        if len(sizes) < rank:
            had = (1,) * (rank - source.rank) + source.shape
            known = [d == e for d, e in zip(op.shape, had, strict=True) if not isinstance(d, int)]
            if isinstance(x, Literal) or not all(known):
                zeros = self._zeros(node, op.shape, forward)
                if isinstance(x, Literal):
                    return zeros if x.value == 0 else zeros + x
                return self.op("broadcast_like")(
                    self._more_axes(x, max(source.rank, 1), rank), zeros
                )
            # A size that stays as it is is written 0.
            sizes = tuple(d if isinstance(d, int) else 0 for d in op.shape)
        if isinstance(x, Literal):
            ones = self.op("ones")(shape=sizes or (1,), dtype=DTYPES[source.dtype])
            return ones if x.value == 1 else ones * x
        x = self._more_axes(x, max(source.rank, 1), rank)
        return self.op("broadcast_to")(x, shape=sizes or (1,))

    def flip(self, node: Node, args: Args, forward: Forward) -> Result:
        op, rank = node.op, node.inputs[0].type.rank
        assert isinstance(op, arranging.Flip)
        axes = tuple(a % rank for a in op.axis)
        return self.op("flip")(*args, axis=axes[0] if len(axes) == 1 else axes)

    def expand_dims(self, node: Node, args: Args, forward: Forward) -> Result:
        assert isinstance(node.op, arranging.ExpandDims)
        return self.op("expand_dims")(*args, axis=node.op.axis)

    def squeeze(self, node: Node, args: Args, forward: Forward) -> Result:
        assert isinstance(node.op, arranging.Squeeze)
        axes = node.op.over(node.inputs[0].type)
        return self.op("squeeze")(*args, axis=axes[0] if len(axes) == 1 else axes)

    def stack(self, node: Node, args: Args, forward: Forward) -> Result:
        assert isinstance(node.op, arranging.Stack)
        return self.op("stack")(*args, axis=node.op.axis)

    def split(self, node: Node, args: Args, forward: Forward) -> Result:
        op = node.op
        assert isinstance(op, arranging.Split)
        count = len(op.sizes(node.inputs[0].type))
        return self.op("split")(*args, num_outputs=count, axis=self._axis(node))

    def tile(self, node: Node, args: Args, forward: Forward) -> Result:
        assert isinstance(node.op, arranging.Tile)
        return self.op("tile")(*args, reps=node.op.times)

    def repeat(self, node: Node, args: Args, forward: Forward) -> Result:
        assert isinstance(node.op, arranging.Repeat)
        return self.op("repeat")(*args, repeats=node.op.times, axis=self._axis(node))

    def gather(self, node: Node, args: Args, forward: Forward) -> Result:
        return self.op("take")(*args, axis=self._axis(node))

    def scatter_add(self, node: Node, args: Args, forward: Forward) -> Result:
        """MXNet has it as the way back of `gather_nd`, which is told the whole shape."""
        x, indices, updates = args
        shape = node.inputs[0].type.shape
        if not all(isinstance(d, int) for d in shape):
            raise UnsupportedOp(node, "Gluon", "parts are added to a tensor of a known shape only")
        rows = self.op("expand_dims")(indices, axis=0)
        added = self.op("_internal._backward_gather_nd")(updates, rows, shape=shape)
        return x + added

    def one_hot(self, node: Node, args: Args, forward: Forward) -> Result:
        op = node.op
        assert isinstance(op, indexing.OneHot)
        made = self.op("one_hot")(*args, op.classes)
        return made if op.dtype == "f32" else made.with_keyword("dtype", DTYPES[op.dtype])

    def random_uniform(self, node: Node, args: Args, forward: Forward) -> Result:
        op = node.op
        assert isinstance(op, random.RandomUniform)
        settings = {} if op.low == 0 else {"low": op.low}
        settings |= {} if op.high == 1 else {"high": op.high}
        if self.prefix == "nd" or all(isinstance(d, int) for d in op.shape):
            shape = tuple(forward.size(d) for d in op.shape) or (1,)
            return self.op("random.uniform")(**settings, shape=shape)
        return self.op("random.uniform_like")(self._zeros(node, op.shape, forward), **settings)

    def _space(self, name: str, rank: int, x: Expr, *kernel: Expr, **settings: Any) -> Expr:
        """An operator over space, which wants features second; what is MXNet's own is left out."""
        there, back = (0, rank + 1, *range(1, rank + 1)), (0, *range(2, rank + 2), 1)
        own: dict[str, Any] = {"stride": (1,) * rank, "dilate": (1,) * rank, "pad": (0,) * rank}
        own["num_group"] = 1
        given = {k: v for k, v in settings.items() if own.get(k) != v}
        made = self.op(name)(self.op("transpose")(x, axes=there), *kernel, **given)
        return self.op("transpose")(made, axes=back)

    def convolution(self, node: Node, args: Args, forward: Forward) -> Result:
        op = node.op
        assert isinstance(op, slide.Convolution)
        filters, _, *cells = node.inputs[1].type.shape
        return self._space(
            "Convolution",
            op.rank,
            *args,
            kernel=tuple(cells),
            stride=op.steps,
            dilate=op.spread,
            pad=tuple(before for before, _ in op.pads),
            num_filter=filters,
            num_group=op.groups,
            no_bias=True,
        )

    def convolution_transpose(self, node: Node, args: Args, forward: Forward) -> Result:
        op = node.op
        assert isinstance(op, slide.ConvolutionTranspose)
        _, filters, *cells = node.inputs[1].type.shape
        return self._space(
            "Deconvolution",
            op.rank,
            *args,
            kernel=tuple(cells),
            stride=op.steps,
            dilate=op.spread,
            num_filter=filters * op.groups,
            num_group=op.groups,
            no_bias=True,
        )

    def max_window(self, node: Node, args: Args, forward: Forward) -> Result:
        op = node.op
        assert isinstance(op, slide.MaxWindow)
        return self._space("Pooling", op.rank, *args, kernel=op.cells, stride=op.steps)


def half_to_even(to: Site, op: numeric.Round, x: Term) -> Term:
    """MXNet's own rounding takes a half away from zero."""
    low = to.floor(x)
    rest = x - low
    odd = low - 2 * to.floor(low / 2)
    return low + to.where(to.equal(rest, 0.5), odd, to.ceil(rest - 0.5))


def _alike(pads: Pads) -> bool:
    return all(before == after for before, after in pads)


def convolution_padded(to: Site, op: slide.Convolution, x: Term, kernel: Term) -> Term:
    """Without padding of its own, where that is not symmetric."""
    none = ((0, 0),) * op.rank
    return to.convolution(
        padded(to, x, op.pads),
        kernel,
        steps=op.steps,
        pads=none,
        spread=op.spread,
        groups=op.groups,
    )


def _sizes_alike(node: Node) -> bool:
    op = node.op
    return isinstance(op, arranging.Split) and _many_alike(op.sizes(node.inputs[0].type))


def _many_alike(sizes: Sequence[int]) -> bool:
    return len(sizes) > 1 and len(set(sizes)) == 1


def _has_transpose(node: Node) -> bool:
    """MXNet has none over volumes, and with groups its gradient is wrong."""
    op = node.op
    return isinstance(op, slide.ConvolutionTranspose) and op.rank < 3 and op.groups == 1


LEGAL = {
    # Over volumes it works by oneDNN alone, in f32 and without gradients: it is expanded.
    convolution.ConvTranspose3D: lambda n: False,
    arranging.Split: _sizes_alike,
    indexing.ScatterAdd: in_rows,
    slide.Convolution: lambda n: isinstance(n.op, slide.Convolution) and _alike(n.op.pads),
    slide.ConvolutionTranspose: _has_transpose,
    slide.MaxWindow: lambda n: isinstance(n.op, slide.MaxWindow) and not any(map(any, n.op.pads)),
}
REWRITES: dict[type[Op], Rewrite] = {
    numeric.Round: half_to_even,
    indexing.ScatterAdd: scatter_in_rows,
    slide.Convolution: convolution_padded,
    slide.ConvolutionTranspose: transpose_as_convolution,
    slide.MaxWindow: max_window_padded,
}
