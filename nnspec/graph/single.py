"""A model of one op: what conformance runs, and what the reference shows."""

from __future__ import annotations

from nnspec.catalogue.ops.base import Example, Op
from nnspec.graph.graph import Graph, Node, Value, Weight


def single(example: Example) -> Graph:
    """The example as a model, its operands under their names."""
    op = example.op
    inputs = tuple(Value(t, n) for t, n in zip(example.inputs, _names(example), strict=False))
    outputs = tuple(map(Value, op.infer(*example.inputs)))
    layer = op.name.lower() if op.is_layer() else None
    weights = tuple(
        Weight(
            spec.type_for(example.inputs[0]),
            path=f"{layer}.{spec.role}",
            role=spec.role,
            initializer=spec.initializer,
            trainable=spec.trainable,
        )
        for spec in op.weights(*example.inputs)
    )
    step = Node(op, inputs, outputs, layer, weights)
    return Graph(
        "Example", inputs, (step,), outputs, tuple(f"out_{i}" for i in range(len(outputs)))
    )


def _names(example: Example) -> tuple[str, ...]:
    given = example.op.given(*example.inputs)
    if given is example.op.operands:
        return operand_names(example.op)
    return tuple(o.name for o in given)


def operand_names(op: Op) -> tuple[str, ...]:
    """Of a use: a variadic operand takes as many letters as there may be tensors."""
    names = tuple(o.name for o in op.operands)
    if op.operands and op.operands[-1].variadic:
        return (*names[:-1], *"abcdefgh")
    return names
