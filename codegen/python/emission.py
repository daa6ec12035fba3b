"""What channels-first Python targets do before they write: every model in its physical layout."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from codegen.python.plan import Owner, Plan, owners
from nnspec.core.dims import show
from nnspec.graph.graph import Call, Graph, Program, Value
from nnspec.graph.layouts import Layouts
from nnspec.graph.passes.layout import Lowered, LoweredTraining, lower, lower_training
from nnspec.graph.passes.legalize import Legality, legalize, legalize_training
from nnspec.graph.training import Training
from nnspec.graph.weight_map import NativeWeight, Piece, Transform, WeightMap


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


def lowered_program(program: Program, target: Legality) -> LoweredProgram:
    """Every model, and every network as its training program has it, of what the target can write."""
    models = {graph: lower(legalize(graph, target)) for graph in program.models}
    trainings = tuple(lower_training(legal_training(t, target)) for t in program.trainings)
    for training, lowered in zip(program.trainings, trainings, strict=True):
        for network in training.networks:
            models[network.model] = lowered.networks[network.name]
    return LoweredProgram(models, trainings)


def legal_training(training: Training, target: Legality) -> Training:
    """The program and its networks, of what the target can write."""
    legal = legalize_training(training, target)
    models = {n.name: legalize(n.model, target) for n in training.networks}
    networks = tuple(replace(n, model=models[n.name]) for n in training.networks)
    steps = tuple(
        replace(s, body=models[s.layer]) if isinstance(s, Call) and s.layer in models else s
        for s in legal.steps
    )
    return replace(legal, networks=networks, steps=steps)


def described(program: LoweredProgram) -> Callable[[Graph], str]:
    """The line on shapes and layouts in a model's docstring."""
    known = {lowered.graph: lowered for lowered in program.models.values()}

    def describe(graph: Graph) -> str:
        lowered = known[graph]
        names = [v.name or "x" for v in graph.inputs]
        inputs = _values(names, graph.inputs, lowered.input_layouts)
        outputs = _values(graph.output_names, graph.outputs, lowered.output_layouts)
        return f"{inputs} -> {outputs}"

    return describe


def _values(names: Sequence[str], values: Sequence[Value], layouts: Layouts) -> str:
    """Each with its axes; where it has so many that other orders are usual, whose order that is."""
    texts = []
    for name, value, layout in zip(names, values, layouts, strict=True):
        dtype = "" if value.type.dtype == "f32" else value.type.dtype
        order = f" ({layout})" if value.type.rank > 2 else ""
        texts.append(f"{name} {dtype}{show(value.type.shape)}{order}")
    return ", ".join(texts)


def weight_map(
    plan: Plan,
    reorders: Mapping[str, tuple[Transform, ...]],
    native: Callable[[Owner], str],
    transforms: Callable[[Owner], tuple[Transform, ...]] = lambda owner: (),
    piece: Callable[[Owner], Piece | None] = lambda owner: None,
) -> WeightMap:
    """Canonical paths to native names; first the layout's transforms, then the target's own."""
    return tuple(
        NativeWeight(
            owner.weight.path,
            native(owner),
            (*reorders.get(owner.weight.path, ()), *transforms(owner)),
            piece(owner),
        )
        for owner in owners(plan)
    )
