"""All families together."""

from __future__ import annotations

from codegen.gluon.initializers import with_initializers
from codegen.gluon.layer import Layers
from codegen.gluon.ops import (
    activations,
    dense,
    elementwise,
    losses,
    normalization,
    norms,
    random,
    recurrent,
    reduction,
    resizing,
    shaping,
    spatial,
)
from codegen.python.native import Table, tables
from codegen.rules import Native
from nnspec.catalogue.ops.base import Op

FAMILIES: tuple[Table, ...] = tuple(
    family.TABLE
    for family in (
        activations,
        dense,
        elementwise,
        losses,
        normalization,
        norms,
        random,
        recurrent,
        reduction,
        resizing,
        shaping,
        spatial,
    )
)
TABLES = tables(FAMILIES, with_initializers)
OPERATORS: dict[type[Op], Native] = {
    op: native
    for family in FAMILIES
    if isinstance(family, Layers)
    for op, native in family.operators.items()
}
"""Layers as operators of a symbol graph."""
