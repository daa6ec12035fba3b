"""Convolutions and pooling: layers, and what gradients and expansions come down to."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from codegen.gluon.layer import Both, Layers, first
from codegen.gluon.like import like
from codegen.gluon.ops.dense import BIAS
from codegen.gluon.padding import last_is_open, own, padded, symmetric
from codegen.python.dialect import Result, UnsupportedOp
from codegen.python.native import Use
from codegen.python.source import Expr, Name
from codegen.rewrites import as_groups, max_window_padded, transpose_as_convolution
from codegen.rewrites import padded as padded_by
from codegen.rules import SQUARE
from nnspec.catalogue.ops.convolution import (
    CONVOLUTIONS,
    TRANSPOSED,
    Conv,
    ConvTranspose,
    ConvTranspose3D,
)
from nnspec.catalogue.ops.depthwise import DepthwiseConv2D
from nnspec.catalogue.ops.pooling import AVG_POOLS, MAX_POOLS, AvgPool, MaxPool, Pool
from nnspec.catalogue.ops.shaping import apart
from nnspec.catalogue.ops.site import Site, Term
from nnspec.catalogue.ops.sliding import Convolution, MaxWindow, Sliding
from nnspec.core.dims import Dim
from nnspec.graph.graph import Node
from nnspec.graph.site import GraphSite

TABLE = Layers()
TABLE.rewrites[DepthwiseConv2D] = as_groups


def channels(node: Node) -> Dim:
    """Features of the operand, which stand second."""
    return node.inputs[0].type.shape[1]


# Convolutions.

for conv in CONVOLUTIONS:
    one, none = (1,) * conv.rank, (0,) * conv.rank
    TABLE.layer(
        conv,
        f"nn.{conv.name}",
        "F.Convolution",
        first("filters", "channels", "num_filter"),
        first("kernel", None, "kernel", SQUARE),
        Both("stride", "strides", "stride", one, SQUARE),
        Both(own, "padding", "pad", none, SQUARE),
        Both("dilation", "dilation", "dilate", one, SQUARE),
        Both("groups", "groups", "num_group", 1),
        BIAS,
        Both(channels, "in_channels"),
        legal=lambda node: own(node) is not None,
    )


@TABLE.rewrite
def conv_padded(to: GraphSite, op: Conv, x: Term) -> Term | tuple[Term, ...]:
    """MXNet pads alike on both sides only."""
    return to.again(op.bare, padded(to, op, x))


# Transposed convolutions.


def crop(node: Node) -> tuple[int, ...]:
    """Cells that the layer takes off on both sides."""
    assert isinstance(node.op, ConvTranspose)
    return tuple(before for before, _ in node.op.cuts)


def missing(node: Node) -> tuple[int, ...]:
    """Cells that the layer adds at the end."""
    assert isinstance(node.op, ConvTranspose)
    return tuple(max(before - after, 0) for before, after in node.op.cuts)


def without_spread_strides(node: Node) -> bool:
    """MXNet's own with both stride and dilation is wrong without oneDNN, so in f64; with groups its gradients are."""
    op = node.op
    assert isinstance(op, ConvTranspose)
    spread = any(d > 1 and k > 1 for d, k in zip(op.dilation, op.kernel, strict=True))
    fits = all(m < s for m, s in zip(missing(node), op.stride, strict=True))
    return op.groups == 1 and fits and (not spread or set(op.stride) == {1})


for transposed in TRANSPOSED[:2]:
    one, none = (1,) * transposed.rank, (0,) * transposed.rank
    TABLE.layer(
        transposed,
        f"nn.Conv{transposed.rank}DTranspose",
        "F.Deconvolution",
        first("filters", "channels", "num_filter"),
        first("kernel", None, "kernel", SQUARE),
        Both("stride", "strides", "stride", one, SQUARE),
        Both(crop, "padding", "pad", none, SQUARE),
        Both(missing, "output_padding", "adj", none, SQUARE),
        Both("dilation", "dilation", "dilate", one, SQUARE),
        # The operator has no bias by default.
        replace(BIAS, operator_default=False),
        Both(channels, "in_channels"),
        legal=without_spread_strides,
    )


@TABLE.rule
def conv_transpose(op: ConvTranspose, use: Use, x: Expr) -> Result:
    """Without the cells at the end that no symmetric crop takes off."""
    y = use.forward.layer(use.node)(x)
    ends = tuple(before - after if after > before else None for before, after in op.cuts)
    if not any(ends):
        return y
    return Name("F.slice")(y, begin=(None,) * use.rank, end=(None, None, *ends))


def strides_by_zeros(to: GraphSite, op: ConvTranspose, x: Term) -> Term | tuple[Term, ...] | None:
    """Zeros between the cells of the input in place of strides."""
    assert to.origin is not None
    if op.groups > 1:
        return None
    if op.use_bias and any(after < 0 for _, after in op.cuts):
        reason = "a dilated transposed convolution whose stride exceeds its reach"
        raise UnsupportedOp(to.origin, "Gluon", reason)
    for axis, step in enumerate(op.stride, 1):
        x = apart(to, x, axis, step)
    none = (0,) * op.rank
    bare = replace(op, stride=(1,) * op.rank, padding="valid", output_padding=none)
    (full,) = to.again(bare, x)
    return op.trimmed(to, full)


