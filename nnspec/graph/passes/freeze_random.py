"""Take chance out of a program, so that two runs of it can be compared.

Contract: dropout becomes the identity, that within a layer is left out; what a training step draws at random becomes a further
column of its batch, the same in every pass of a loop. Draws inside a model are left alone (`random_nodes` names them).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from nnspec.graph.graph import Call, Graph, Node, Value, walk
from nnspec.graph.training import Minimize, Repeat, Training, TrainStep


def freeze_graph(graph: Graph) -> Graph:
    """The model without dropout."""
    return replace(graph, steps=tuple(_freeze_step(s) for s in graph.steps))


def random_nodes(graph: Graph) -> Iterator[Node]:
    """Nodes that draw at random even in evaluation."""
    return (n for n in walk(graph) if n.op.stochastic and not n.op.modal)


def freeze_training(training: Training) -> Training:
    """The training program without dropout, its random draws taken from the batch."""
    frozen = {n.name: replace(n, model=freeze_graph(n.model)) for n in training.networks}
    renamed: dict[Value, Value] = {}
    drawn: list[Value] = []
    steps: list[TrainStep] = []
    for step in training.steps:
        match step:
            case Node() if step.op.stochastic and not step.op.modal:
                output = step.outputs[0]
                drawn.append(replace(output, name=f"draw_{len(drawn) + 1}"))
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
