"""Random rows that fit whatever a program reads: to try it out before there is data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnspec.catalogue.data.catalogue import DATASETS, DataSet, Wanted
from nnspec.core.dtypes import DTYPES
from nnspec.core.fields import arg
from nnspec.core.kinds import whole
from nnspec.core.lazy import np
from nnspec.report.diagnostics import Diagnostic, SpecError

if TYPE_CHECKING:
    from nnspec.catalogue.data.catalogue import Columns

    Array = np.ndarray[Any, Any]

UNSAID = 8
"""Elements along an axis whose size the program leaves open."""
CHOICES = 10
"""Whole numbers are less than this, where the program does not choose by them."""


@DATASETS.add
class Synthetic(DataSet):
    """Random rows for the columns of any batch: numbers of a normal distribution, whole numbers within what they choose from."""

    name = "synthetic"
    columns = None
    rows: int = arg("how many", whole(1), default=1000)
    seed: int = arg("which", whole(0, 2**32 - 1), default=0)

    def read(self, root: Path) -> tuple[Columns, Columns]:
        raise SpecError(
            Diagnostic(
                "E0706",
                "`synthetic` has no columns of its own: it fits a program's batch",
                helps=("name it there: `data = synthetic(rows = 1000)`",),
            )
        )

    def read_for(self, wanted: Sequence[Wanted], root: Path) -> tuple[Columns, Columns]:
        from nnspec.core.arrays import memory

        shapes = {w.name: (self.rows, *map(_size, w.shape[1:])) for w in wanted}
        size = sum(8 * math.prod(shape) for shape in shapes.values())
        if size > memory():
            message = (
                f"{self.rows} synthetic rows are {size:,} bytes, more than this machine's memory"
            )
            raise SpecError(Diagnostic("E0801", message, helps=("ask for fewer `rows`",)))
        generator = np.random.default_rng(self.seed)
        return {w.name: _drawn(w, shapes[w.name], generator) for w in wanted}, {}


def _size(size: int | str) -> int:
    if isinstance(size, int):
        return size
    if not size.isidentifier():
        message = f"no synthetic data is made for a size that follows from others, `{size}`"
        raise SpecError(Diagnostic("E0604", message, helps=("write a number there in `batch`",)))
    return UNSAID


def _drawn(wanted: Wanted, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
    dtype = DTYPES[wanted.dtype]
    if dtype.is_integer:
        return generator.integers(0, wanted.choices or CHOICES, shape).astype(dtype.numpy)
    if dtype.kind == "bool":
        return generator.integers(0, 2, shape).astype(bool)
    return generator.standard_normal(shape).astype(dtype.numpy)
