"""Work out beforehand what is one number in every element, and leave out what does nothing with it.

Contract: for graphs of primitives. What comes out has the same numbers, but `1 * x` and `x + 0` are `x`, and a tensor
that repeats a number is the number where it meets another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from nnspec.catalogue.ops.arranging import BroadcastTo
from nnspec.catalogue.ops.base import Op
from nnspec.catalogue.ops.elementwise import (
    Add,
    Binary,
    Constant,
    Divide,
    Multiply,
    Subtract,
)
from nnspec.catalogue.ops.forms import Elementwise
from nnspec.catalogue.ops.shaping import Reshape, Transpose
from nnspec.core.lazy import np
from nnspec.core.types import TensorType
from nnspec.graph.graph import Graph, Node, Step, Value

NEUTRAL: Mapping[type[Op], float] = {Add: 0.0, Subtract: 0.0, Multiply: 1.0, Divide: 1.0}
"""The second operand that leaves the first as it is."""


def fold_numbers(graph: Graph) -> Graph:
    """The graph with numbers in place of what would be worked out from numbers alone."""
    fold = _Fold()
    for step in graph.steps:
        fold.step(step)
    return replace(graph, steps=tuple(fold.steps), outputs=tuple(map(fold.now, graph.outputs)))


class _Fold:
    """known: the number in every element. place: what stands for a value."""

    def __init__(self) -> None:
        self.known: dict[Value, float] = {}
        self.place: dict[Value, Value] = {}
        self.steps: list[Step] = []

    def now(self, value: Value) -> Value:
        return self.place.get(value, value)

    def step(self, step: Step) -> None:
        step = replace(step, inputs=tuple(map(self.now, step.inputs)))
        if isinstance(step, Node) and len(step.outputs) == 1 and step.outputs[0].type.is_float:
            (output,) = step.outputs
            number = self.number(step)
            if number is not None:
                self.known[output] = number
                self.place[output] = self.repeated(number, output.type)
                self.known[self.place[output]] = number
                return
            if isinstance(step.op, Binary):
                step = self.met(step)
                if (same := self.same(step)) is not None:
                    self.place[output] = same
                    return
        self.steps.append(step)

    def number(self, node: Node) -> float | None:
        """What every element of the result is, where numbers alone tell."""
        op = node.op
        if isinstance(op, Constant):
            return float(op.value)
        numbers = [self.known[v] for v in node.inputs if v in self.known]
        if not numbers or len(numbers) < len(node.inputs):
            return None
        if isinstance(op, (BroadcastTo, Reshape, Transpose)):
            return numbers[0]
        if isinstance(op, Elementwise) and op.is_primitive() and not op.stochastic:
            result: float = np.asarray(op.evaluate(*map(np.asarray, numbers))).item()
            return result
        return None

    def repeated(self, number: float, kind: TensorType) -> Value:
        """The number in every element of a tensor."""
        value = int(number) if number.is_integer() else number
        scalar = Value(kind.with_shape(()))
        self.steps.append(Node(Constant(value, kind.dtype), (), (scalar,)))
        if not kind.shape:
            return scalar
        self.known[scalar] = number
        repeated = Value(kind)
        self.steps.append(Node(BroadcastTo(kind.shape), (scalar,), (repeated,)))
        return repeated

    def met(self, node: Node) -> Node:
        """The node with numbers in place of what repeats them, where the other operand has the shape of the result."""
        shape = node.outputs[0].type.shape
        a, b = node.inputs
        if b in self.known and b.type.rank and a.type.shape == shape:
            b = self.repeated(self.known[b], b.type.with_shape(()))
        elif a in self.known and a.type.rank and b.type.shape == shape:
            a = self.repeated(self.known[a], a.type.with_shape(()))
        self.known |= {v: self.known[w] for v, w in zip((a, b), node.inputs) if w in self.known}
        return replace(node, inputs=(a, b))

    def same(self, node: Node) -> Value | None:
        """The operand that the result is equal to."""
        neutral = NEUTRAL.get(type(node.op))
        if neutral is None:
            return None
        a, b = node.inputs
        turned = isinstance(node.op, (Add, Multiply))
        for value, other in ((a, b), (b, a)) if turned else ((a, b),):
            if self.known.get(other) == neutral and value.type == node.outputs[0].type:
                return value
        return None
