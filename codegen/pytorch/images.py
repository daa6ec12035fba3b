"""Convolution and pooling: layers whose padding PyTorch does not always have."""

from __future__ import annotations

from collections.abc import Callable

from codegen.python.dialect import Application, Constructor, Result
from codegen.python.forward import Forward
from codegen.python.source import Call, Expr, Literal, Name, Slice, Tuple, lift
from codegen.pytorch.initializers import with_initializers
from nnspec.catalogue.ops.base import Op
from nnspec.catalogue.ops.convolution import Conv2D, ConvTranspose2D
from nnspec.catalogue.ops.pooling import AvgPool2D, MaxPool2D
from nnspec.catalogue.ops.windows import Pads, extent, same_padding
from nnspec.graph.graph import Node

Pair = tuple[int, ...]


def square(pair: Pair, hint: str) -> Expr:
    """One number for both axes where they are equal."""
    return Literal(pair[0], hint) if pair[0] == pair[1] else lift(pair)


def shape(node: Node) -> tuple[int, ...]:
    """Sizes of a layer's first weight."""
    return tuple(size for size in node.weights[0].type.shape if isinstance(size, int))


def pads(node: Node) -> Pads | None:
    """What stands before and after the two axes of an image; None where it depends on sizes that are
    known only at run time."""
    op = node.op
    assert isinstance(op, (Conv2D, MaxPool2D, AvgPool2D))
    if op.padding == "valid":
        return ((0, 0), (0, 0))
    if not isinstance(op.padding, str):
        return op.padding
    kernel, stride, dilation = window(node)
    found = []
    for size, k, s, d in zip(node.inputs[0].type.shape[2:], kernel, stride, dilation, strict=True):
        if s == 1:
            total = extent(k, d) - 1
            found.append((total // 2, total - total // 2))
        elif isinstance(size, int):
            found.append(same_padding(size, k, s, d))
        else:
            return None
    return tuple(found)


def window(node: Node) -> tuple[Pair, Pair, Pair]:
    """Kernel, stride and dilation of a convolution or pooling."""
    op = node.op
    if isinstance(op, Conv2D):
        return op.kernel, op.stride, op.dilation
    assert isinstance(op, (MaxPool2D, AvgPool2D))
    return op.size, op.step, (1, 1)


def own_padding(node: Node) -> Pair | None:
    """The padding that PyTorch's layer can be given: symmetric, and for a pooling at most half its window."""
    around = pads(node)
    if around is None or any(before != after for before, after in around):
        return None
    (top, _), (left, _) = around
    if not isinstance(node.op, Conv2D):
        height, width = window(node)[0]
        if top > height // 2 or left > width // 2:
            return None
    return top, left


def conv2d(node: Node) -> Expr:
    op = node.op
    assert isinstance(op, Conv2D)
    filters, width = shape(node)[:2]
    made = Name("nn.Conv2d")(
        Literal(width * op.groups, "in_channels"),
        Literal(filters, "out_channels"),
        square(op.kernel, "kernel"),
    )
    if op.stride != (1, 1):
        made = made.with_keyword("stride", square(op.stride, "stride"))
    padding = own_padding(node)
    if op.padding == "same" and op.stride == (1, 1):
        # PyTorch too puts the odd cell at the end.
        made = made.with_keyword("padding", "same")
    elif padding not in (None, (0, 0)):
        assert padding is not None
        made = made.with_keyword("padding", square(padding, "padding"))
    if op.dilation != (1, 1):
        made = made.with_keyword("dilation", square(op.dilation, "dilation"))
    if op.groups != 1:
        made = made.with_keyword("groups", op.groups)
    if not op.use_bias:
        made = made.with_keyword("bias", False)
    return with_initializers(made, node)


def _padded(node: Node, x: Expr, value: Expr | None = None) -> Expr:
    """The operand with padding that the layer cannot be given."""
    around = pads(node)
    extra = {} if value is None else {"value": value}
    if around is None:
        kernel, stride, dilation = window(node)
        if dilation != (1, 1):
            extra["dilation"] = lift(dilation)
        return Name("same_padding")(x, lift(kernel), lift(stride), **extra)
    (top, bottom), (left, right) = around
    return Name("F.pad")(x, (left, right, top, bottom), **extra)


def apply_conv2d(node: Node, operands: tuple[Expr, ...], forward: Forward) -> Result:
    op = node.op
    assert isinstance(op, Conv2D)
    layer = forward.layer(node)
    stays = own_padding(node) is not None or (op.padding == "same" and op.stride == (1, 1))
    return layer(operands[0] if stays else _padded(node, operands[0]))


def conv2d_module(node: Node) -> Expr | None:
    op = node.op
    assert isinstance(op, Conv2D)
    stays = own_padding(node) is not None or (op.padding == "same" and op.stride == (1, 1))
    return conv2d(node) if stays else None


def _cut(op: ConvTranspose2D) -> tuple[int, int]:
    """Cells by which the full result is longer than the wanted one (shorter, where negative)."""
    if op.padding == "valid":
        return 0, 0
    first, second = (
        extent(k, d) - s for k, d, s in zip(op.kernel, op.dilation, op.stride, strict=True)
    )
    return first, second


def conv_transpose2d(node: Node) -> Expr:
    op = node.op
    assert isinstance(op, ConvTranspose2D)
    width, filters = shape(node)[:2]
    made = Name("nn.ConvTranspose2d")(
        Literal(width, "in_channels"), Literal(filters, "out_channels"), square(op.kernel, "kernel")
    )
    if op.stride != (1, 1):
        made = made.with_keyword("stride", square(op.stride, "stride"))
    cut = _cut(op)
    padding = (max(cut[0], 0) // 2, max(cut[1], 0) // 2)
    missing = (max(-cut[0], 0), max(-cut[1], 0))
    if padding != (0, 0):
        made = made.with_keyword("padding", square(padding, "padding"))
    if missing != (0, 0):
        made = made.with_keyword("output_padding", square(missing, "output_padding"))
    if op.dilation != (1, 1):
        made = made.with_keyword("dilation", square(op.dilation, "dilation"))
    if not op.use_bias:
        made = made.with_keyword("bias", False)
    return with_initializers(made, node)


def apply_conv_transpose2d(node: Node, operands: tuple[Expr, ...], forward: Forward) -> Result:
    assert isinstance(node.op, ConvTranspose2D)
    odd = [c > 0 and c % 2 == 1 for c in _cut(node.op)]
    result = forward.layer(node)(operands[0])
    if not any(odd):
        return result
    whole, all_but_last = Slice(), Slice(None, Literal(-1))
    parts: list[Expr] = [whole, whole, *(all_but_last if o else whole for o in odd)]
    return result[Tuple(tuple(parts if odd[1] else parts[:3]))]


def conv_transpose2d_module(node: Node) -> Expr | None:
    assert isinstance(node.op, ConvTranspose2D)
    odd = any(c > 0 and c % 2 == 1 for c in _cut(node.op))
    return None if odd else conv_transpose2d(node)


def _pool(node: Node, name: str) -> Call:
    op = node.op
    assert isinstance(op, (MaxPool2D, AvgPool2D))
    made = Name(name)(square(op.size, "size"))
    if op.step != op.size:
        made = made.with_keyword("stride", square(op.step, "stride"))
    padding = own_padding(node)
    if padding and padding != (0, 0):
        made = made.with_keyword("padding", square(padding, "padding"))
        if isinstance(op, AvgPool2D):
            made = made.with_keyword("count_include_pad", False)
    return made


def max_pool2d(node: Node) -> Expr:
    return _pool(node, "nn.MaxPool2d")


def avg_pool2d(node: Node) -> Expr:
    return _pool(node, "nn.AvgPool2d")


def apply_max_pool2d(node: Node, operands: tuple[Expr, ...], forward: Forward) -> Result:
    layer = forward.layer(node)
    if own_padding(node) is not None:
        return layer(operands[0])
    return layer(_padded(node, operands[0], lift(float("-inf"))))


def apply_avg_pool2d(node: Node, operands: tuple[Expr, ...], forward: Forward) -> Result:
    layer = forward.layer(node)
    if own_padding(node) is not None:
        return layer(operands[0])
    x = forward.name(operands[0])
    inside = Name("torch.ones_like")(x)
    return layer(_padded(node, x)) / layer(_padded(node, inside))


def max_pool2d_module(node: Node) -> Expr | None:
    return max_pool2d(node) if own_padding(node) is not None else None


def avg_pool2d_module(node: Node) -> Expr | None:
    return avg_pool2d(node) if own_padding(node) is not None else None


LAYERS: dict[type[Op], Constructor] = {
    Conv2D: conv2d,
    ConvTranspose2D: conv_transpose2d,
    MaxPool2D: max_pool2d,
    AvgPool2D: avg_pool2d,
}
APPLIED: dict[type[Op], Application] = {
    Conv2D: apply_conv2d,
    ConvTranspose2D: apply_conv_transpose2d,
    MaxPool2D: apply_max_pool2d,
    AvgPool2D: apply_avg_pool2d,
}
CHAINED: dict[type[Op], Callable[[Node], Expr | None]] = {
    Conv2D: conv2d_module,
    ConvTranspose2D: conv_transpose2d_module,
    MaxPool2D: max_pool2d_module,
    AvgPool2D: avg_pool2d_module,
}
