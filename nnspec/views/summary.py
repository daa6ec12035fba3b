"""Layers, output shapes, weights, FLOPs and memory of a model."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from nnspec.core.dims import Dim, substitute, symbols
from nnspec.core.dtypes import DTYPES
from nnspec.core.orders import first
from nnspec.graph.graph import Call, Graph, Node, Value, Weight, weights
from nnspec.graph.layouts import Layout
from nnspec.graph.passes.layout import as_written
from nnspec.graph.sizes import large_enough

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

Sizes = dict[str, int]

WIDTH = 120
"""Columns of the table where it is printed as text."""


@dataclass(frozen=True)
class Line:
    """One layer, function or block.

    depth: how many blocks it stands in. parameters: of what was not counted before (shared weights
    count once). flops, memory: of one example; memory is the bytes of the results.
    """

    name: str
    kind: str
    shape: str
    parameters: int
    trainable: int
    flops: int
    memory: int
    depth: int = 0
    is_block: bool = False


@dataclass(frozen=True)
class Summary:
    """A model's lines and totals. Symbolic sizes count as 1, or as the least that fits: everything is for one example.

    inputs, outputs: names, and in which order of axes targets take and give them.
    """

    model: str
    lines: tuple[Line, ...]
    parameters: int
    trainable: int
    flops: int
    memory: int
    weight_bytes: int
    sizes: tuple[tuple[str, int], ...]
    inputs: tuple[tuple[str, str], ...]
    outputs: tuple[tuple[str, str], ...]

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "model": self.model,
            "parameters": self.parameters,
            "trainable": self.trainable,
            "flops": self.flops,
            "activation_bytes": self.memory,
            "weight_bytes": self.weight_bytes,
            "input_layouts": dict(self.inputs),
            "output_layouts": dict(self.outputs),
            "layers": [
                {
                    "name": line.name,
                    "type": line.kind,
                    "output": line.shape,
                    "parameters": line.parameters,
                    "trainable": line.trainable,
                    "flops": line.flops,
                    "activation_bytes": line.memory,
                    "depth": line.depth,
                }
                for line in self.lines
            ],
        }

    def __str__(self) -> str:
        from rich.console import Console

        console = Console(width=WIDTH, color_system=None)
        with console.capture() as captured:
            console.print(self)
        # Rich pads its lines to the width.
        return "\n".join(line.rstrip() for line in captured.get().splitlines())

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.table import Table

        table = Table(title=self.model, title_justify="left", header_style="bold")
        table.add_column("layer")
        table.add_column("type")
        table.add_column("output")
        table.add_column("weights", justify="right")
        table.add_column("FLOPs", justify="right")
        for line in self.lines:
            weight = f"{line.parameters:,}" if line.parameters else ""
            flops = short(line.flops) if line.flops else ""
            table.add_row("  " * line.depth + line.name, line.kind, line.shape, weight, flops)
        yield table
        kept = self.parameters - self.trainable
        yield (
            f"{self.parameters:,} weights ({self.trainable:,} trained, {kept:,} kept), "
            f"{size(self.weight_bytes)} in f32"
        )
        chosen = ", ".join(f"{name} = {number}" for name, number in self.sizes)
        sizes = f" with {chosen}" if chosen else ""
        yield f"{short(self.flops)} FLOPs, {size(self.memory)} of activations{sizes}"
        taken, given = (
            ", ".join(f"{name} {layout}" for name, layout in side)
            for side in (self.inputs, self.outputs)
        )
        yield f"order of axes: {taken} -> {given}"


def summarize(graph: Graph) -> Summary:
    """The summary of a model."""
    seen: set[str] = set()
    names = sorted({s for v in graph.inputs for d in v.type.shape for s in symbols(d)})
    sizes = large_enough(graph.steps, dict.fromkeys(names, 1))
    lines = tuple(_lines(graph, 0, seen, sizes))
    every = weights(graph)
    leaves = [line for line in lines if not line.is_block]
    outside = as_written(graph)
    inputs = zip((v.name or "input" for v in graph.inputs), outside.input_layouts, strict=True)
    outputs = zip(graph.output_names, outside.output_layouts, strict=True)
    return Summary(
        graph.name,
        lines,
        sum(map(_count, every)),
        sum(_count(w) for w in every if w.trainable),
        sum(line.flops for line in leaves),
        sum(line.memory for line in leaves),
        sum(_count(w) * DTYPES[w.type.dtype].bytes for w in every),
        tuple(sizes.items()),
        tuple((name, _order(layout)) for name, layout in inputs),
        tuple((name, _order(layout)) for name, layout in outputs),
    )


def _order(layout: Layout) -> str:
    """`NHWC or NCHW` where targets differ."""
    turned = Layout(first(len(layout.order)), layout.axes)
    return f"{layout} or {turned}" if layout.axes else str(layout)


def _lines(graph: Graph, depth: int, seen: set[str], sizes: Sizes) -> Iterator[Line]:
    if depth == 0:
        for value in graph.inputs:
            yield Line(value.name or "input", "input", str(value.type), 0, 0, 0, 0)
    for weight in graph.free_weights:
        yield _weight_line(weight, depth, seen)
    for step in graph.steps:
        if isinstance(step, Node):
            if step.inputs:
                yield _node_line(step, depth, seen, sizes)
            continue
        inner = list(_lines(step.body, depth + 1, seen, sizes))
        if step.loop is not None:
            inner = [_repeated(line, _number(step.steps, sizes)) for line in inner]
        yield _block_line(step, inner, depth)
        yield from inner


def _node_line(node: Node, depth: int, seen: set[str], sizes: Sizes) -> Line:
    fresh = [w for w in node.weights if w.path not in seen]
    seen.update(w.path for w in fresh)
    types = tuple(v.type for v in node.inputs), tuple(v.type for v in node.outputs)
    return Line(
        node.layer or node.op.name,
        node.op.name,
        _shapes(node.outputs),
        sum(map(_count, fresh)),
        sum(_count(w) for w in fresh if w.trainable),
        _number(node.op.flops(*types), sizes),
        sum(_bytes(v, sizes) for v in node.outputs),
        depth,
    )


def _block_line(call: Call, inner: list[Line], depth: int) -> Line:
    leaves = [line for line in inner if not line.is_block]
    return Line(
        call.layer,
        call.body.name,
        _shapes(call.outputs),
        sum(line.parameters for line in leaves),
        sum(line.trainable for line in leaves),
        sum(line.flops for line in leaves),
        sum(line.memory for line in leaves),
        depth,
        is_block=True,
    )


def _repeated(line: Line, times: int) -> Line:
    return replace(line, flops=line.flops * times, memory=line.memory * times)


def _weight_line(weight: Weight, depth: int, seen: set[str]) -> Line:
    count = 0 if weight.path in seen else _count(weight)
    seen.add(weight.path)
    return Line(weight.role, "weight", str(weight.type), count, count, 0, 0, depth)


def _shapes(values: tuple[Value, ...]) -> str:
    return ", ".join(str(v.type) for v in values)


def _count(weight: Weight) -> int:
    return math.prod(_number(d, {}) for d in weight.type.shape)


def _bytes(value: Value, sizes: Sizes) -> int:
    return math.prod(_number(d, sizes) for d in value.type.shape) * DTYPES[value.type.dtype].bytes


def _number(dim: Dim, sizes: Sizes) -> int:
    found = substitute(dim, dict.fromkeys(symbols(dim), 1) | sizes)
    return found if isinstance(found, int) else 1


def short(number: int) -> str:
    """`1.23 M`."""
    value = float(number)
    for unit in ("", " k", " M", " G", " T"):
        if value < 1000 or unit == " T":
            return f"{value:.0f}{unit}" if unit == "" else f"{value:.2f}{unit}"
        value /= 1000
    raise AssertionError


def size(count: int) -> str:
    """Bytes as `2.65 MiB`."""
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if value < 1024 or unit == "TiB":
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.2f} {unit}"
        value /= 1024
    raise AssertionError
