"""Runs of equal layers, `layer.0` to `layer.11`, as one loop."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nnspec.graph.graph import Call, Node, Value
from nnspec.graph.training import TrainStep

if TYPE_CHECKING:
    from codegen.python.forward import Forward


@dataclass(frozen=True)
class Segment:
    """One pass of a loop: its layer, its steps, the value it begins with, and the one it makes."""

    layer: str
    steps: tuple[Node | Call, ...]
    before: Value
    after: Value


def run_at(forward: Forward, steps: Sequence[TrainStep], index: int) -> tuple[Segment, ...]:
    """The passes of the loop that could begin at a step; empty where none does.

    All layers of the container take part, in order, each applied once to what the one before made.
    """
    container, _, first = (getattr(steps[index], "layer", None) or "").rpartition(".")
    if not container or first != "0":
        return ()
    names = [getattr(step, "layer", None) for step in steps]
    count = 0
    while f"{container}.{count}" in names:
        count += 1
    layers = [f"{container}.{k}" for k in range(count)]
    known = {getattr(s, "layer", None) for s in forward.steps}
    everywhere = [n for n in known if n and n.startswith(container + ".")]
    if count < 2 or sorted(everywhere) != sorted(layers):
        return ()
    times = Counter(names)
    if any(times[layer] != 1 for layer in layers):
        return ()
    length = names.index(layers[1]) - index
    pieces = [tuple(steps[index + k * length : index + (k + 1) * length]) for k in range(count)]
    if length < 1 or any(len(p) != length or _layer(p[0]) != n for p, n in zip(pieces, layers)):
        return ()
    return _chained(layers, pieces, forward)


def _layer(step: TrainStep) -> str | None:
    return step.layer if isinstance(step, (Node, Call)) else None


def _chained(
    layers: Sequence[str], pieces: Sequence[tuple[TrainStep, ...]], forward: Forward
) -> tuple[Segment, ...]:
    made = [
        {
            v: (i, j)
            for i, s in enumerate(p)
            if isinstance(s, (Node, Call))
            for j, v in enumerate(s.outputs)
        }
        for p in pieces
    ]
    readers = forward.readers
    place: tuple[int, int] | None = None
    for k, piece in enumerate(pieces[:-1]):
        leaving = [v for v in made[k] if any(r not in piece for r in readers.get(v, ()))]
        if len(leaving) != 1 or place not in (None, made[k][leaving[0]]):
            return ()
        if any(r not in piece and r not in pieces[k + 1] for r in readers[leaving[0]]):
            return ()
        place = made[k][leaving[0]]
    afters = [v for m in made for v, at in m.items() if at == place]
    if any(
        r not in pieces[-1] for v in made[-1] if v is not afters[-1] for r in readers.get(v, ())
    ):
        return ()
    before = _read_instead(pieces[0], pieces[1], afters[0])
    if before is None or len(afters) != len(pieces):
        return ()
    befores = [before, *afters[:-1]]
    return tuple(
        Segment(layer, tuple(s for s in piece if isinstance(s, (Node, Call))), b, a)
        for layer, piece, b, a in zip(layers, pieces, befores, afters, strict=True)
    )


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
