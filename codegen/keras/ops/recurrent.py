"""Recurrent layers: one of Keras's for each that is stacked."""

from __future__ import annotations

from functools import reduce

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
    each = tuple(alone(call, op, last=i == op.layers - 1) for i in range(op.layers))
    return each[0] if len(each) == 1 else List(each)


@TABLE.chain
def in_chain(op: LSTM | GRU | RNN, node: Node) -> Expr | None:
    return stacked(op, node) if op.layers == 1 and op.returns != "all" else None


def alone(call: str, op: Recurrent, *, last: bool) -> Expr:
    made = Name(call)(Literal(op.units, "units"))
    if isinstance(op, RNN) and op.activation != "tanh":
        made = made.with_keyword("activation", op.activation)
    if not last or op.returns != "last":
        made = made.with_keyword("return_sequences", True)
    if last and op.returns == "all":
        made = made.with_keyword("return_state", True)
    return Name("layers.Bidirectional")(made) if op.bidirectional else made


@TABLE.rule
def applied(op: LSTM | GRU | RNN, use: Use, x: Expr, *initial: Expr) -> Result:
    """One after the other; what both directions end with stands side by side."""
    layer = use.forward.layer(use.node)
    stack = [layer] if op.layers == 1 else [layer[i] for i in range(op.layers)]
    result = begun(op, use, x, initial) if initial else reduce(lambda x, each: each(x), stack, x)
    if op.returns != "all" or not op.bidirectional:
        return result
    ends = ("h", "c")[: op.states]
    names = ("sequence", *ends, *(f"{n}_back" for n in ends))
    sequence, *states = map(use.forward.fresh, names)
    use.forward.emit(Assign(Tuple((sequence, *states)), result))
    pairs = zip(states[: op.states], states[op.states :], strict=True)
    return sequence, *(Name("ops.concatenate")(list(pair), axis=-1) for pair in pairs)


def begun(op: Recurrent, use: Use, x: Expr, initial: tuple[Expr, ...]) -> Expr:
    """From given states; of two directions, all of the first, then all of the second."""
    states = list(initial)
    if op.bidirectional:
        held = [use.forward.name(state, "state") for state in initial]
        halves = Slice(None, Literal(op.units)), Slice(Literal(op.units))
        states = [state[Tuple((Slice(), half))] for half in halves for state in held]
    return use.forward.layer(use.node)(x).with_keyword("initial_state", states)
