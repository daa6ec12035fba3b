"""The typed graph: what a spec means, with every `for`, `if` and parameter already worked out.

A `Graph` is one model or one instance of a block. Its nodes are in order of evaluation; a `Node`
applies one op, a `Call` applies another graph, so blocks stay blocks. Everything is immutable.
A value, weight, node or graph is itself and nothing else (compared by identity): a weight that
two nodes share is the same object in both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Union

from nnspec.core.dims import Dim
from nnspec.core.types import TensorType
from nnspec.report.source import Span

if TYPE_CHECKING:
    from nnspec.catalogue.initializers import Initializer
    from nnspec.catalogue.ops.base import Op
    from nnspec.graph.training import Training


@dataclass(frozen=True, eq=False)
class Value:
    """A tensor. `name` is what the writer called it, if anything; `hint`, what an expansion calls it."""

    type: TensorType
    name: str | None = None
    span: Span | None = None
    hint: str | None = field(default=None, kw_only=True)


@dataclass(frozen=True, eq=False)
class Weight(Value):
    """A trained (or, like a running mean, kept) tensor in the canonical layout.

    path: unique in the model, `layer.3.attention.dense.weight`; the key in a canonical file.
    role: the last part of the path: `weight`, `bias`, `running_mean`, or a free weight's name.
    fans: (fan in, fan out) for the initialiser, where they are not those of the shape.
    """

    path: str = ""
    role: str = ""
    initializer: Initializer | None = None
    trainable: bool = True
    fans: tuple[int, int] | None = None


@dataclass(frozen=True, eq=False)
class Node:
    """One op applied once.

    layer: name of the layer in the enclosing graph (`conv2d`, `layer.3`); None for a plain function.
        Nodes of one graph with the same `layer` share it (and its weights).
    weights: in the order of `op.weights()`.
    doc: the `##` text of the statement that made it.
    """

    op: Op
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    layer: str | None = None
    weights: tuple[Weight, ...] = ()
    span: Span | None = None
    doc: str | None = None


@dataclass(frozen=True)
class Loop:
    """How a body is applied along time: at each step of its sequences in turn, with one set of weights.

    sequences: inputs of the body that are given a step of a tensor `[N, T, ...]`.
    states: inputs that are given, from the second step on, what came out the step before, each with that output.
    Other inputs are given as they are. What comes out beside states is stacked, `[N, T, ...]`; of states comes the last.
    """

    sequences: tuple[int, ...]
    states: tuple[tuple[int, int], ...]

    def stacked(self, count: int) -> tuple[int, ...]:
        """Which of so many outputs are no states."""
        last = {output for _, output in self.states}
        return tuple(i for i in range(count) if i not in last)


def along_time(kind: TensorType, steps: Dim) -> TensorType:
    """The type of so many tensors `[N, ...]`, one for each step: `[N, T, ...]`."""
    return kind.with_shape((kind.shape[0], steps, *kind.shape[1:]))


@dataclass(frozen=True, eq=False)
class Call:
    """A graph applied once, or along time; `layer` names the instance in the enclosing graph (`stem`, `layer.3`).

    A function (`body.kind == "function"`) has no weights and no instance: its `layer` is "".

    A block that is applied twice (shared) has two calls with the same `layer`, whose bodies hold
    the same `Weight` objects.

    loop: where it is applied along time, how; its operands are then sequences where those of the body are steps.
    """

    body: Graph
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    layer: str
    span: Span | None = None
    doc: str | None = None
    loop: Loop | None = None

    @property
    def steps(self) -> Dim:
        """How often the body is applied."""
        return 1 if self.loop is None else self.inputs[self.loop.sequences[0]].type.shape[1]


Step = Union[Node, Call]
Kind = Literal["model", "block", "sequence", "parallel", "function"]


@dataclass(frozen=True, eq=False)
class Graph:
    """A model, or one instance of a block.

    name: of the declaration (`MnistCNN`, `Residual`); of a layer composition, its binding in Pascal
        case (`stem = Conv2D(8, 3) -> relu` gives `Stem`).
    kind: "sequence" and "parallel" are compositions `f -> g` and `(f | g)` that were bound to a name; a
        "function" stands in for an op that a target lacks.
    path: of this instance from the model's root, "" for the model itself.
    arguments: what the parameters were given, defaults included, for doc and naming.
    free_weights: declared by `weight` statements directly in this graph.
    op: the one that this is in simpler ops, where it is no block of the writer's.
    """

    name: str
    inputs: tuple[Value, ...]
    steps: tuple[Step, ...]
    outputs: tuple[Value, ...]
    output_names: tuple[str, ...]
    kind: Kind = "model"
    path: str = ""
    free_weights: tuple[Weight, ...] = ()
    arguments: Mapping[str, object] = field(default_factory=dict)
    span: Span | None = None
    doc: str | None = None
    op: Op | None = None


@dataclass(frozen=True)
class Program:
    """Everything one file declares that can be compiled, in the order of the file.

    doc: what the file says of itself, in `##` lines at its head with an empty line behind them.
    """

    models: tuple[Graph, ...]
    trainings: tuple[Training, ...] = ()
    path: str = "<text>"
    doc: str | None = None


def walk(graph: Graph) -> Iterator[Node]:
    """Every node, blocks entered, in order of evaluation."""
    stack: list[Iterator[Step]] = [iter(graph.steps)]
    while stack:
        step = next(stack[-1], None)
        if step is None:
            stack.pop()
        elif isinstance(step, Call):
            stack.append(iter(step.body.steps))
        else:
            yield step


def graphs(graph: Graph) -> Iterator[Graph]:
    """The graph and every graph called in it, outermost first."""
    yield graph
    for step in graph.steps:
        if isinstance(step, Call):
            yield from graphs(step.body)


def weights(graph: Graph) -> tuple[Weight, ...]:
    """Every weight once, in the order in which they are first met."""
    found: dict[str, Weight] = {}
    for inner in graphs(graph):
        for weight in inner.free_weights:
            found.setdefault(weight.path, weight)
        for step in inner.steps:
            if isinstance(step, Node):
                for weight in step.weights:
                    found.setdefault(weight.path, weight)
    return tuple(found.values())
