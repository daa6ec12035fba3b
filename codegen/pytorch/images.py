"""Convolution and pooling: layers whose padding PyTorch does not always have."""

from __future__ import annotations

from collections.abc import Callable

from codegen.python.dialect import Application, Constructor, Result
from codegen.python.forward import Forward
from codegen.python.source import Expr, Literal, Name, Slice, Tuple, lift
from codegen.pytorch.initializers import with_initializers
from nnspec.catalogue.ops.base import Op
from nnspec.catalogue.ops.convolution import CONVOLUTIONS, TRANSPOSED, Conv, ConvTranspose
from nnspec.catalogue.ops.image import Windowed
from nnspec.catalogue.ops.pooling import AVG_POOLS, MAX_POOLS, AvgPool, Pool
from nnspec.catalogue.ops.windows import extent
from nnspec.graph.graph import Node

Sizes = tuple[int, ...]


def square(sizes: Sizes, hint: str) -> Expr:
    """One number for all axes where they are equal."""
    return Literal(sizes[0], hint) if len(set(sizes)) == 1 else lift(sizes)


def shape(node: Node) -> Sizes:
    """Sizes of a layer's first weight."""
    return tuple(size for size in node.weights[0].type.shape if isinstance(size, int))


def windowed(node: Node) -> Windowed:
    assert isinstance(node.op, Windowed)
    return node.op


