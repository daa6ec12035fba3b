"""Runs of layers that are applied alike, `layer.0` to `layer.11`, as one loop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from codegen.python.nesting import operands
from nnspec.graph.graph import Call, Node, Value
from nnspec.graph.training import TrainStep

if TYPE_CHECKING:
    from codegen.python.forward import Forward

Readers = Mapping[Value, Sequence[object]]


def readers_of(
    steps: Sequence[TrainStep], results: Sequence[Value], outside: object
) -> dict[Value, list[object]]:
    """Who reads each value: steps, and for results what stands outside."""
    readers: dict[Value, list[object]] = {}
    for step in steps:
        for value in operands(step):
            readers.setdefault(value, []).append(step)
    for value in results:
        readers.setdefault(value, []).append(outside)
    return readers


@dataclass(frozen=True)
class Segment:
    """One pass of a loop: its layer, its steps, the values it begins with, and those it hands on."""

    layer: str
    steps: tuple[Node | Call, ...]
    before: tuple[Value, ...]
    after: tuple[Value, ...]


def run_at(forward: Forward, steps: Sequence[TrainStep], index: int) -> tuple[Segment, ...]:
    """The passes of the loop that could begin at a step; empty where none does.

    All layers of the container take part, in order, each applied once to what the one before made; the first
    may stand by itself, where what is carried begins with what it makes.
    """
    container, _, number = (getattr(steps[index], "layer", None) or "").rpartition(".")
    if not container or number not in ("0", "1"):
        return ()
    first, count = int(number), forward.held[container]
    layers = [f"{container}.{k}" for k in range(count)]
    if count - first < 2 or any(forward.applied[layer] != 1 for layer in layers):
        return ()
    return chained(pieces(steps, index, layers[first:]), layers[first:], forward.readers)


def pieces(
    steps: Sequence[TrainStep], index: int, layers: Sequence[str]
) -> list[tuple[TrainStep, ...]]:
    """The steps of each layer, equally many, from that of the first; empty where they do not follow each other so."""
    following = range(index + 1, len(steps))
    second = next((i for i in following if _layer(steps[i]) == layers[1]), index)
    length = second - index
    found = [tuple(steps[index + k * length :][:length]) for k in range(len(layers))]
    fits = length and all(len(p) == length for p in found)
    return found if fits and all(_layer(p[0]) == n for p, n in zip(found, layers)) else []


def _layer(step: TrainStep) -> str | None:
    return step.layer if isinstance(step, (Node, Call)) else None


def chained(
    pieces: Sequence[tuple[TrainStep, ...]], layers: Sequence[str], readers: Readers
) -> tuple[Segment, ...]:
    """The passes, where each hands on what only the next one reads; the last, what is read afterwards."""
    if not pieces:
        return ()
    made = [_made(piece) for piece in pieces]
    carried: list[tuple[int, int]] = []
    for k, piece in enumerate(pieces[:-1]):
        leaving = {v: at for v, at in made[k].items() if _read_outside(v, piece, readers)}
        allowed = {*piece, *pieces[k + 1]}
        if any(r not in allowed for v in leaving for r in readers[v]):
            return ()
        if not leaving or k and set(leaving.values()) != set(carried):
            return ()
        carried = carried or list(leaving.values())
    afters = [tuple(v for at in carried for v, place in m.items() if place == at) for m in made]
    last = [v for v in made[-1] if _read_outside(v, pieces[-1], readers)]
    if not last or any(v not in afters[-1] for v in last):
        return ()
    begins = [_read_instead(pieces[0], pieces[1], value) for value in afters[0]]
    first = tuple(v for v in begins if v is not None)
    if len(first) != len(carried) or len({*first}) != len(first):
        return ()
    segments = tuple(
        Segment(layer, tuple(s for s in piece if isinstance(s, (Node, Call))), before, after)
        for layer, piece, before, after in zip(layers, pieces, [first, *afters[:-1]], afters)
    )
    return () if any(map(_overwrites, segments)) else segments


def _made(piece: Sequence[TrainStep]) -> dict[Value, tuple[int, int]]:
    """Values with their place among the steps."""
    applied = [(i, s) for i, s in enumerate(piece) if isinstance(s, (Node, Call))]
    return {v: (i, j) for i, s in applied for j, v in enumerate(s.outputs)}


def _read_outside(value: Value, piece: Sequence[TrainStep], readers: Readers) -> bool:
    return any(r not in piece for r in readers.get(value, ()))


def _overwrites(segment: Segment) -> bool:
    """Whether a value is handed on, in the variable of the one before it, while that is still to be read."""
    if len(segment.after) < 2:
        return False
    for before, after in zip(segment.before, segment.after, strict=True):
        at = next(i for i, s in enumerate(segment.steps) if after in s.outputs)
        if any(before in s.inputs for s in segment.steps[at + 1 :]):
            return True
    return False


def _read_instead(
    first: tuple[TrainStep, ...], second: tuple[TrainStep, ...], value: Value
) -> Value | None:
    """What the first pass reads where the second reads `value`."""
    for one, two in zip(first, second, strict=True):
        if not isinstance(one, (Node, Call)) or not isinstance(two, (Node, Call)):
            return None
        if len(one.inputs) != len(two.inputs):
            return None
        for mine, other in zip(one.inputs, two.inputs, strict=True):
            if other is value:
                return mine
    return None
