"""Recurrent layers: one of Keras's for each that is stacked, and what drops between them.

Keras's own `dropout` takes the same features of each step, and before the first layer.
"""

from __future__ import annotations

from codegen.python.dialect import Result
from codegen.python.native import Table, Use
from codegen.python.source import Assign, Expr, List, Literal, Name, Slice, Tuple
from nnspec.catalogue.ops.recurrent import GRU, LSTM, RNN, Recurrent
from nnspec.graph.graph import Node

CALLS = {LSTM: "layers.LSTM", GRU: "layers.GRU", RNN: "layers.SimpleRNN"}
"""A GRU's reset gate comes after the product with the state in Keras too."""

TABLE = Table()


@TABLE.maker
def stacked(op: LSTM | GRU | RNN, node: Node) -> Expr:
    """The layer, or a list of them."""
    call = CALLS[type(op)]
    each = [alone(call, op, last=i == op.layers - 1) for i in range(op.layers)]
    if op.layers == 1:
        return each[0]
    drop = Name("layers.Dropout")(Literal(op.dropout, "dropout"))
    return List(tuple(each if not op.dropout else [e for m in each for e in (drop, m)][1:]))


@TABLE.chain
def in_chain(op: LSTM | GRU | RNN, node: Node) -> Expr | None:
    return stacked(op, node) if op.layers == 1 and op.returns != "all" else None


def alone(call: str, op: Recurrent, *, last: bool) -> Expr:
    made = Name(call)(Literal(op.units, "units"))
    if isinstance(op, RNN) and op.activation != "tanh":
        made = made.with_keyword("activation", op.activation)
    if not last or op.returns != "last":
        made = made.with_keyword("return_sequences", True)
    if op.returns == "all":
        made = made.with_keyword("return_state", True)
    return Name("layers.Bidirectional")(made) if op.bidirectional else made


@TABLE.rule
def applied(op: LSTM | GRU | RNN, use: Use, x: Expr, *initial: Expr) -> Result:
    """One after the other; what they end with stands side by side."""
    layer = use.forward.layer(use.node)
    if op.layers == 1:
        result = begun(op, use, layer, x, initial)
        if op.returns != "all" or not op.bidirectional:
            return result
        return tuple(ends(op, use, result))
    held = [use.forward.name(state, "state") for state in initial]
    every = []
    for i in range(op.layers):
        given = tuple(state[Tuple((Slice(), Literal(i)))] for state in held)
        if op.dropout and i:
            x = layer[2 * i - 1](x)
        x = begun(op, use, layer[2 * i if op.dropout else i], x, given)
        if op.returns == "all":
            x, *states = ends(op, use, x)
            every.append(states)
    if not every:
        return x
    stacked = (Name("ops.stack")(list(each), axis=1) for each in zip(*every, strict=True))
    return x, *stacked


def begun(op: Recurrent, use: Use, layer: Expr, x: Expr, initial: tuple[Expr, ...]) -> Expr:
    """Applied, from given states; of two directions, all of the first, then all of the second."""
    if not initial:
        return layer(x)
    states = list(initial)
    if op.bidirectional:
        held = [use.forward.name(state, "state") for state in initial]
        halves = Slice(None, Literal(op.units)), Slice(Literal(op.units))
        states = [state[Tuple((Slice(), half))] for half in halves for state in held]
    return layer(x).with_keyword("initial_state", states)


def ends(op: Recurrent, use: Use, result: Expr) -> list[Expr]:
    """The sequence and the final states of one layer, those of both directions side by side."""
    forward = use.forward
    read = [forward.is_read(value) for value in use.node.outputs[1:]] * op.directions
    names = [f"{n}{back}" for back in ("", "_back")[: op.directions] for n in "hc"[: op.states]]
    states = [forward.fresh(n) if r else Name("_") for n, r in zip(names, read, strict=True)]
    sequence = forward.fresh("sequence")
    forward.emit(Assign(Tuple((sequence, *states)), result))
    if not op.bidirectional:
        return [sequence, *states]
    pairs = zip(states[: op.states], states[op.states :], strict=True)
    return [sequence, *(Name("ops.concatenate")(list(pair), axis=-1) for pair in pairs)]
