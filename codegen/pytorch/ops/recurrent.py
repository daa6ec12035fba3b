"""Recurrent layers; what `returns` asks for is picked from all that PyTorch gives."""

from __future__ import annotations

from codegen.python.dialect import Result
from codegen.python.native import Table, Use
from codegen.python.source import Assign, Expr, Name, Tuple
from codegen.pytorch.ops.dense import width
from codegen.rules import at, key, layer
from nnspec.catalogue.ops.recurrent import GRU, LSTM, RNN, Recurrent

TABLE = Table()
TABLE.add(
    *(
        layer(
            op,
            op.name,
            at(width, "in_features"),
            at("units"),
            key("num_layers", "layers", 1),
            key("dropout", "dropout", 0.0),
            key("batch_first", lambda node: True),
            key("bidirectional", "bidirectional", False),
            *((key("nonlinearity", "activation", "tanh"),) if op is RNN else ()),
        )
        for op in (LSTM, GRU, RNN)
    )
)


@TABLE.rule
def recurrent(op: Recurrent, use: Use, x: Expr, *initial: Expr) -> Result:
    """PyTorch gives the sequence, and the final states of every layer and direction."""
    forward = use.forward
    wanted = {"sequence": (0,), "last": (1,), "all": range(1 + op.states)}[op.returns]
    if op.returns == "all":
        wanted = [i for i in wanted if forward.is_read(use.node.outputs[i])]
    names = ("sequence", "state", "cell")[: 1 + op.states]
    taken = [forward.fresh(n) if i in wanted else Name("_") for i, n in enumerate(names)]
    sequence, *states = taken
    held = states[0] if op.states == 1 else Tuple(tuple(states))
    if wanted == [0] or op.returns == "sequence":
        held = Name("_")
    begin = tuple(begun(s, op) for s in initial)
    given = begin if len(begin) < 2 else (Tuple(begin),)
    forward.emit(Assign(Tuple((sequence, held)), forward.layer(use.node)(x, *given)))
    if op.returns == "all":
        return sequence, *(final(s, op) for s in states)
    return sequence if op.returns == "sequence" else last(states[0], op)


def begun(state: Expr, op: Recurrent) -> Expr:
    """With an axis of layers and directions in front."""
    if op.layers == 1 and not op.bidirectional:
        return state.attr("unsqueeze")(0)
    if op.bidirectional:
        state = state.attr("unflatten")(-1, (2, op.units))
    if op.bidirectional and op.layers > 1:
        state = state.attr("flatten")(1, 2)
    return state.attr("transpose")(0, 1).attr("contiguous")()


def final(state: Expr, op: Recurrent) -> Expr:
    """Of every layer; of both directions, side by side."""
    if op.layers == 1:
        return last(state, op)
    moved = state.attr("transpose")(0, 1)
    if not op.bidirectional:
        return moved
    return moved.attr("unflatten")(1, (op.layers, 2)).attr("flatten")(2)


def last(state: Expr, op: Recurrent) -> Expr:
    """Of the last layer."""
    if op.bidirectional:
        return Name("torch.cat")([state[-2], state[-1]], dim=1)
    return state[-1]
