"""Padding as MXNet takes it: symmetric inside an op, everything else by an explicit `pad`."""

from __future__ import annotations

from codegen.python.dialect import UnsupportedOp
from codegen.python.source import Expr, Name
from nnspec.catalogue.ops.image import Windowed
from nnspec.catalogue.ops.windows import Pads
from nnspec.graph.graph import Node


def pads(node: Node) -> Pads:
    """What is added before and after each axis of space."""
    op, x = node.op, node.inputs[0].type
    assert isinstance(op, Windowed)
    around = op.around(x)
    if around is None:
        size = next(d for d in op.space(x) if not isinstance(d, int))
        raise UnsupportedOp(
            node, "Gluon", f'"same" with a stride depends on the size {size}, not known before'
        )
    return around


def symmetric(padding: Pads) -> bool:
    return all(before == after for before, after in padding)


def padded(prefix: str, x: Expr, padding: Pads, value: Expr | float) -> Expr:
    """`x` (N, C, then axes of space) with a border of a value."""
    # MXNet pads images and volumes only: a sequence becomes an image of width 1.
    around = padding if len(padding) > 1 else (*padding, (0, 0))
    width = (0, 0, 0, 0, *(cells for pair in around for cells in pair))
    if len(padding) == 1:
        x = Name(f"{prefix}.expand_dims")(x, axis=3)
    x = Name(f"{prefix}.pad")(x, mode="constant", pad_width=width, constant_value=value)
    return x if len(padding) > 1 else Name(f"{prefix}.squeeze")(x, axis=3)


def compact(sizes: tuple[int, ...]) -> int | tuple[int, ...]:
    """One number where all are the same."""
    return sizes[0] if len(set(sizes)) == 1 else sizes
