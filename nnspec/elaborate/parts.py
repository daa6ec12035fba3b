"""Parts of networks in a training program: their names, and the weights that they lead to."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from typing import Any

from nnspec.elaborate.errors import error
from nnspec.elaborate.values import Part, describe
from nnspec.graph.flow import named
from nnspec.graph.graph import Graph, Weight, graphs, weights
from nnspec.graph.training import Network
from nnspec.report.diagnostics import did_you_mean
from nnspec.report.source import Span


def check_part(network: Network, path: tuple[str, ...], span: Span) -> None:
    """Raise E0503 where a network has nothing of that name."""
    prefix = ".".join(path)
    known = set(_names(network.model))
    if prefix and prefix not in known:
        beginnings = {k.split(".")[0] for k in known}
        raise error(
            "E0503",
            f"`{network.name}` has no part `{prefix}`",
            span,
            "unknown",
            helps=did_you_mean(path[0], beginnings)
            or (f"its parts are {', '.join(f'`{b}`' for b in sorted(beginnings))}",),
        )


def _names(model: Graph) -> Iterator[str]:
    """Paths of everything in a model that has a name: weights, layers, what holds them."""
    for weight in weights(model):
        yield from accumulate(weight.path.split("."), "{}.{}".format)
    for graph in graphs(model):
        for step in graph.steps:
            if step.layer is not None:
                path = f"{graph.path}.{step.layer}" if graph.path else step.layer
                yield from accumulate(path.split("."), "{}.{}".format)


def are_parts(value: Any) -> bool:
    """Whether it is a network, a part of one, or a list of such."""
    if isinstance(value, (list, tuple)):
        return bool(value) and all(isinstance(v, (Network, Part)) for v in value)
    return isinstance(value, (Network, Part))


def trained_weights(value: Any, span: Span) -> list[Weight]:
    """The trained weights of networks and their parts, each once."""
    found: dict[Weight, None] = {}
    for each in value if isinstance(value, (list, tuple)) else [value]:
        network = each if isinstance(each, Network) else each.network
        path = () if isinstance(each, Network) else tuple(each.path.split("."))[1:]
        check_part(network, path, span)
        own = [w for w in named(network, path) if w.trainable]
        if not own:
            raise error("E0503", f"{describe(each)} has no trained weights", span, "nothing here")
        found |= dict.fromkeys(own)
    return list(found)
