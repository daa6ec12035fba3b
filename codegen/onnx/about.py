"""What a model tells of itself: metadata, and what each input and output is in the spec."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from nnspec.graph.bounds import index_bounds
from nnspec.graph.graph import Graph, Value, weights
from nnspec.graph.layouts import Layout
from nnspec.graph.passes.layout import Lowered
from nnspec.report.text import printable_lines


@dataclass(frozen=True)
class About:
    """doc: of the model. values: by name of an input or output. metadata: by key."""

    doc: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)


def about(model: Graph, lowered: Lowered, provenance: str) -> About:
    """Of a model in the language's order of axes, and how it lies."""
    inputs = [(v.name or "input", v) for v in model.inputs]
    outputs = list(zip(result_names(model), model.outputs, strict=True))
    layouts = (*lowered.input_layouts, *lowered.output_layouts)
    bounds = index_bounds(model.steps)
    metadata = {"nnspec.model": model.name, "nnspec.provenance": provenance}
    values: dict[str, str] = {}
    for (name, value), layout in zip((*inputs, *outputs), layouts, strict=True):
        metadata[f"nnspec.layout.{name}"] = str(layout)
        values[name] = _told(value, layout, bounds.get(value))
    for name, value in inputs:
        if value in bounds:
            metadata[f"nnspec.choices.{name}"] = str(bounds[value])
    return About(printable_lines(model.doc) if model.doc else "", values, metadata)


def result_names(model: Graph) -> tuple[str, ...]:
    """What the outputs are called: as in the spec, or `x_output` where an input or a weight is `x`."""
    held = {*(v.name for v in model.inputs), *(w.path for w in weights(model))}
    names: list[str] = []
    for name in model.output_names:
        taken = {*held, *names, *(other for other in model.output_names if other != name)}
        while name in taken:
            name = f"{name}_output"
        names.append(name)
    return tuple(names)


def _told(value: Value, layout: Layout, choices: int | None) -> str:
    """`f32[N, 28, 28, 1] in the spec; axes here: NCHW`."""
    parts = [f"{value.type} in the spec"]
    if not layout.is_spec:
        parts.append(f"axes here: {layout}")
    if choices is not None:
        parts.append(f"numbers from 0 to {choices - 1}")
    return "; ".join(parts)
