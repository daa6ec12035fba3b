"""Sizes that are known only at run time: a training step reads them, a Symbol has none."""

from __future__ import annotations

from codegen.python.dialect import UnsupportedOp
from codegen.python.native import Use
from codegen.python.source import Attribute, Expr, Item, Literal, Name, Operator, Unary
from nnspec.core.dims import Dim
from nnspec.graph.graph import Node


def is_ruler(size: Expr) -> bool:
    """Whether a size is one that stands in a tensor as such, rather than arithmetic on sizes."""
    return not isinstance(size, (Operator, Unary, Item, Attribute, Literal))


def has_axes(node: Node) -> bool:
    """MXNet has no arrays without axes: what the language calls a scalar has one axis of size 1."""
    return node.inputs[0].type.rank > 0


def has_shapes(use: Use) -> bool:
    """Whether a tensor tells its sizes here."""
    return not is_ruler(use.forward.dialect.size(Name("x"), 0))


def zeros(use: Use, shape: tuple[Dim, ...]) -> Expr:
    """Zeros of a shape that partly is known only at run time (see `ruler` in `snippets/sizes.py`)."""
    total: Expr | None = None
    for axis, size in enumerate(shape):
        if isinstance(size, int):
            continue
        line = use.forward.size(size)
        if not is_ruler(line):
            raise UnsupportedOp(use.node, "Gluon", f"a Symbol cannot tell the size {size}")
        along = tuple(-1 if i == axis else 1 for i in range(len(shape)))
        line = line if len(shape) == 1 else Name("F.reshape")(line, shape=along)
        total = line if total is None else Name("F.broadcast_add")(total, line)
    assert total is not None
    fixed = {i: d for i, d in enumerate(shape) if isinstance(d, int) and d != 1}
    if fixed:
        total = Name("F.broadcast_axis")(total, axis=tuple(fixed), size=tuple(fixed.values()))
    return total
