"""Leave out what nobody reads: blocks dissolved, what a call has beyond its use is dead."""

from __future__ import annotations

from collections.abc import Iterator

from onnx import GraphProto


def drop_dead(graph: GraphProto) -> None:
    """Nodes of the graph whose results nobody reads, and constants of such nodes; bodies of loops stay whole."""
    wanted = {value.name for value in graph.output}
    kept = []
    for node in reversed(graph.node):
        if wanted.isdisjoint(node.output):
            continue
        kept.append(node)
        wanted.update(node.input, *(_read(a.g) for a in node.attribute))
    if len(kept) == len(graph.node):
        return
    constants = [tensor for tensor in graph.initializer if tensor.name in wanted]
    graph.ClearField("node")
    graph.ClearField("initializer")
    graph.node.extend(reversed(kept))
    graph.initializer.extend(constants)


def _read(body: GraphProto) -> Iterator[str]:
    """What a body of a loop reads, from around it too."""
    yield from (value.name for value in body.output)
    for node in body.node:
        yield from node.input
        for attribute in node.attribute:
            yield from _read(attribute.g)
