"""Running a model by its definition: `nnspec run --device definition`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from nnspec.core.dims import symbol
from nnspec.core.dtypes import DTYPES
from nnspec.core.orders import plain
from nnspec.driver.runner import Runner
from nnspec.driver.tensors import ELEMENT_TYPES, Input
from nnspec.graph.bounds import index_bounds
from nnspec.graph.evaluate import evaluate_model
from nnspec.graph.graph import Graph, Value
from nnspec.graph.layouts import IMAGE_AXES, Layout
from nnspec.graph.weight_map import Array

DEVICE = "definition"


@dataclass(frozen=True)
class Defined(Runner):
    """A model evaluated with NumPy, in the element types and the order of axes of the spec.

    draws: what it draws at random comes from here, one call after the other.
    """

    model: Graph
    weights: Mapping[str, Array]
    draws: np.random.Generator

    @cached_property
    def inputs(self) -> tuple[Input, ...]:
        bounds = index_bounds(self.model.steps)
        return tuple(_input(v, bounds.get(v)) for v in self.model.inputs)

    @property
    def outputs(self) -> tuple[str, ...]:
        return self.model.output_names

    @property
    def names_sizes(self) -> bool:
        return True

    def _call(self, checked: Mapping[str, Array]) -> list[Array]:
        given = [checked[i.name] for i in self.inputs]
        found = evaluate_model(self.model, given, self.weights, generator=self.draws)
        return list(found.outputs)


def load(model: Graph, weights: Mapping[str, Array], *, seed: int | None = None) -> Defined:
    """The model with its weights, ready to be evaluated; without a seed every run draws anew."""
    return Defined(DEVICE, (), model, weights, np.random.default_rng(seed))


def _input(value: Value, choices: int | None) -> Input:
    """A model's input as files are read for it."""
    array = DTYPES[value.type.dtype].array
    spelled = next(name for name, kind in ELEMENT_TYPES.items() if kind.numpy == array)
    rank = value.type.rank
    shape = tuple(
        d if isinstance(d, int) else str(d) if d == symbol(str(d)) else None
        for d in value.type.shape
    )
    layout = Layout(plain(rank), IMAGE_AXES.get(rank, ""))
    return Input(value.name or "x", f"tensor({spelled})", shape, layout, choices)
