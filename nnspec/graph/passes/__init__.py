"""Passes: plain functions from graph to graph, in order; the graph is verified after each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from nnspec.graph.graph import Call, Graph, Program
from nnspec.graph.passes.drop_dead import drop_dead
from nnspec.graph.passes.fold_loops import fold_loops
from nnspec.graph.passes.verify_graph import verify_graph
from nnspec.graph.training import Training

PASSES: tuple[Callable[[Graph], Graph], ...] = (drop_dead,)


def optimise(graph: Graph) -> Graph:
    """The graph after every pass."""
    verify_graph(graph, "elaboration")
    for change in PASSES:
        graph = verify_graph(change(graph), change.__name__)
    return graph


def optimise_program(program: Program) -> Program:
    """Every model, and every network as the same graph wherever it is used."""
    done: dict[Graph, Graph] = {}

    def once(graph: Graph) -> Graph:
        if graph not in done:
            done[graph] = optimise(graph)
        return done[graph]

    models = tuple(once(m) for m in program.models)
    return replace(
        program, models=models, trainings=tuple(_training(t, once) for t in program.trainings)
    )


def _training(training: Training, once: Callable[[Graph], Graph]) -> Training:
    networks = {n.name: replace(n, model=once(n.model)) for n in training.networks}
    steps = tuple(
        replace(s, body=networks[s.layer].model) if isinstance(s, Call) and s.layer else s
        for s in training.steps
    )
    return fold_loops(replace(training, networks=tuple(networks.values()), steps=steps))
