"""Padding as MXNet's layers take it: symmetric; all else is an explicit `pad`."""

from __future__ import annotations

from codegen.python.dialect import UnsupportedOp
from nnspec.catalogue.ops.image import Windowed
from nnspec.catalogue.ops.pooling import Pool
from nnspec.catalogue.ops.site import Term
from nnspec.catalogue.ops.windows import Pads
from nnspec.core.types import TensorType
from nnspec.graph.graph import Node
from nnspec.graph.site import GraphSite


def symmetric(padding: Pads) -> bool:
    return all(before == after for before, after in padding)


def told(op: Windowed) -> Pads:
    """What the writer adds on each side."""
    around = op.window.padding
    return ((0, 0),) * op.rank if isinstance(around, str) else around


def last_is_open(node: Node) -> bool:
    """Whether a last window may reach beyond the end, which depends on a size that is not known before."""
    op = node.op
    assert isinstance(op, Windowed)
    return op.ceil_mode and op.window.padding != "same" and op.around(node.inputs[0].type) is None


def own(node: Node) -> tuple[int, ...] | None:
    """The padding that the layer can do itself; a pooling does not pad by a whole window."""
    op = node.op
    assert isinstance(op, Windowed)
    around = told(op) if last_is_open(node) else op.around(node.inputs[0].type)
    if around is None or not symmetric(around):
        return None
    before = tuple(cells for cells, _ in around)
    if isinstance(op, Pool) and any(p >= k for p, k in zip(before, op.size, strict=True)):
        return None
    return before


def known(to: GraphSite, op: Windowed, x: TensorType) -> Pads:
    """What a layer adds on each side, as numbers."""
    around = op.around(x)
    if around is None:
        assert to.origin is not None
        size = next(d for d in op.space(x) if not isinstance(d, int))
        said = "a last window" if op.ceil_mode else '"same" with a stride'
        reason = f"{said} depends on the size {size}, not known before"
        raise UnsupportedOp(to.origin, "Gluon", reason)
    return around


def padded(to: GraphSite, op: Windowed, x: Term, value: float = 0.0) -> Term:
    """The operand with what the layer would add around its space (the language's order of axes)."""
    return to.pad(x, ((0, 0), *known(to, op, x.type), (0, 0)), value)
