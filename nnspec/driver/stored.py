"""Which weights of a canonical file belong to which model of a spec."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nnspec.graph import weights
from nnspec.graph.graph import Graph, Program
from nnspec.graph.graph import weights as weights_of

if TYPE_CHECKING:
    from nnspec.graph.training import Training
    from nnspec.graph.weight_map import Array

ModelWeights = dict[Graph, dict[str, "Array"]]


@dataclass(frozen=True)
class Owner:
    """A model or network that has weights of its own.

    name: `net`, or `Program.net` where two programs have a network `net`; of a model, its own.
    prefixes: what leads its names in a file of several networks, the likeliest first.
    program, network: of a network, the names in the spec.
    """

    name: str
    model: Graph
    prefixes: tuple[str, ...] = ()
    program: str | None = None
    network: str | None = None


def owners(program: Program) -> tuple[Owner, ...]:
    """The networks of the training programs; where there is none, the models."""
    networks = [(t, n) for t in program.trainings for n in t.networks]
    if not networks:
        several = len(program.models) > 1
        return tuple(Owner(m.name, m, (f"{m.name}.",) if several else ()) for m in program.models)
    counts = Counter(n.name for _, n in networks)
    found = []
    for training, network in networks:
        own = network.name
        name = own if counts[own] == 1 else f"{training.name}.{own}"
        # A file that one program's run ended with holds that program's networks alone.
        prefixes = dict.fromkeys([f"{name}.", *([f"{own}."] if len(training.networks) > 1 else [])])
        several = len(networks) > 1
        found.append(
            Owner(name, network.model, tuple(prefixes) if several else (), training.name, own)
        )
    return tuple(found)


def load_all(path: Path, program: Program, whole: Program | None = None) -> ModelWeights:
    """The weights of every model and network; raises `SpecError` for what does not fit.

    whole: the program of the file, where `program` is a part of it.
    """
    arrays = weights.load(path)
    known = owners(whole or program)
    networks = (n.model for t in program.trainings for n in t.networks)
    found: ModelWeights = {}
    for model in dict.fromkeys([*networks, *program.models]):
        own = [o for o in known if o.model is model] or [
            o for o in known if o.model.name == model.name
        ]
        found[model] = fit(arrays, own[0] if own else Owner(model.name, model), path)
    return found


def load_networks(path: Path, training: Training, program: Program) -> dict[str, dict[str, Array]]:
    """The weights of a training program's networks by name; `program` is that of its file."""
    arrays = weights.load(path)
    return {
        o.network: fit(arrays, o, path)
        for o in owners(program)
        if o.network is not None and o.program == training.name
    }


def fit(arrays: Mapping[str, Array], owner: Owner, path: Path) -> dict[str, Array]:
    """An owner's weights among those of a file; raises `SpecError` with all that does not fit."""
    for prefix in owner.prefixes:
        own = {n.removeprefix(prefix): a for n, a in arrays.items() if n.startswith(prefix)}
        if own:
            arrays = own
            break
    return weights.fit(arrays, weights_of(owner.model), str(path))


def joined(arrays: Mapping[str, Mapping[str, Array]]) -> dict[str, Array]:
    """The weights of several networks under one set of names, of one network under its own."""
    if len(arrays) == 1:
        return dict(next(iter(arrays.values())))
    return {f"{name}.{path}": a for name, own in arrays.items() for path, a in own.items()}
