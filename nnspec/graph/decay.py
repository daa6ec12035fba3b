"""Which weights an optimizer leaves as they are but for their gradient: `no_decay = [bias, norm, net.head]`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Union

from nnspec.catalogue.ops.base import Op
from nnspec.catalogue.ops.dense import Embedding
from nnspec.catalogue.ops.normalization import BatchNorm
from nnspec.catalogue.ops.norms import OverAxes, OverSpace
from nnspec.graph.graph import Graph, Node, Weight, graphs
from nnspec.graph.training import Network

Selection = Sequence[Union[str, tuple[str, ...]]]
"""Roles, and paths of networks and of their parts."""

ROLES: dict[str, Callable[[Op | None, Weight], bool]] = {
    "bias": lambda op, weight: "bias" in weight.role,
    "norm": lambda op, weight: isinstance(op, (BatchNorm, OverAxes, OverSpace)),
    "embedding": lambda op, weight: isinstance(op, Embedding),
}
"""What a weight can be: of all layers the offsets, all of a normalisation, the rows of an embedding."""


def spared(selection: Selection, network: Network) -> frozenset[str]:
    """Paths of the network's trained weights that are selected."""
    roles = tuple(s for s in selection if isinstance(s, str))
    parts = [".".join(s[1:]) for s in selection if not isinstance(s, str) and s[0] == network.name]
    found = _of_roles(network.model, roles)
    return found | {
        path
        for path in _trained(network.model)
        if any(not part or path == part or path.startswith(part + ".") for part in parts)
    }


@lru_cache(maxsize=64)
def _of_roles(model: Graph, roles: tuple[str, ...]) -> frozenset[str]:
    return frozenset(
        weight.path
        for op, weight in _weights(model)
        if weight.trainable and any(ROLES[role](op, weight) for role in roles)
    )


@lru_cache(maxsize=64)
def _trained(model: Graph) -> frozenset[str]:
    return frozenset(weight.path for _, weight in _weights(model) if weight.trainable)


def _weights(model: Graph) -> Iterator[tuple[Op | None, Weight]]:
    """Every weight with the layer that holds it; None where it stands free."""
    for graph in graphs(model):
        for step in graph.steps:
            if isinstance(step, Node):
                yield from ((step.op, weight) for weight in step.weights)
            yield from ((None, v) for v in step.inputs if isinstance(v, Weight))
