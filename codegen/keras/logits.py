"""Losses of what a sigmoid or a softmax gave, which Keras would take for what those were given.

Keras's `sigmoid` and `softmax` leave their operand on their result, and its losses compute with that instead, also
where they are told that the result is logits itself. So a loss whose operand may be such a tensor, through blocks,
networks and whatever hands a tensor on as it is, gets a copy of it, which remembers nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from codegen.python.gradients import Watched
from nnspec.catalogue.ops.activations import Sigmoid, Softmax
from nnspec.catalogue.ops.arranging import Squeeze
from nnspec.catalogue.ops.base import Operand
from nnspec.catalogue.ops.elementwise import Identity
from nnspec.catalogue.ops.forms import Elementwise
from nnspec.catalogue.ops.losses import BinaryCrossEntropy, CrossEntropy
from nnspec.catalogue.ops.normalization import Dropout
from nnspec.catalogue.ops.numeric import Clip
from nnspec.catalogue.ops.shaping import Cast
from nnspec.core.declare import declaration
from nnspec.core.types import TensorType
from nnspec.graph.graph import Call, Graph, Node, Step, Value
from nnspec.graph.training import Training, TrainStep

HAND_ON = (Identity, Watched, Cast, Clip, Dropout, Squeeze)
"""Ops that give their operand itself in some use."""


@declaration
class AsLogits(Elementwise):
    """A tensor itself, as logits."""

    name = "as_logits"
    hidden = True
    operands = (Operand("x"),)

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        return (inputs[0],)


def as_logits(
    models: Mapping[Graph, Graph], trainings: Sequence[Training]
) -> tuple[dict[Graph, Graph], list[Training]]:
    """The models under the same keys, and the programs; what all of them are is looked at as a whole."""
    carriers = _Carriers()
    graphs = [*models.values(), *(n.model for t in trainings for n in t.networks)]
    carriers.settle(list(dict.fromkeys(graphs)), trainings)
    copies = _Copies(carriers.values)
    return {k: copies.graph(g) for k, g in models.items()}, list(map(copies.training, trainings))


@dataclass
class _Carriers:
    """Values that may be what a sigmoid or a softmax gave.

    given: by instance (kind, name, path), the inputs that may be: calls of one shared block are written as one.
    """

    values: set[Value] = field(default_factory=set)
    given: dict[tuple[str, str, str], set[int]] = field(default_factory=dict)

    def settle(self, graphs: Iterable[Graph], trainings: Iterable[Training]) -> None:
        """Until a round finds no more."""
        before = -1
        while before != len(self.values):
            before = len(self.values)
            for training in trainings:
                self._steps(training.steps)
            for graph in graphs:
                self._body(graph, ())

    def _steps(self, steps: Iterable[TrainStep]) -> None:
        for step in steps:
            if isinstance(step, Call):
                places = {i for i, v in enumerate(step.inputs) if v in self.values}
                self._body(step.body, places)
                results = zip(step.outputs, step.body.outputs, strict=True)
                self.values |= {own for own, inner in results if inner in self.values}
            elif isinstance(step, Node) and self._carries(step):
                self.values |= set(step.outputs)

    def _body(self, graph: Graph, places: Iterable[int]) -> None:
        given = self.given.setdefault((graph.kind, graph.name, graph.path), set())
        given |= set(places)
        self.values |= {graph.inputs[i] for i in given}
        self._steps(graph.steps)

    def _carries(self, node: Node) -> bool:
        handed_on = isinstance(node.op, HAND_ON) and node.inputs[0] in self.values
        return handed_on or isinstance(node.op, (Sigmoid, Softmax))


@dataclass
class _Copies:
    """Writes copies in front of losses; a graph stays itself where there are none, and is one however often it is met."""

    carriers: set[Value]
    known: dict[Graph, Graph] = field(default_factory=dict)

    def graph(self, graph: Graph) -> Graph:
        if graph not in self.known:
            steps = tuple(new for step in graph.steps for new in self._step(step))
            self.known[graph] = graph if steps == graph.steps else replace(graph, steps=steps)
        return self.known[graph]

    def training(self, training: Training) -> Training:
        steps: list[TrainStep] = []
        for step in training.steps:
            steps += self._step(step) if isinstance(step, (Node, Call)) else [step]
        networks = (replace(n, model=self.graph(n.model)) for n in training.networks)
        return replace(training, networks=tuple(networks), steps=tuple(steps))

    def _step(self, step: Step) -> list[Step]:
        if isinstance(step, Call):
            body = self.graph(step.body)
            return [step if body is step.body else replace(step, body=body)]
        loss = isinstance(step.op, (BinaryCrossEntropy, CrossEntropy))
        if not loss or step.inputs[0] not in self.carriers:
            return [step]
        scores, *others = step.inputs
        copied = Value(scores.type, None, scores.span)
        copy = Node(AsLogits(), (scores,), (copied,), span=step.span)
        return [copy, replace(step, inputs=(copied, *others))]
