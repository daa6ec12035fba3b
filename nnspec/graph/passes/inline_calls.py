"""Dissolve every block into the graph that calls it.

Contract: the result has nodes only (and loops along time, and calls of functions where they stay); weights and their paths are the same; a layer is named by its
path with underscores (`layer.3.dense` becomes `layer_3_dense`), so shared layers stay shared.
"""

from __future__ import annotations

from dataclasses import replace

from nnspec.graph.graph import Call, Graph, Node, Step, Value, Weight


def inline_calls(graph: Graph, *, functions: bool = True) -> Graph:
    """The same model without blocks, and, unless they are to stay, without functions."""
    nodes: list[Step] = []
    values: dict[Value, Value] = {}
    _inline(graph.steps, "", values, nodes, functions)
    outputs = tuple(values.get(v, v) for v in graph.outputs)
    free = tuple(dict.fromkeys(_free_weights(graph)))
    return replace(graph, steps=tuple(nodes), outputs=outputs, free_weights=free)


def _inline(
    steps: tuple[Step, ...],
    prefix: str,
    values: dict[Value, Value],
    nodes: list[Step],
    functions: bool,
) -> None:
    for step in steps:
        inputs = tuple(values.get(v, v) for v in step.inputs)
        if isinstance(step, Node):
            layer = None if step.layer is None else prefix + step.layer.replace(".", "_")
            nodes.append(replace(step, inputs=inputs, layer=layer))
            continue
        if step.body.kind == "function" and not functions:
            nodes.append(replace(step, inputs=inputs))
            continue
        if step.loop is not None:
            nodes.append(replace(step, inputs=inputs, layer=prefix + step.layer.replace(".", "_")))
            continue
        inner = dict(zip(step.body.inputs, inputs, strict=True))
        inside = f"{prefix}{step.layer.replace('.', '_')}_"
        _inline(step.body.steps, inside, inner, nodes, functions)
        for outer, result in zip(step.outputs, step.body.outputs, strict=True):
            values[outer] = inner.get(result, result)


def _free_weights(graph: Graph) -> list[Weight]:
    found: list[Weight] = list(graph.free_weights)
    for step in graph.steps:
        if isinstance(step, Call) and step.loop is None:
            found += _free_weights(step.body)
    return found
