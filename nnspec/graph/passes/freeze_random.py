"""Take chance out of a program, so that two runs of it can be compared.

Contract: dropout becomes the identity, that within a layer is left out; what a training step draws at random becomes a further
column of its batch, the same in every pass of a loop, for which functions that draw are opened. Draws inside a model are
left alone (`random_nodes` names them).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from nnspec.catalogue.ops.base import Op
from nnspec.graph.graph import Call, Graph, Node, Value, walk
from nnspec.graph.passes.inline_calls import inline_calls
from nnspec.graph.training import Minimize, Repeat, Training, TrainStep


@dataclass(frozen=True, eq=False, kw_only=True)
class Drawn(Value):
    """A column of the batch in the place of a draw; `op` says how its numbers are spread."""

    op: Op


def freeze_graph(graph: Graph) -> Graph:
    """The model without dropout."""
    return replace(graph, steps=tuple(_freeze_step(s) for s in graph.steps))


def random_nodes(graph: Graph) -> Iterator[Node]:
    """Nodes that draw at random even in evaluation."""
    return (n for n in walk(graph) if n.op.stochastic and not n.op.modal)


def freeze_training(training: Training) -> Training:
    """The training program without dropout, its random draws taken from the batch."""
    training = _opened(training)
    frozen = {n.name: replace(n, model=freeze_graph(n.model)) for n in training.networks}
    renamed: dict[Value, Value] = {}
    drawn: list[Value] = []
    steps: list[TrainStep] = []
    for step in training.steps:
        match step:
            case Node() if step.op.stochastic and not step.op.modal:
                output = step.outputs[0]
                name = f"draw_{len(drawn) + 1}"
                drawn.append(Drawn(output.type, name, output.span, op=step.op))
                renamed[output] = drawn[-1]
            case Node():
                steps.append(replace(_freeze_node(step), inputs=_swap(step.inputs, renamed)))
            case Call():
                network = frozen.get(step.layer)
                body = network.model if network else freeze_graph(step.body)
                steps.append(replace(step, body=body, inputs=_swap(step.inputs, renamed)))
            case Minimize():
                steps.append(replace(step, loss=renamed.get(step.loss, step.loss)))
            case Repeat():
                steps.append(step)
    metrics = tuple(replace(m, value=renamed.get(m.value, m.value)) for m in training.metrics)
    return replace(
        training,
        networks=tuple(frozen.values()),
        batch=(*training.batch, *drawn),
        steps=tuple(steps),
        metrics=metrics,
    )


def _opened(training: Training) -> Training:
    """The program with what draws in functions among its own steps."""
    networks = {n.name for n in training.networks}
    values: dict[Value, Value] = {}
    steps: list[TrainStep] = []
    for step in training.steps:
        match step:
            case Call() if step.layer not in networks and any(random_nodes(step.body)):
                body = inline_calls(step.body)
                inner = dict(zip(body.inputs, _swap(step.inputs, values), strict=True))
                steps += (replace(s, inputs=_swap(s.inputs, inner)) for s in body.steps)
                results = zip(step.outputs, _swap(body.outputs, inner), strict=True)
                values |= results
            case Node() | Call():
                steps.append(replace(step, inputs=_swap(step.inputs, values)))
            case Minimize():
                steps.append(replace(step, loss=values.get(step.loss, step.loss)))
            case Repeat():
                steps.append(step)
    metrics = tuple(replace(m, value=values.get(m.value, m.value)) for m in training.metrics)
    return replace(training, steps=tuple(steps), metrics=metrics)


def _swap(values: tuple[Value, ...], renamed: dict[Value, Value]) -> tuple[Value, ...]:
    return tuple(renamed.get(v, v) for v in values)


def _freeze_step(step: Node | Call) -> Node | Call:
    if isinstance(step, Call):
        return replace(step, body=freeze_graph(step.body))
    return _freeze_node(step)


def _freeze_node(node: Node) -> Node:
    if not (node.op.stochastic and node.op.modal):
        return node
    return replace(node, op=node.op.settled(), layer=node.layer if node.weights else None)
