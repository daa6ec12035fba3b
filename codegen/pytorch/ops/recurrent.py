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
    results = [sequence, *(final(s, bidirectional=op.bidirectional) for s in states)]
    return tuple(results) if op.returns == "all" else results[wanted[0]]


def begun(state: Expr, op: Recurrent) -> Expr:
    """With an axis of directions in front."""
    if not op.bidirectional:
        return state.attr("unsqueeze")(0)
    apart = state.attr("unflatten")(1, (2, op.units))
    return apart.attr("transpose")(0, 1).attr("contiguous")()


def final(state: Expr, *, bidirectional: bool) -> Expr:
    """The last layer's state; of both directions, side by side."""
    if bidirectional:
        return Name("torch.cat")([state[-2], state[-1]], dim=1)
    return state[-1]
