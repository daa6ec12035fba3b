"""Names that every file knows."""

from __future__ import annotations

from functools import cache
from math import pi

from nnspec.catalogue.data.catalogue import DATASETS
from nnspec.catalogue.initializers import INITIALIZERS
from nnspec.catalogue.ops import OPS
from nnspec.catalogue.settings import Best
from nnspec.core.dtypes import DTYPES
from nnspec.elaborate.builtins import BUILTINS
from nnspec.elaborate.library import shipped_names
from nnspec.elaborate.values import Reference


@cache
def catalogue() -> dict[str, Reference | str | float]:
    """Name to what it stands for; a dtype stands for its name."""
    found: dict[str, Reference | str | float] = {name: name for name in DTYPES}
    found["pi"] = pi
    found |= {name: Reference("library", name, None) for name in shipped_names()}
    found["scan"] = Reference("scan", "scan", None)
    found["grad"] = Reference("grad", "grad", None)
    for kind, table in (
        ("initializer", INITIALIZERS),
        ("data", DATASETS),
        ("setting", {Best.name: Best}),
        ("op", {name: op for name, op in OPS.items() if not op.hidden}),
        ("builtin", BUILTINS),  # where an op has the same name, tensors lead to that
    ):
        for name, target in table.items():
            found[name] = Reference(kind, name, target)
    return found
