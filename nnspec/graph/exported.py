"""What a program exports, and under which names."""

from __future__ import annotations

from nnspec.graph.graph import Graph, Program


def exported(program: Program) -> dict[str, Graph]:
    """Everything that is built, each under a name of its own.

    A model is called what its declaration is called. Where programs train it with different arguments,
    each is called what its network is called (`net`), and where several programs have a network of
    that name, `Program.net`.
    """
    graphs = list(dict.fromkeys([*program.models, *(g for _, _, g in _networks(program))]))
    found: dict[str, Graph] = {}
    for graph in graphs:
        alike = [g for g in graphs if g.name == graph.name]
        found[graph.name if len(alike) == 1 else _network_name(program, graph)] = graph
    return found


def _networks(program: Program) -> list[tuple[str, str, Graph]]:
    """Name of the program, name of the network, what it is."""
    return [(t.name, n.name, n.model) for t in program.trainings for n in t.networks]


def _network_name(program: Program, graph: Graph) -> str:
    networks = _networks(program)
    mine = [(training, network) for training, network, g in networks if g is graph]
    if not mine:
        return graph.name
    training, network = mine[0]
    taken = {g.name for g in program.models} | {n for _, n, g in networks if g is not graph}
    return f"{training}.{network}" if network in taken else network
