"""Cells around space: Keras has words for "same" and "valid", and a layer for what is neither."""

from __future__ import annotations

from codegen.python.dialect import Result
from codegen.python.native import Table, Use
from codegen.python.source import Expr, Literal, Name, Tuple
from codegen.rewrites import edges_joined
from codegen.rules import key
from nnspec.catalogue.ops.arranging import Pad
from nnspec.catalogue.ops.image import Windowed
from nnspec.catalogue.ops.site import Term
from nnspec.catalogue.ops.windows import extent, same_padding
from nnspec.core.dims import Dim
from nnspec.graph.graph import Node
from nnspec.graph.site import GraphSite


def said(op: Windowed) -> str | None:
    """The word for the padding, if Keras has one."""
    cells, steps, spread, padding = op.window
    if op.ceil_mode and padding != "same":
        return None
    if isinstance(padding, str):
        return padding
    if not any(map(any, padding)):
        return "valid"
    # Only with a stride of 1 is "same" the same for every size.
    alike = (same_padding(extent(k, d), k, 1, d) for k, d in zip(cells, spread, strict=True))
    return "same" if set(steps) == {1} and padding == tuple(alike) else None


def word(node: Node) -> str | None:
    return said(node.op) if isinstance(node.op, Windowed) else None


PADDING = key("padding", word, "valid")


TABLE = Table()


@TABLE.maker
def zero_padding(op: Pad, node: Node) -> Expr:
    """Told `3` for three cells everywhere, else a pair for each axis, which for one axis stands alone."""
    around, rank = op.pads[1:-1], len(op.pads) - 2
    told: object = around if rank > 1 else around[0]
    cells, *others = {cells for pair in around for cells in pair}
    if isinstance(cells, int) and not others:
        told = Literal(cells, "padding")
    return Name(f"layers.ZeroPadding{rank}D")(told)


def is_layer(op: Pad) -> bool:
    """Whether it puts so many zeros around space, and nowhere else."""
    known = all(isinstance(n, int) for pair in op.pads for n in pair)
    edges = (op.pads[0], op.pads[-1]) if op.pads else ()
    zeros = op.value == 0 and op.mode == "constant"
    return known and zeros and 3 <= len(op.pads) <= 5 and edges == ((0, 0), (0, 0))


@TABLE.chain
def pad_in_chain(op: Pad, node: Node) -> Expr | None:
    return zero_padding(op, node) if is_layer(op) else None


@TABLE.rule
def pad(op: Pad, use: Use, x: Expr) -> Result:
    if use.node.layer is not None:
        return use.forward.layer(use.node)(x)
    pairs = tuple(Tuple(tuple(map(use.forward.size, pair))) for pair in op.pads)
    padded = Name("ops.pad")(x, Tuple(pairs))
    if op.mode != "constant":
        return padded.with_keyword("mode", op.mode)
    if op.value == 0:
        return padded
    if op.value == float("-inf"):
        return padded.with_keyword("constant_values", Name("float")("-inf"))
    x_type = use.types[0]
    value = (
        op.value if x_type.is_float else op.value == 1 if x_type.dtype == "bool" else int(op.value)
    )
    return padded.with_keyword("constant_values", value)


def copies_no_edge(node: Node) -> bool:
    """TensorFlow reflects, but does not repeat an edge."""
    return isinstance(node.op, Pad) and node.op.mode != "edge"


TABLE.legal[Pad] = copies_no_edge
TABLE.rewrites[Pad] = edges_joined


def surrounded(
    to: GraphSite, x: Term, pads: tuple[tuple[Dim, Dim], ...], value: float = 0.0
) -> Term:
    """Cells around space, for the layer in whose place the steps stand."""
    if not any(before != 0 or after != 0 for before, after in pads):
        return x
    op = Pad(((0, 0), *pads, (0, 0)), value)
    (y,) = to.beside("padding", op, x) if is_layer(op) else to.apply(op, x)
    return y