def own_padding(node: Node) -> Sizes | None:
    """The padding that PyTorch's layer can be given: symmetric, and for a pooling at most half its window."""
    op = windowed(node)
    around = op.around(node.inputs[0].type)
    if around is None or any(before != after for before, after in around):
        return None
    padding = tuple(before for before, _ in around)
    if isinstance(op, Pool) and any(p > k // 2 for p, k in zip(padding, op.size, strict=True)):
        return None
    return padding


def is_whole(node: Node) -> bool:
    """Whether the layer alone pads as it should."""
    op = windowed(node)
    return own_padding(node) is not None or (isinstance(op, Conv) and _says_same(op))


def _says_same(op: Conv) -> bool:
    """PyTorch too puts the odd cell at the end, where it knows the word."""
    return op.padding == "same" and set(op.stride) == {1}


def conv(node: Node) -> Expr:
    op = node.op
    assert isinstance(op, Conv)
    filters, width = shape(node)[:2]
    made = Name(f"nn.Conv{op.rank}d")(
        Literal(width * op.groups, "in_channels"),
        Literal(filters, "out_channels"),
        square(op.kernel, "kernel"),
    )
    if set(op.stride) != {1}:
        made = made.with_keyword("stride", square(op.stride, "stride"))
    padding = own_padding(node)
    if _says_same(op):
        made = made.with_keyword("padding", "same")
    elif padding is not None and any(padding):
        made = made.with_keyword("padding", square(padding, "padding"))
    if set(op.dilation) != {1}:
        made = made.with_keyword("dilation", square(op.dilation, "dilation"))
    if op.groups != 1:
        made = made.with_keyword("groups", op.groups)
    if not op.use_bias:
        made = made.with_keyword("bias", False)
    return with_initializers(made, node)


def _padded(node: Node, x: Expr, value: Expr | None = None) -> Expr:
    """The operand with padding that the layer cannot be given."""
    op = windowed(node)
    around = op.around(node.inputs[0].type)
    extra = {} if value is None else {"value": value}
    if around is None:
        cells, steps, spread, _ = op.window
        if set(spread) != {1}:
            extra["dilation"] = lift(spread)
        return Name("same_padding")(x, lift(cells), lift(steps), **extra)
    # PyTorch counts from the last axis.
    return Name("F.pad")(x, tuple(n for pair in reversed(around) for n in pair), **extra)


def apply_conv(node: Node, operands: tuple[Expr, ...], forward: Forward) -> Result:
    layer = forward.layer(node)
    return layer(operands[0] if is_whole(node) else _padded(node, operands[0]))


def chained(make: Constructor) -> Callable[[Node], Expr | None]:
    """The layer as one of a chain, where it is all that the op does."""
    return lambda node: make(node) if is_whole(node) else None


def _cut(op: ConvTranspose) -> Sizes:
    """Cells by which the full result is longer than the wanted one (shorter, where negative)."""
    if op.padding == "valid":
        return (0,) * op.rank
    along = zip(op.kernel, op.dilation, op.stride, strict=True)
    return tuple(extent(k, d) - s for k, d, s in along)


def _odd(op: ConvTranspose) -> list[bool]:
    """Along which axes a cell is left over at the end."""
    return [cells > 0 and cells % 2 == 1 for cells in _cut(op)]


def conv_transpose(node: Node) -> Expr:
    op = node.op
    assert isinstance(op, ConvTranspose)
    width, filters = shape(node)[:2]
    made = Name(f"nn.ConvTranspose{op.rank}d")(
        Literal(width, "in_channels"), Literal(filters, "out_channels"), square(op.kernel, "kernel")
    )
    if set(op.stride) != {1}:
        made = made.with_keyword("stride", square(op.stride, "stride"))
    padding = tuple(max(cells, 0) // 2 for cells in _cut(op))
    missing = tuple(max(-cells, 0) for cells in _cut(op))
    if any(padding):
        made = made.with_keyword("padding", square(padding, "padding"))
    if any(missing):
        made = made.with_keyword("output_padding", square(missing, "output_padding"))
    if set(op.dilation) != {1}:
        made = made.with_keyword("dilation", square(op.dilation, "dilation"))
    if not op.use_bias:
        made = made.with_keyword("bias", False)
    return with_initializers(made, node)


def apply_conv_transpose(node: Node, operands: tuple[Expr, ...], forward: Forward) -> Result:
    assert isinstance(node.op, ConvTranspose)
    result = forward.layer(node)(operands[0])
    odd = _odd(node.op)
    if not any(odd):
        return result
    whole, all_but_last = Slice(), Slice(None, Literal(-1))
    parts: list[Expr] = [whole, whole, *(all_but_last if o else whole for o in odd)]
    while parts[-1] is whole:
        parts.pop()
    return result[Tuple(tuple(parts))]


def conv_transpose_module(node: Node) -> Expr | None:
    assert isinstance(node.op, ConvTranspose)
    return None if any(_odd(node.op)) else conv_transpose(node)


def pool(name: str) -> Constructor:
    def make(node: Node) -> Expr:
        op = node.op
        assert isinstance(op, Pool)
        made = Name(f"nn.{name}{op.rank}d")(square(op.size, "size"))
        if op.step != op.size:
            made = made.with_keyword("stride", square(op.step, "stride"))
        padding = own_padding(node)
        if padding and any(padding):
            made = made.with_keyword("padding", square(padding, "padding"))
            if isinstance(op, AvgPool):
                made = made.with_keyword("count_include_pad", False)
        return made

    return make


def apply_max_pool(node: Node, operands: tuple[Expr, ...], forward: Forward) -> Result:
    layer = forward.layer(node)
    if is_whole(node):
        return layer(operands[0])
    return layer(_padded(node, operands[0], lift(float("-inf"))))


def apply_avg_pool(node: Node, operands: tuple[Expr, ...], forward: Forward) -> Result:
    layer = forward.layer(node)
    if is_whole(node):
        return layer(operands[0])
    x = forward.name(operands[0])
    inside = Name("torch.ones_like")(x)
    return layer(_padded(node, x)) / layer(_padded(node, inside))


LAYERS: dict[type[Op], Constructor] = {
    **dict.fromkeys(CONVOLUTIONS, conv),
    **dict.fromkeys(TRANSPOSED, conv_transpose),
    **dict.fromkeys(MAX_POOLS, pool("MaxPool")),
    **dict.fromkeys(AVG_POOLS, pool("AvgPool")),
}
APPLIED: dict[type[Op], Application] = {
    **dict.fromkeys(CONVOLUTIONS, apply_conv),
    **dict.fromkeys(TRANSPOSED, apply_conv_transpose),
    **dict.fromkeys(MAX_POOLS, apply_max_pool),
    **dict.fromkeys(AVG_POOLS, apply_avg_pool),
}
CHAINED: dict[type[Op], Callable[[Node], Expr | None]] = {
    **dict.fromkeys(CONVOLUTIONS, chained(conv)),
    **dict.fromkeys(TRANSPOSED, conv_transpose_module),
    **dict.fromkeys(MAX_POOLS, chained(pool("MaxPool"))),
    **dict.fromkeys(AVG_POOLS, chained(pool("AvgPool"))),
}
