"""Everything that is f32 in f64: what is compared to more digits than f32 has.

Contract: names, paths, places and structure are the same; values, weights and fields of ops (`cast(x, f32)`) that
are f32 are f64, other types stay.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TypeVar

from nnspec.graph.evaluate.sizes import with_sizes
from nnspec.graph.graph import Call, Graph, Node, Program, Value
from nnspec.graph.training import Minimize, Repeat, Training, TrainStep

AnyValue = TypeVar("AnyValue", bound=Value)
WIDE = "f64"


@dataclass
class Widening:
    """What stands for which graph and value: each is widened once, so what was shared stays shared."""

    graphs: dict[Graph, Graph] = field(default_factory=dict)
    values: dict[Value, Value] = field(default_factory=dict)

    def program(self, program: Program) -> Program:
        """All models and training programs."""
        models = tuple(map(self.graph, program.models))
        return replace(
            program, models=models, trainings=tuple(map(self._training, program.trainings))
        )

    def graph(self, graph: Graph) -> Graph:
        """A model or block."""
        if graph not in self.graphs:
            self.graphs[graph] = replace(
                graph,
                inputs=self._all(graph.inputs),
                steps=tuple(
                    self._call(s) if isinstance(s, Call) else self._node(s) for s in graph.steps
                ),
                outputs=self._all(graph.outputs),
                free_weights=self._all(graph.free_weights),
            )
        return self.graphs[graph]

    def _training(self, training: Training) -> Training:
        return replace(
            training,
            networks=tuple(replace(n, model=self.graph(n.model)) for n in training.networks),
            batch=self._all(training.batch),
            steps=tuple(map(self._step, training.steps)),
            metrics=tuple(replace(m, value=self._value(m.value)) for m in training.metrics),
        )

    def _step(self, step: TrainStep) -> TrainStep:
        if isinstance(step, Repeat):
            return step
        if isinstance(step, Minimize):
            return replace(step, loss=self._value(step.loss))
        return self._call(step) if isinstance(step, Call) else self._node(step)

    def _call(self, call: Call) -> Call:
        given, made = self._all(call.inputs), self._all(call.outputs)
        return replace(call, body=self.graph(call.body), inputs=given, outputs=made)

    def _node(self, node: Node) -> Node:
        return replace(
            node,
            op=with_sizes(node.op, {}, WIDE),
            inputs=self._all(node.inputs),
            outputs=self._all(node.outputs),
            weights=self._all(node.weights),
        )

    def _all(self, values: tuple[AnyValue, ...]) -> tuple[AnyValue, ...]:
        return tuple(map(self._value, values))

    def _value(self, value: AnyValue) -> AnyValue:
        if value.type.dtype != "f32":
            return value
        if value not in self.values:
            self.values[value] = replace(value, type=replace(value.type, dtype=WIDE))
        known = self.values[value]
        assert isinstance(known, type(value))
        return known
