"""How the weights of a layer begin where the writer says nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from nnspec.catalogue.initializers import Initializer
from nnspec.graph.graph import Node


def usual_initializers(node: Node) -> Mapping[str, Initializer]:
    """By role, the initialisers that the layer's declaration has by default."""
    defaults = {
        f.name: f.default
        for f in dataclasses.fields(node.op)
        if isinstance(getattr(node.op, f.name), Initializer)
    }
    op = dataclasses.replace(node.op, **defaults)
    return {s.role: s.initializer for s in op.weights(*(v.type for v in node.inputs))}


def unusual(
    node: Node, usual: Mapping[str, Initializer] | None = None
) -> Mapping[str, Initializer]:
    """By role, the initialisers of weights that begin otherwise; `usual` goes before the declaration's."""
    expected = {**usual_initializers(node), **(usual or {})}
    return {
        w.role: w.initializer
        for w in node.weights
        if w.initializer is not None and w.initializer != expected[w.role]
    }
