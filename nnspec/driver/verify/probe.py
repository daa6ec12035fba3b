"""A model whose every intermediate value is an output: to find the first step that differs."""

from __future__ import annotations

from dataclasses import replace

from nnspec.graph.graph import Graph, Node, Step, Value
from nnspec.graph.passes.inline_calls import inline_calls


def probe(model: Graph) -> tuple[Graph, tuple[Step, ...]]:
    """The probing model, and for each of its outputs the step that makes it; a loop along time is one step."""
    flat = inline_calls(model)
    outputs: list[Value] = []
    makers: list[Step] = []
    for step in flat.steps:
        if step.inputs and not (isinstance(step, Node) and step.op.name == "identity"):
            outputs += step.outputs
            makers += [step] * len(step.outputs)
    names = tuple(f"value_{i}" for i in range(1, len(outputs) + 1))
    return replace(flat, outputs=tuple(outputs), output_names=names), tuple(makers)


def describe(step: Step) -> str:
    """How a report names a step: its layer, else its op."""
    return step.layer or (step.op.name if isinstance(step, Node) else step.body.name)
