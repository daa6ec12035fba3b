"""Convolutions and their transposes."""

from __future__ import annotations

from dataclasses import replace

from codegen.keras.ops.dense import KERNEL
from codegen.keras.ops.padding import PADDING, said, surrounded
from codegen.python.native import Table
from codegen.rewrites import as_groups
from codegen.rules import SQUARE, Argument, Native, at, key, layer
from nnspec.catalogue.ops.convolution import CONVOLUTIONS, TRANSPOSED, Conv, ConvTranspose
from nnspec.catalogue.ops.depthwise import DepthwiseConv2D, SeparableConv2D
from nnspec.catalogue.ops.site import Term
from nnspec.catalogue.ops.windows import extent
from nnspec.core.dims import Dim
from nnspec.graph.graph import Node
from nnspec.graph.site import GraphSite


def thinned(op: Conv) -> bool:
    """Whether places are left out after the layer: Keras has no stride together with dilation."""
    return set(op.stride) != {1} and set(op.dilation) != {1}


def beyond(op: ConvTranspose) -> list[int]:
    """Cells by which kernels reach beyond the stride, along each axis."""
    along = zip(op.kernel, op.dilation, op.stride, strict=True)
    return [extent(k, d) - s for k, d, s in along]


def covers(node: Node) -> bool:
    """Whether the layer alone is all that the op does."""
    match node.op:
        case Conv() as op:
            return not thinned(op) and said(op) is not None
        case ConvTranspose() as op:
            # Keras's "valid" result ends with a whole stride.
            if op.groups > 1 or any(op.output_padding):
                return False
            return op.padding == "same" or (not any(map(any, op.cuts)) and min(beyond(op)) >= 0)
    return False


def record(
    op: type[Conv | ConvTranspose], call: str, *own: Argument, dilated: str | None = None
) -> Native:
    """OIHW kernels, of transposed ones IOHW, become HWIO and HWOI."""
    ones = (1,) * op.rank

    def name(node: Node) -> str:
        spread = getattr(node.op, "dilation", ones) != ones
        return dilated if dilated and spread else call

    return layer(
        op,
        name,
        at("filters"),
        at("kernel", form=SQUARE),
        key("strides", "stride", ones, SQUARE),
        *own,
        key("use_bias", "use_bias", True),
        weights=KERNEL,
        orders={"weight": (*range(2, op.rank + 2), 1, 0)},
        activation="activation",
        legal=covers,
    )


def conv(op: type[Conv]) -> Native:
    spread = key("dilation_rate", "dilation", (1,) * op.rank, SQUARE)
    return record(op, f"layers.{op.name}", PADDING, spread, key("groups", "groups", 1))


def transpose(op: type[ConvTranspose]) -> Native:
    """Keras's own cannot dilate and stride, nor dilate at all on every device: those are classes of the file."""
    name = f"Conv{op.rank}DTranspose"
    spread = key("dilation", "dilation", (1,) * op.rank)
    padding = key("padding", "padding", "valid")
    return record(op, f"layers.{name}", padding, spread, dilated=f"Dilated{name}")


def by_itself(op: DepthwiseConv2D | SeparableConv2D) -> bool:
    """Whether Keras has a layer for it: TensorFlow's steps alike along both axes, or spreads. Where a channel has several
    kernels, the weights would be in another form."""
    alike = len(set(op.stride)) == 1
    return op.depth_multiplier == 1 and alike and 1 in (max(op.stride), max(op.dilation))


def stands_alone(node: Node) -> bool:
    """Whether the layer alone is all that the op does."""
    op = node.op
    assert isinstance(op, (DepthwiseConv2D, SeparableConv2D))
    return by_itself(op) and said(op) is not None


def channelwise(
    op: type[DepthwiseConv2D | SeparableConv2D], *own: Argument, **weights: str
) -> Native:
    """Kernels lie as HWIO; those of channels have one output each."""
    orders = dict.fromkeys(weights, (2, 3, 1, 0))
    first = next(iter(weights))
    return layer(
        op,
        f"layers.{op.name}",
        *own,
        at("kernel", form=SQUARE),
        key("strides", "stride", (1, 1), SQUARE),
        PADDING,
        key("dilation_rate", "dilation", (1, 1), SQUARE),
        key("use_bias", "use_bias", True),
        weights={**weights, "bias": "bias"},
        orders={**orders, first: (2, 3, 0, 1)},
        activation="activation",
        legal=stands_alone,
    )


TABLE = Table()
TABLE.add(
    *map(conv, CONVOLUTIONS),
    *map(transpose, TRANSPOSED),
    channelwise(DepthwiseConv2D, weight="kernel"),
    channelwise(
        SeparableConv2D, at("filters"), depthwise="depthwise_kernel", pointwise="pointwise_kernel"
    ),
)


@TABLE.rewrite
def depthwise(to: GraphSite, op: DepthwiseConv2D, x: Term) -> Term:
    """Padded before; else as a convolution with a group for each channel."""
    return padded_before(to, op, x) or as_groups(to, op, x)


@TABLE.rewrite
def separable(to: GraphSite, op: SeparableConv2D, x: Term) -> Term | None:
    """Padded before; else what it expands to."""
    return padded_before(to, op, x)


def padded_before(to: GraphSite, op: DepthwiseConv2D | SeparableConv2D, x: Term) -> Term | None:
    if not by_itself(op):
        return None
    (y,) = to.again(op.bare, surrounded(to, x, op.surroundings(x.type)))
    return y


@TABLE.rewrite
def convolved(to: GraphSite, op: Conv, x: Term) -> Term:
    """Padded before, thinned out afterwards."""
    bare = replace(op, stride=(1,) * op.rank) if thinned(op) else op
    starts: tuple[Dim, ...] = (0,) * op.rank
    if said(bare) is None:
        x, bare = surrounded(to, x, op.surroundings(x.type)), replace(bare, padding="valid")
    elif thinned(op) and op.padding == "same":
        # Padded for every place, it has more before the first than it would have for those that are left.
        around = zip(bare.surroundings(x.type), op.surroundings(x.type), strict=True)
        starts = tuple(before - wanted for (before, _), (wanted, _) in around)
    (y,) = to.again(bare, x)
    if bare.stride == op.stride:
        return y
    whole = (None,) * x.rank
    return to.slice(y, starts=(None, *starts, None), ends=whole, steps=(1, *op.stride, 1))


@TABLE.rewrite
def whole(to: GraphSite, op: ConvTranspose, x: Term) -> Term | None:
    """Stands in the "same" result of the operand among as many zeros as kernels reach beyond it."""
    if op.groups > 1:
        return None
    over = beyond(op)
    cells = [max(-(-b // s), 0) for b, s in zip(over, op.stride, strict=True)]
    added = [n * s for n, s in zip(cells, op.stride, strict=True)]
    before = [a - max(b, 0) // 2 + cut for a, b, (cut, _) in zip(added, over, op.cuts, strict=True)]
    after = [
        a + max(b, 0) // 2 - b + cut for a, b, (_, cut) in zip(added, over, op.cuts, strict=True)
    ]
    more = [max(-(a // s), 0) for a, s in zip(after, op.stride, strict=True)]
    ends = [a + m * s for a, m, s in zip(after, more, op.stride, strict=True)]
    x = surrounded(to, x, tuple((n, n + m) for n, m in zip(cells, more, strict=True)))
    (y,) = to.again(replace(op, padding="same", output_padding=(0,) * op.rank), x)
    return to.slice(
        y,
        starts=(None, *(n or None for n in before), None),
        ends=(None, *(-n or None for n in ends), None),
        steps=(1,) * x.rank,
    )
