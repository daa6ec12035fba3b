"""The graph as boxes, leaves and edges between leaves: what dot and mermaid are told.

A block's inputs and outputs are no points of their own there: an edge leads from the node that
makes a value to the node that takes it, through the borders of the blocks between them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from nnspec.graph.graph import Call, Graph, Value, Weight
from nnspec.views.drawing import labels


@dataclass(frozen=True)
class Leaf:
    key: str
    title: str
    detail: str
    kind: str


@dataclass(frozen=True)
class Group:
    key: str
    title: str
    items: list[Leaf | Group] = field(default_factory=list)


@dataclass(frozen=True)
class Edge:
    source: str
    target: str
    label: str


@dataclass(frozen=True)
class Picture:
    root: Group
    edges: list[Edge]


class _Flattener:
    def __init__(self) -> None:
        self.edges: list[Edge] = []
        self.maker: dict[Value, str] = {}
        self.constants: dict[Value, Any] = {}
        self.count = 0

    def key(self) -> str:
        self.count += 1
        return f"n{self.count}"

    def leaf(self, group: Group, title: str, detail: str, kind: str) -> str:
        leaf = Leaf(self.key(), title, detail, kind)
        group.items.append(leaf)
        return leaf.key

    def connect(self, value: Value, target: str, root: Group) -> None:
        if value in self.constants:
            return
        if value not in self.maker:
            label = labels.weight_label(value) if isinstance(value, Weight) else str(value.type)
            self.maker[value] = self.leaf(root, label, "", "weight")
        self.edges.append(Edge(self.maker[value], target, str(value.type)))

    def body(self, graph: Graph, group: Group) -> None:
        for step in graph.steps:
            if isinstance(step, Call):
                inner = Group(self.key(), labels.title(step))
                group.items.append(inner)
                for outside, inside in zip(step.inputs, step.body.inputs, strict=True):
                    self.alias(inside, outside)
                self.body(step.body, inner)
                for outside, inside in zip(step.outputs, step.body.outputs, strict=True):
                    self.alias(outside, inside)
            elif labels.is_constant(step):
                self.constants[step.outputs[0]] = labels.constant_of(step)
            else:
                given = tuple(self.constants[v] for v in step.inputs if v in self.constants)
                key = self.leaf(group, labels.title(step), labels.detail(step, given), "op")
                for value in step.inputs:
                    self.connect(value, key, group)
                self.maker.update(dict.fromkeys(step.outputs, key))

    def alias(self, new: Value, known: Value) -> None:
        if known in self.maker:
            self.maker[new] = self.maker[known]
        elif known in self.constants:
            self.constants[new] = self.constants[known]


def flatten(graph: Graph) -> Picture:
    """The picture of a model, its inputs and outputs drawn as points of their own."""
    work = _Flattener()
    root = Group("root", graph.name)
    for value in graph.inputs:
        work.maker[value] = work.leaf(root, labels.value_label(value), "", "input")
    work.body(graph, root)
    for name, value in zip(graph.output_names, graph.outputs, strict=True):
        work.connect(value, work.leaf(root, name, "", "output"), root)
    return Picture(root, work.edges)
