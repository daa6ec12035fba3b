"""`x[:, 1:-1, 0]`: slices where the framework indexes as NumPy does."""

from __future__ import annotations

from codegen.python.dialect import Result
from codegen.python.forward import Forward
from codegen.python.source import ELLIPSIS, Expr, Slice, Tuple, lift
from nnspec.catalogue.ops.shaping import Slice as Part
from nnspec.graph.graph import Node


def part(node: Node, operands: tuple[Expr, ...], forward: Forward) -> Result:
    """The subscript, without the whole slices at its end."""
    op = node.op
    assert isinstance(op, Part)
    indices: list[Expr] = []
    for axis, (start, end, step) in enumerate(zip(op.starts, op.ends, op.steps, strict=True)):
        if axis in op.squeeze:
            indices.append(forward.size(start or 0))
        else:
            first, last = (None if b is None else forward.size(b) for b in (start or None, end))
            indices.append(Slice(first, last, None if step == 1 else lift(step)))
    while indices and indices[-1] == Slice():
        indices.pop()
    if not indices:
        return operands[0]
    whole = next(i for i, index in enumerate(indices) if index != Slice())
    if whole > 1 and len(indices) == len(op.starts):
        indices[:whole] = [ELLIPSIS]
    return operands[0][indices[0] if len(indices) == 1 else Tuple(tuple(indices))]
