"""Recurrent layers; what `returns` asks for is picked from all that PyTorch gives."""

from __future__ import annotations

from codegen.python.dialect import Result
from codegen.python.native import Table, Use
from codegen.python.source import Assign, Expr, Name, Tuple
from codegen.pytorch.ops.dense import width
from codegen.rules import at, key, layer
from nnspec.catalogue.ops.recurrent import LSTM

TABLE = Table()
TABLE.add(
    layer(
        LSTM,
        "LSTM",
        at(width, "in_features"),
        at("units"),
        key("num_layers", "layers", 1),
        key("batch_first", lambda node: True),
        key("bidirectional", "bidirectional", False),
    )
)


@TABLE.rule
def lstm(op: LSTM, use: Use, x: Expr) -> Result:
    forward, dropped = use.forward, Name("_")
    applied = forward.layer(use.node)(x)
    if op.returns == "sequence":
        sequence = forward.fresh("sequence")
        forward.emit(Assign(Tuple((sequence, dropped)), applied))
        return sequence
    if op.returns == "last":
        state = forward.fresh("state")
        forward.emit(Assign(Tuple((dropped, Tuple((state, dropped)))), applied))
        return final(state, bidirectional=op.bidirectional)
    sequence, state, cell = (forward.fresh(name) for name in ("sequence", "state", "cell"))
    forward.emit(Assign(Tuple((sequence, Tuple((state, cell)))), applied))
    both = op.bidirectional
    return sequence, final(state, bidirectional=both), final(cell, bidirectional=both)


def final(state: Expr, *, bidirectional: bool) -> Expr:
    """The last layer's state; of both directions, side by side."""
    if bidirectional:
        return Name("torch.cat")([state[-2], state[-1]], dim=1)
    return state[-1]
