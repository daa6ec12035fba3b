"""The catalogue by families: a page of the reference each, in the order in which one would look for them."""

from __future__ import annotations

import inspect
import sys
from dataclasses import dataclass

from nnspec.catalogue.ops import OPS, Op


@dataclass(frozen=True)
class Family:
    """name: of the page. title: what the ops of it are, in one line."""

    name: str
    title: str
    ops: tuple[type[Op], ...]


def families() -> list[Family]:
    """Every op that can be written is in one, by the module that declares it."""
    by_module: dict[str, list[type[Op]]] = {}
    for op in OPS.values():
        by_module.setdefault(op.__module__, []).append(op)
    return [
        Family(module.rpartition(".")[2], _title(module), tuple(ops))
        for module, ops in sorted(by_module.items())
    ]


def _title(module: str) -> str:
    doc = inspect.getdoc(sys.modules[module]) or ""
    return doc.partition("\n")[0].rstrip(".")
