"""Recurrent layers, which ONNX has with both directions in one operator and one operator a layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from codegen.onnx.lowering import Result
from codegen.onnx.native import Table, Use
from nnspec.catalogue.ops.recurrent import GRU, LSTM, RNN, Recurrent
from nnspec.graph.weight_map import Gates, Transform, ZeroPad

TABLE = Table()


@dataclass(frozen=True)
class Cell:
    """A recurrent operator.

    gates: the language's, in the order of the operator. settings: attributes.
    """

    name: str
    gates: tuple[int, ...]
    settings: dict[str, Any] = field(default_factory=dict)


@TABLE.rule
def lstm(op: LSTM, use: Use, x: str, *initial: str) -> Result:
    """Gates i f g o in the order i o f c."""
    return stacked(Cell("LSTM", (0, 3, 1, 2)), op, use, x, *initial)


@TABLE.rule
def gru(op: GRU, use: Use, x: str, *initial: str) -> Result:
    """Gates r z n in the order z r h; the reset gate after the product with the state."""
    return stacked(Cell("GRU", (1, 0, 2), {"linear_before_reset": 1}), op, use, x, *initial)


@TABLE.rule
def rnn(op: RNN, use: Use, x: str, *initial: str) -> Result:
    own = {} if op.activation == "tanh" else {"activations": ("Relu",) * op.directions}
    return stacked(Cell("RNN", (0,), own), op, use, x, *initial)


def stacked(cell: Cell, op: Recurrent, use: Use, x: str, *initial: str) -> Result:
    """Layer after layer; the operator reads [T, N, C]."""
    to = use.to
    begin = [begun(op, use, state) for state in initial]
    ends: list[list[str]] = []
    x = to.op("Transpose", x, perm=(1, 0, 2))
    for layer in range(op.layers):
        y, *states = one_layer(cell, op, use, layer, x, *(state[layer] for state in begin))
        ends.append(states)
        if op.directions == 1:
            x = to.op("Squeeze", y, to.shape([1], "axes"))
        else:  # [T, 2, N, H] to [T, N, 2 * H]
            moved = to.op("Transpose", y, perm=(0, 2, 1, 3))
            x = to.op("Reshape", moved, to.shape([0, 0, -1]))
    match op.returns:
        case "sequence":
            return to.op("Transpose", x, perm=(1, 0, 2))
        case "last":
            return final(op, use, [states[0]])
    sequence = to.op("Transpose", x, perm=(1, 0, 2))
    return sequence, *(final(op, use, each) for each in zip(*ends, strict=True))


def one_layer(
    cell: Cell, op: Recurrent, use: Use, layer: int, x: str, *initial: str
) -> tuple[str, ...]:
    """The sequence [T, directions, N, units], then the final states [directions, N, units]."""
    names = [f"l{layer}{suffix}" for suffix in ("", "_reverse")[: op.directions]]
    rows, sides = op.gates * op.units, op.directions
    gates = Gates(0, cell.gates)
    # The operator has a bias of the input and one of the state: where the language has one, the second is zero.
    bias: tuple[Transform, ...] = (gates,) if len(op.biases) > 1 else (gates, ZeroPad(0, rows))

    def joined(name: str, roles: Sequence[str], last: int, *transforms: Transform) -> str:
        parts = [(use.weights[f"{r}_{n}"], transforms) for n in names for r in roles]
        shape = (sides, last) if name == "bias" else (sides, rows, last)
        return use.to.weights(f"{name}_l{layer}", parts, shape)

    width = int(str(use.weights[f"weight_ih_{names[0]}"].type.shape[1]))
    operands = (
        joined("weight_ih", ["weight_ih"], width, gates),
        joined("weight_hh", ["weight_hh"], op.units, gates),
        joined("bias", op.biases, 2 * rows, *bias),
    )
    begin = ("", *initial) if initial else ()
    settings = {"hidden_size": op.units, **cell.settings}
    if op.bidirectional:
        settings["direction"] = "bidirectional"
    return use.to.results(1 + op.states, cell.name, x, *operands, *begin, **settings)


def begun(op: Recurrent, use: Use, state: str) -> tuple[str, ...]:
    """[N, directions * units], or [N, layers, directions * units], to [directions, N, units] for each layer."""
    to = use.to
    if op.directions == op.layers == 1:
        return (to.op("Unsqueeze", state, to.shape([0], "axes")),)
    if op.bidirectional:
        state = to.op("Reshape", state, to.shape([0, op.layers * 2, op.units]))
    first = to.op("Transpose", state, perm=(1, 0, 2))
    if op.layers == 1:
        return (first,)
    sizes = to.shape([op.directions] * op.layers, "split")
    return to.results(op.layers, "Split", first, sizes, axis=0)


def final(op: Recurrent, use: Use, states: Sequence[str]) -> str:
    """[directions, N, units] for each layer that is asked for, side by side in [N, ..., directions * units]."""
    to = use.to
    if len(states) == op.directions == 1:
        return to.op("Squeeze", states[0], to.shape([0], "axes"))
    joined = states[0] if len(states) == 1 else to.op("Concat", *states, axis=0)
    moved = to.op("Transpose", joined, perm=(1, 0, 2))
    if not op.bidirectional:
        return moved
    return to.op("Reshape", moved, to.shape([0, -1] if len(states) == 1 else [0, len(states), -1]))
