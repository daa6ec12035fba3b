"""Which weights of a canonical file belong to which model of a spec."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nnspec.graph import weights
from nnspec.graph.graph import Graph, Program
from nnspec.graph.graph import weights as weights_of

if TYPE_CHECKING:
    from nnspec.graph.weight_map import Array

ModelWeights = dict[Graph, dict[str, "Array"]]


@dataclass(frozen=True)
class Owner:
    """A model or network that has weights of its own; `prefix` leads its names in a file of several."""

    name: str
    model: Graph
    prefix: str = ""


def owners(program: Program) -> tuple[Owner, ...]:
    """The networks of the training programs; where there is none, the models."""
    networks = [n for training in program.trainings for n in training.networks]
    if not networks:
        several = len(program.models) > 1
        return tuple(Owner(m.name, m, f"{m.name}." if several else "") for m in program.models)
    several = any(len(t.networks) > 1 for t in program.trainings)
    return tuple(Owner(n.name, n.model, f"{n.name}." if several else "") for n in networks)


def load_all(path: Path, program: Program) -> ModelWeights:
    """The weights of every model and network; raises `SpecError` for what does not fit."""
    known = owners(program)
    found: ModelWeights = {
        o.model: weights.load_for(path, weights_of(o.model), o.prefix) for o in known
    }
    for model in program.models:
        if model not in found:
            prefix = next((o.prefix for o in known if o.model.name == model.name), "")
            found[model] = weights.load_for(path, weights_of(model), prefix)
    return found


def joined(arrays: Mapping[str, Mapping[str, Array]]) -> dict[str, Array]:
    """The weights of several networks under one set of names, of one network under its own."""
    if len(arrays) == 1:
        return dict(next(iter(arrays.values())))
    return {f"{name}.{path}": a for name, own in arrays.items() for path, a in own.items()}