TABLE.rewrites |= dict.fromkeys(TRANSPOSED[:2], strides_by_zeros)
# Over volumes MXNet's own works by oneDNN alone, in f32 and without gradients: it is expanded.
TABLE.legal[ConvTranspose3D] = lambda node: False


# Pooling.


def step(node: Node) -> tuple[int, ...]:
    assert isinstance(node.op, Pool)
    return node.op.step


def other_step(node: Node) -> tuple[int, ...] | None:
    """None where it is the size, as a block has it."""
    assert isinstance(node.op, Pool)
    return None if node.op.step == node.op.size else node.op.step


def unpadded(node: Node) -> bool:
    """The mean leaves out cells that are padding."""
    return not any(own(node) or ())


def kind_of(node: Node) -> str:
    return "max" if isinstance(node.op, MaxPool) else "avg"


def convention(node: Node) -> str:
    return "full" if last_is_open(node) else "valid"


for pool in (*MAX_POOLS, *AVG_POOLS):
    mean = [Both(unpadded, "count_include_pad", "count_include_pad", True)]
    TABLE.layer(
        pool,
        f"nn.{pool.name}",
        "F.Pooling",
        first("size", None, "kernel", SQUARE),
        Both(other_step, "strides", None, None, SQUARE),
        Both(step, None, "stride"),
        Both(kind_of, None, "pool_type"),
        Both(own, "padding", "pad", (0,) * pool.rank, SQUARE),
        Both(last_is_open, "ceil_mode", None, False),
        Both(convention, None, "pooling_convention", "valid"),
        *(mean if issubclass(pool, AvgPool) else ()),
        legal=lambda node: own(node) is not None,
    )


@TABLE.rewrite
def max_pool_padded(to: GraphSite, op: MaxPool, x: Term) -> Term | tuple[Term, ...]:
    """The padding never wins."""
    return to.again(op.bare, padded(to, op, x, float("-inf")))


@TABLE.rewrite
def avg_pool_padded(to: GraphSite, op: AvgPool, x: Term) -> Term:
    """By the share of each window that is no padding: the mean of ones inside and zeros outside."""
    valid = op.bare
    (total,) = to.again(valid, padded(to, op, x))
    (share,) = to.again(valid, padded(to, op, like(to, to.number(1, x.dtype), x)))
    return total / share


# What gradients and expansions come down to; features stand last there, and second in MXNet.


def over_space(name: str, op: Sliding, x: Expr, *kernel: Expr, **settings: Any) -> Expr:
    """An operator over space; what is MXNet's own is left out."""
    rank = op.rank
    there, back = (0, rank + 1, *range(1, rank + 1)), (0, *range(2, rank + 2), 1)
    own: dict[str, Any] = {"stride": (1,) * rank, "dilate": (1,) * rank, "pad": (0,) * rank}
    own["num_group"] = 1
    given = {k: v for k, v in settings.items() if own.get(k) != v}
    y = Name(name)(Name("F.transpose")(x, axes=there), *kernel, **given)
    return Name("F.transpose")(y, axes=back)


@TABLE.rule
def convolution(op: Convolution, use: Use, x: Expr, kernel: Expr) -> Result:
    filters, _, *cells = use.types[1].shape
    return over_space(
        "F.Convolution",
        op,
        x,
        kernel,
        kernel=tuple(cells),
        stride=op.steps,
        dilate=op.spread,
        pad=tuple(before for before, _ in op.pads),
        num_filter=filters,
        num_group=op.groups,
        no_bias=True,
    )


def is_symmetric(node: Node) -> bool:
    return isinstance(node.op, Convolution) and symmetric(node.op.pads)


@TABLE.rewrite
def convolution_padded(to: Site, op: Convolution, x: Term, kernel: Term) -> Term:
    """MXNet pads alike on both sides only."""
    x, none = padded_by(to, x, op.pads), ((0, 0),) * op.rank
    (y,) = to.apply(replace(op, pads=none), x, kernel)
    return y


@TABLE.rule
def max_window(op: MaxWindow, use: Use, x: Expr) -> Result:
    return over_space("F.Pooling", op, x, kernel=op.cells, stride=op.steps)


def is_unpadded(node: Node) -> bool:
    return isinstance(node.op, MaxWindow) and not any(map(any, node.op.pads))


TABLE.legal |= {
    Convolution: is_symmetric,
    MaxWindow: is_unpadded,
}
# MXNet's own has wrong gradients with groups, does not know volumes, and fails in f32 where its kernel is that of a
# convolution too, as in the derivative of one: oneDNN cannot add up the two gradients.
TABLE.rewrite(transpose_as_convolution)
TABLE.rewrite(max_window_padded)
