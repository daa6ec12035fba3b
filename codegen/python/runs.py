"""Layers that one place of the spec makes over and over, as a container that a loop goes through."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from codegen.python.loops import Readers, Segment, chained, pieces, readers_of
from nnspec.core.names import snake_case
from nnspec.graph.graph import Call, Graph, Node, Step, Value


def gathered(graph: Graph) -> tuple[Graph, dict[str, str]]:
    """The graph with names for such layers as those of a container have, and what each is called now.

    A `for` gives each layer a name (`gated`, `gated_2`); where its passes will be a loop, these
    become `gated.0`, `gated.1`.
    """
    if graph.kind not in ("model", "block"):
        return graph, {}
    renamed: dict[str, str] = {}
    found = list(_runs(graph.steps))
    alone = {made for made, run in found if len(run) == 1}
    # Two that meet by chance, of layers that stand alone elsewhere, are no run.
    runs = [run for made, run in found if len(run) > (2 if made in alone else 1)]
    if not runs:
        return graph, {}
    readers = readers_of(graph.steps, graph.outputs, graph)
    for run in runs:
        layers = [graph.steps[i].layer or "" for i in run]
        if _loops(graph.steps, run, layers, readers):
            renamed |= {layer: f"{layers[0]}.{k}" for k, layer in enumerate(layers)}
    if not renamed:
        return graph, {}
    steps = tuple(
        replace(s, layer=renamed[s.layer]) if s.layer in renamed else s for s in graph.steps
    )
    return replace(graph, steps=steps), renamed


def _runs(steps: Sequence[Step]) -> Iterator[tuple[object, list[int]]]:
    """Places of the spec that make layers, each with the steps that apply what it made, one after the other."""
    applied = Counter(s.layer for s in steps if s.layer)
    run: list[int] = []
    made: object = None
    for index, step in enumerate(steps):
        if not step.layer:
            continue
        key = _maker(step) if applied[step.layer] == 1 else None
        if key is None or key != made:
            if run:
                yield made, run
            run, made = [], key
        if key is not None:
            run.append(index)
    if run:
        yield made, run


def _maker(step: Step) -> object:
    """Where the spec makes a layer without a name of its own; None of others."""
    if isinstance(step, Call):
        own = step.body.name if step.body.kind == "block" and step.loop is None else ""
    else:
        own = step.op.name if step.weights else ""
    default = own and re.fullmatch(rf"{re.escape(snake_case(own))}(_\d+)?", step.layer or "")
    return (own, step.span) if default and step.span else None


def _loops(
    steps: Sequence[Step], run: Sequence[int], layers: Sequence[str], readers: Readers
) -> bool:
    """Whether the passes, but for the first perhaps, read alike."""
    for first in range(min(2, len(run) - 1)):
        cut = pieces(steps, run[first], layers[first:])
        segments = chained(cut, layers[first:], readers)
        if segments and all(_alike(segments[0], s) for s in segments[1:]):
            return True
    return False


def _alike(one: Segment, other: Segment) -> bool:
    """Whether what stands around the layers, and what is read from outside, is the same."""
    known: dict[Value, Value] = dict(zip(one.before, other.before))
    for mine, its in zip(one.steps, other.steps, strict=True):
        if len(mine.inputs) != len(its.inputs) or len(mine.outputs) != len(its.outputs):
            return False
        if any(known.get(a, a) is not b for a, b in zip(mine.inputs, its.inputs)):
            return False
        if not mine.layer and not _same(mine, its):
            return False
        known |= dict(zip(mine.outputs, its.outputs))
    return True


def _same(one: Step, other: Step) -> bool:
    if isinstance(one, Node) and isinstance(other, Node):
        return one.op == other.op
    if isinstance(one, Call) and isinstance(other, Call):
        return one.body.name == other.body.name
    return False
