"""The stages of a compile as text: `nnspec build --emit tree|graph|passes`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from nnspec.graph.graph import Call, Graph, Node, Value, Weight
from nnspec.report.source import Span
from nnspec.syntax.tree import Tree
from nnspec.views.drawing.labels import detail


def show_tree(tree: Tree) -> str:
    """What was written, a line for each part, with its line and column."""
    # A stack of its own: a long pipe is a deep tree.
    lines: list[str] = []
    stack: list[tuple[int, str, Any]] = [(0, "", tree)]
    while stack:
        depth, name, value = stack.pop()
        prefix = "  " * depth + (f"{name} = " if name else "")
        if isinstance(value, Tree):
            plain, parts = [], []
            for field in dataclasses.fields(value):
                inner = getattr(value, field.name)
                if isinstance(inner, (Tree, tuple)):
                    parts.append((depth + 1, field.name, inner))
                elif not isinstance(inner, Span) and inner is not None:
                    plain.append(f" {field.name}={inner!r}")
            place = f"{value.span.line}:{value.span.column}"
            lines.append(f"{prefix}{type(value).__name__}{''.join(plain)}  @{place}")
            stack += reversed([p for p in parts if p[2] != ()])
        elif isinstance(value, tuple):
            lines.append(f"{prefix}[")
            stack += reversed([(depth + 1, "", item) for item in value])
        else:
            lines.append(f"{prefix}{value!r}")
    return "\n".join(lines) + "\n"


def show_graph(graph: Graph) -> str:
    """What it means: every value with its type, every step with its place in the spec."""
    return "\n".join(_Printer().graph(graph, "")) + "\n"


class _Printer:
    def __init__(self) -> None:
        self.names: dict[Value, str] = {}
        self.taken: set[str] = set()
        self.unnamed = 0

    def name(self, value: Value) -> str:
        """The writer's name where it is free, else a number."""
        if value not in self.names:
            name = value.path if isinstance(value, Weight) else value.name
            if name is None or name in self.taken:
                self.unnamed += 1
                name = f"%{self.unnamed}"
            self.taken.add(name)
            self.names[value] = name
        return self.names[value]

    def typed(self, value: Value) -> str:
        return f"{self.name(value)}: {value.type}"

    def graph(self, graph: Graph, indent: str) -> Iterator[str]:
        arguments = ", ".join(f"{k} = {v}" for k, v in graph.arguments.items())
        arguments = f"({arguments})" if arguments else ""
        yield f"{indent}{graph.kind} {graph.name}{arguments} {{"
        inner = indent + "  "
        for value in graph.inputs:
            yield f"{inner}input {self.typed(value)}"
        for weight in graph.free_weights:
            yield f"{inner}weight {self.typed(weight)}"
        for step in graph.steps:
            yield from self.step(step, inner)
        for name, value in zip(graph.output_names, graph.outputs, strict=True):
            yield f"{inner}output {name} = {self.typed(value)}"
        yield f"{indent}}}"

    def step(self, step: Node | Call, indent: str) -> Iterator[str]:
        operands = ", ".join(self.name(v) for v in step.inputs)
        results = ", ".join(self.typed(v) for v in step.outputs)
        place = f"  # {step.span}" if step.span else ""
        if isinstance(step, Call):
            along = "" if step.loop is None else f" along {step.steps} steps"
            yield f"{indent}{results} = {step.layer}({operands}){along} where{place}"
            yield from self.graph(step.body, indent + "  ")
            return
        layer = f" as {step.layer}" if step.layer else ""
        fields = f"[{text}]" if (text := detail(step)) else ""
        yield f"{indent}{results} = {step.op.name}{fields}({operands}){layer}{place}"
        for weight in step.weights:
            yield f"{indent}  {self.typed(weight)}" + ("" if weight.trainable else " (kept)")
