"""Padding as MXNet takes it: symmetric inside an op, everything else by an explicit `pad`."""

from __future__ import annotations

from codegen.python.dialect import UnsupportedOp
from codegen.python.source import Expr, Name
from nnspec.catalogue.ops.windows import extent, same_padding
from nnspec.core.dims import Dim
from nnspec.graph.graph import Node

Pads = tuple[tuple[int, int], ...]


def pads(
    node: Node,
    sizes: tuple[Dim, ...],
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
    padding: str | Pads,
) -> Pads:
    """What is added before and after each axis."""
    if padding == "valid":
        return ((0, 0),) * len(sizes)
    if not isinstance(padding, str):
        return padding
    found: list[tuple[int, int]] = []
    for size, k, s, d in zip(sizes, kernel, stride, dilation):
        if isinstance(size, int):
            found.append(same_padding(size, k, s, d))
        elif s == 1:
            # With stride 1 the padding does not depend on the size.
            found.append(same_padding(extent(k, d), k, 1, d))
        else:
            raise UnsupportedOp(
                node, "Gluon", f'"same" with a stride depends on the size {size}, not known before'
            )
    return tuple(found)


def symmetric(padding: Pads) -> bool:
    return all(before == after for before, after in padding)


def padded(prefix: str, x: Expr, padding: Pads, value: Expr | float) -> Expr:
    """`x` (N, C, H, W) with a border of a value."""
    width = (0, 0, 0, 0, *(cells for pair in padding for cells in pair))
    return Name(f"{prefix}.pad")(x, mode="constant", pad_width=width, constant_value=value)


def compact(sizes: tuple[int, ...]) -> int | tuple[int, ...]:
    """One number where all are the same."""
    return sizes[0] if len(set(sizes)) == 1 else sizes
