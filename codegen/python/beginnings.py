"""How the weights of a layer begin where the writer says nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

from nnspec.catalogue.initializers import Initializer
from nnspec.catalogue.ops.base import Op
from nnspec.core.types import TensorType
from nnspec.graph.graph import Node


def usual_initializers(node: Node) -> Mapping[str, Initializer]:
    """By role, the initialisers that the layer's declaration has by default."""
    return _usual(node.op, *(v.type for v in node.inputs))


@lru_cache(1024)
def _usual(op: Op, *operands: TensorType) -> Mapping[str, Initializer]:
    defaults = {
        f.name: f.default
        for f in dataclasses.fields(op)
        if isinstance(getattr(op, f.name), Initializer)
    }
    usual = dataclasses.replace(op, **defaults)
    return MappingProxyType({s.role: s.initializer for s in usual.weights(*operands)})


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
