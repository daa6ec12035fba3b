"""A model whose every intermediate value is an output: to find the first node that differs."""

from __future__ import annotations

from dataclasses import replace

from nnspec.graph.graph import Graph, Node, Value
from nnspec.graph.passes.inline_calls import inline_calls


def probe(model: Graph) -> tuple[Graph, tuple[Node, ...]]:
    """The probing model, and for each of its outputs the node that makes it."""
    flat = inline_calls(model)
    outputs: list[Value] = []
    makers: list[Node] = []
    for step in flat.steps:
        if isinstance(step, Node) and step.inputs and step.op.name != "identity":
            outputs += step.outputs
            makers += [step] * len(step.outputs)
    names = tuple(f"value_{i}" for i in range(1, len(outputs) + 1))
    return replace(flat, outputs=tuple(outputs), output_names=names), tuple(makers)


def describe(node: Node) -> str:
    """How a report names a node: its layer, else its op."""
    return node.layer or node.op.name
