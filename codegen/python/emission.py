"""What channels-first Python targets do before they write: every model in its physical layout."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from codegen.layout import Lowered, LoweredTraining, lower, lower_training
from codegen.python.plan import Owner, Plan, owners
from codegen.target import Layouts
from nnspec.core.dims import show
from nnspec.graph.graph import Graph, Program, Value
from nnspec.graph.weight_map import NativeWeight, Transform, WeightMap


@dataclass(frozen=True)
class LoweredProgram:
    """models: from each graph of the program (and network of its trainings) to what is written."""

    models: Mapping[Graph, Lowered]
    trainings: tuple[LoweredTraining, ...]

    @property
    def graphs(self) -> tuple[Graph, ...]:
        # Two programs may train instances of one graph, each of which is lowered for itself.
        networks = [n for training in self.trainings for n in training.networks.values()]
        return tuple(dict.fromkeys(lowered.graph for lowered in (*self.models.values(), *networks)))


def lowered_program(program: Program) -> LoweredProgram:
    """Every model, and every network as its training program has it."""
    models = {graph: lower(graph) for graph in program.models}
    trainings = tuple(map(lower_training, program.trainings))
    for training, lowered in zip(program.trainings, trainings, strict=True):
        for network in training.networks:
            models[network.model] = lowered.networks[network.name]
    return LoweredProgram(models, trainings)


def described(program: LoweredProgram) -> Callable[[Graph], str]:
    """The line on shapes and layouts in a model's docstring."""
    known = {lowered.graph: lowered for lowered in program.models.values()}

    def describe(graph: Graph) -> str:
        lowered = known.get(graph)
        none: Layouts = (None,) * max(len(graph.inputs), len(graph.outputs))
        inputs = _values(
            [v.name or "x" for v in graph.inputs],
            graph.inputs,
            lowered.input_layouts if lowered else none,
        )
        outputs = _values(
            list(graph.output_names), graph.outputs, lowered.output_layouts if lowered else none
        )
        return f"{inputs} -> {outputs}"

    return describe


def _values(names: list[str], values: tuple[Value, ...], layouts: Layouts) -> str:
    texts = []
    for name, value, layout in zip(names, values, layouts, strict=False):
        dtype = "" if value.type.dtype == "f32" else value.type.dtype
        texts.append(f"{name} {dtype}{show(value.type.shape)}" + (f" ({layout})" if layout else ""))
    return ", ".join(texts)


def weight_map(
    plan: Plan,
    reorders: Mapping[str, tuple[Transform, ...]],
    native: Callable[[Owner], str],
    transforms: Callable[[Owner], tuple[Transform, ...]] = lambda owner: (),
) -> WeightMap:
    """Canonical paths to native names; first the layout's transforms, then the target's own."""
    return tuple(
        NativeWeight(
            owner.weight.path,
            native(owner),
            (*reorders.get(owner.weight.path, ()), *transforms(owner)),
        )
        for owner in owners(plan)
    )
