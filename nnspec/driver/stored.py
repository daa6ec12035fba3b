"""Which weights of a canonical file belong to which model of a spec."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nnspec.graph import weight_files
from nnspec.graph.graph import Graph, Program
from nnspec.graph.graph import weights as weights_of
from nnspec.graph.weights import JoinedWeights, LazyWeights
from nnspec.report.diagnostics import Diagnostic, SpecError

if TYPE_CHECKING:
    from nnspec.graph.training import Training
    from nnspec.graph.weight_map import Array

ModelWeights = dict[Graph, Mapping[str, "Array"]]


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


def owner_named(program: Program, path: str, name: str | None) -> Owner:
    """The owner of that name, or the only one; raises `SpecError` (E0705). path: of the spec."""
    known = owners(program)
    if name is None and len(known) == 1:
        return known[0]
    matching = [o for o in known if name in (o.name, o.model.name)]
    if len(matching) == 1:
        return matching[0]
    names = ", ".join(dict.fromkeys(o.name for o in known))
    raise SpecError(
        Diagnostic(
            "E0705",
            f"`{path}` has {len(known) or 'no'} networks; say whose weights these are",
            notes=(f"networks: {names}",) if known else (),
            helps=(f"add `--model {known[0].name}`",) if known else (),
        )
    )


def load_all(path: Path, program: Program, whole: Program | None = None) -> ModelWeights:
    """The weights of every model and network; raises `SpecError` for what does not fit.

    whole: the program of the file, where `program` is a part of it.
    """
    arrays = weight_files.load(path)
    known = owners(whole or program)
    networks = (n.model for t in program.trainings for n in t.networks)
    found: ModelWeights = {}
    for model in dict.fromkeys([*networks, *program.models]):
        own = [o for o in known if o.model is model] or [
            o for o in known if o.model.name == model.name
        ]
        found[model] = fit(arrays, own[0] if own else Owner(model.name, model), path)
    return found


def load_owners(
    path: Path, program: Program, whole: Program | None = None
) -> dict[Owner, Mapping[str, Array]]:
    """The weights of every owner: networks that are instances of one model have each their own."""
    arrays = weight_files.load(path)
    known = owners(whole or program)
    found: dict[Owner, Mapping[str, Array]] = {}
    for owner in owners(program):
        likely = [o for o in known if o.model is owner.model]
        likely.sort(key=lambda o: (o.program, o.network) != (owner.program, owner.network))
        found[owner] = fit(arrays, likely[0] if likely else owner, path)
    return found


def load_networks(
    path: Path, training: Training, program: Program
) -> dict[str, Mapping[str, Array]]:
    """The weights of a training program's networks by name; `program` is that of its file."""
    arrays = weight_files.load(path)
    return {
        o.network: fit(arrays, o, path)
        for o in owners(program)
        if o.network is not None and o.program == training.name
    }


def fit(arrays: weight_files.StoredWeights, owner: Owner, path: Path) -> Mapping[str, Array]:
    """An owner's weights among those of a file; raises `SpecError` with all that does not fit."""
    own = (arrays.under(prefix) for prefix in owner.prefixes)
    chosen = next((part for part in own if part), arrays)
    return weight_files.fit(chosen, weights_of(owner.model), str(path))


def joined(arrays: Mapping[str, Mapping[str, Array]]) -> Mapping[str, Array]:
    """The weights of several networks under one set of names, of one network under its own."""
    names = {
        path if len(arrays) == 1 else f"{name}.{path}": (own, path)
        for name, own in arrays.items()
        for path in own
    }
    lazy = {n: (own, path) for n, (own, path) in names.items() if isinstance(own, LazyWeights)}
    if len(lazy) == len(names):
        return JoinedWeights(lazy)
    return {name: own[path] for name, (own, path) in names.items()}
