"""Names that every file knows."""

from __future__ import annotations

from functools import cache

from nnspec.catalogue.data.catalogue import DATASETS
from nnspec.catalogue.initializers import INITIALIZERS
from nnspec.catalogue.ops import OPS
from nnspec.catalogue.optimizers import OPTIMIZERS
from nnspec.core.dtypes import DTYPES
from nnspec.elaborate.builtins import BUILTINS
from nnspec.elaborate.values import Reference

HIDDEN = frozenset({"constant", "slice", "negative"})
"""Ops that only the compiler makes."""


@cache
def catalogue() -> dict[str, Reference | str]:
    """Name to what it stands for; a dtype stands for its name."""
    found: dict[str, Reference | str] = {name: name for name in DTYPES}
    for kind, table in (
        ("initializer", INITIALIZERS),
        ("optimizer", OPTIMIZERS),
        ("data", DATASETS),
        ("builtin", BUILTINS),
        ("op", OPS),
    ):
        for name, target in table.items():
            if not (kind == "op" and name in HIDDEN):
                found[name] = Reference(kind, name, target)
    return found
