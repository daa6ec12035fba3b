"""Recurrent layers."""

from __future__ import annotations

from codegen.gluon.layer import Layers
from codegen.python.dialect import Result
from codegen.python.native import Use
from codegen.python.source import Expr, Literal, Name
from nnspec.catalogue.ops.recurrent import LSTM
from nnspec.graph.graph import Node

TABLE = Layers()


@TABLE.maker
def lstm(op: LSTM, node: Node) -> Expr:
    """MXNet's own stack of layers computes wrong gradients in f64, and in f32 without oneDNN."""
    width, cells = node.inputs[0].type.shape[-1], []
    for _ in range(op.layers):
        cell = Name("LSTM")(Literal(op.units, "units"), Literal(_number(width), "input_size"))
        cells.append(cell.with_keyword("bidirectional", True) if op.bidirectional else cell)
        width = op.units * op.directions
    return cells[0] if op.layers == 1 else Name("stack")(*cells)


def _number(size: object) -> int:
    assert isinstance(size, int)
    return size


@TABLE.rule
def apply_lstm(op: LSTM, use: Use, x: Expr) -> Result:
    layer = use.forward.layer(use.node)
    match op.returns:
        case "sequence":
            return layer(x)
        case "last" if not op.bidirectional:
            # Not F.SequenceLast: its gradient writes beyond its array.
            return Name("F.flatten")(Name("F.slice_axis")(layer(x), axis=1, begin=-1, end=None))
        case "last":
            return Name("final_state")(Name("F"), layer(x), op.units)
    for i in range(op.layers - 1):
        x = layer[i](x)
    last = layer if op.layers == 1 else layer[op.layers - 1]
    return Name("with_states")(Name("F"), last, x, op.units, *([2] if op.bidirectional else []))
