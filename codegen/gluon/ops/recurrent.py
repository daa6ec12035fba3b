"""Recurrent layers: blocks of one layer each, stacked by hand.

MXNet's own stack of layers computes wrong gradients in f64, and in f32 without oneDNN.
"""

from __future__ import annotations

from codegen.gluon.layer import Layers
from codegen.python.dialect import Result
from codegen.python.native import Use
from codegen.python.source import Expr, Literal, Name
from nnspec.catalogue.ops.helpers import need_number
from nnspec.catalogue.ops.recurrent import LSTM, RNN, Recurrent
from nnspec.graph.graph import Node

TABLE = Layers()


@TABLE.maker
def recurrent(op: Recurrent, node: Node) -> Expr:
    width = need_number(node.inputs[0].type.shape[-1], "the last axis")
    cells = []
    for layer in range(op.layers):
        if op.dropout and layer:
            cells.append(Name("nn.Dropout")(Literal(op.dropout, "dropout")))
        cell = Name(op.name)(Literal(op.units, "units"), Literal(width, "input_size"))
        if isinstance(op, RNN) and op.activation != "tanh":
            cell = cell.with_keyword("activation", op.activation)
        cells.append(cell.with_keyword("bidirectional", True) if op.bidirectional else cell)
        width = op.units * op.directions
    return cells[0] if op.layers == 1 else Name("stack")(*cells)


@TABLE.rule
def apply_recurrent(op: Recurrent, use: Use, x: Expr, *initial: Expr) -> Result:
    layer = use.forward.layer(use.node)
    sides = [2] if op.bidirectional else []
    if op.layers > 1 and (initial or op.returns == "all"):
        begin: Expr | list[Expr] = list(initial)
        if not initial:
            width = op.units * op.directions
            begin = Name("zero_states")(Name("F"), x, op.states, op.layers, width)
        every = Name("through_layers")(Name("F"), layer, x, begin, op.units, *sides)
        if op.returns == "all":
            return every
        return every[0] if op.returns == "sequence" else last(op, every[0])
    if initial:
        every = Name("from_states")(Name("F"), layer, x, list(initial), op.units, *sides)
        return {"sequence": every[0], "last": every[1], "all": every}[op.returns]
    match op.returns:
        case "sequence":
            return layer(x)
        case "last":
            return last(op, layer(x))
    if not isinstance(op, LSTM):
        y = use.forward.name(layer(x), "sequence")
        return y, last(op, y)
    return Name("with_states")(Name("F"), layer, x, op.units, *sides)


def last(op: Recurrent, sequence: Expr) -> Expr:
    """The final state."""
    if op.bidirectional:
        return Name("final_state")(Name("F"), sequence, op.units)
    # Not F.SequenceLast: its gradient writes beyond its array.
    return Name("F.flatten")(Name("F.slice_axis")(sequence, axis=1, begin=-1, end=None))
