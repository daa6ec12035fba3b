"""Leave out nodes whose results nobody uses.

Contract: outputs, inputs and the weights that outputs depend on stay; blocks keep their signatures,
and random draws vanish with what used them.
"""

from __future__ import annotations

from dataclasses import replace

from nnspec.graph.graph import Call, Graph, Step, Value


def drop_dead(graph: Graph) -> Graph:
    """The graph without dead steps, in blocks too."""
    wanted: set[Value] = set(graph.outputs)
    kept: list[Step] = []
    for step in reversed(graph.steps):
        if wanted.isdisjoint(step.outputs):
            continue
        wanted.update(step.inputs)
        kept.append(replace(step, body=drop_dead(step.body)) if isinstance(step, Call) else step)
    return replace(graph, steps=tuple(reversed(kept)))
