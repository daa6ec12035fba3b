"""Graphs built by hand, for tests that need no text."""

from __future__ import annotations

from collections.abc import Sequence

from nnspec.catalogue.ops.base import Example, Op
from nnspec.catalogue.ops.elementwise import Constant
from nnspec.graph.graph import Graph, Node, Value, Weight


def node(
    op: Op, *inputs: Value, layer: str | None = None, path: str = "", names: Sequence[str] = ()
) -> Node:
    """An op applied to values; a layer gets its weights under `path`."""
    types = [v.type for v in inputs]
    outputs = tuple(
        Value(t, names[i] if i < len(names) else None) for i, t in enumerate(op.infer(*types))
    )
    weights = tuple(
        Weight(
            spec.type_for(types[0]),
            path=f"{path or layer}.{spec.role}",
            role=spec.role,
            initializer=spec.initializer,
            trainable=spec.trainable,
        )
        for spec in (op.weights(*types) if layer else ())
    )
    return Node(op, inputs, outputs, layer, weights)


def number(value: float, dtype: str = "f32") -> Node:
    """A number that meets a tensor."""
    return node(Constant(value, dtype))


def example_graph(example: Example) -> Graph:
    """A model of one op."""
    op = example.op
    names = ["x", "y", "z"] if len(example.inputs) > 1 else ["x"]
    inputs = tuple(Value(t, n) for t, n in zip(example.inputs, names, strict=False))
    layer = op.name.lower() if op.is_layer() else None
    step = node(op, *inputs, layer=layer)
    outputs = tuple(f"out_{i}" for i in range(len(step.outputs)))
    return Graph("Example", inputs, (step,), step.outputs, outputs)
