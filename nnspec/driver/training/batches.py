"""Columns of a data set in batches, as a target has them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nnspec.catalogue.data.rows import in_memory
from nnspec.core.dtypes import DTYPES
from nnspec.graph.weight_map import Array

if TYPE_CHECKING:
    from nnspec.catalogue.data.rows import Rows

Batch = list[Array]


@dataclass(frozen=True)
class Column:
    """One of a batch. dtype: of the language; order: in which the target has its axes, None where as in the data."""

    name: str
    dtype: str
    order: tuple[int, ...] | None = None


class Columns:
    """The columns that a program reads, in their types; what is not in memory stays where it is."""

    def __init__(self, columns: Mapping[str, Rows], wanted: Sequence[Column]) -> None:
        self.orders = [c.order for c in wanted]
        self.types = [np.dtype(DTYPES[c.dtype].numpy) for c in wanted]
        found = (columns[c.name] for c in wanted)
        self.columns = [
            c.astype(t, copy=False) if in_memory(c) else c for c, t in zip(found, self.types)
        ]
        self.rows = len(self.columns[0])

    def take(self, rows: Array | slice) -> Batch:
        """A batch of some rows."""
        taken: Batch = []
        for column, dtype, order in zip(self.columns, self.types, self.orders):
            # A view of a file cannot be written to, which PyTorch asks of its arrays.
            part = column[rows] if in_memory(column) else np.array(column[rows], dtype)
            taken.append(np.ascontiguousarray(part if order is None else part.transpose(order)))
        return taken

    def parts(self, size: int) -> Iterator[slice]:
        """All rows in their order, so many at a time."""
        return (slice(begin, begin + size) for begin in range(0, self.rows, size))


def ahead(
    places: Iterable[Array | slice], take: Callable[[Array | slice], Batch]
) -> Iterator[tuple[Array | slice, Batch]]:
    """Each batch with its rows, taken in another thread while the one before it is worked on."""
    with ThreadPoolExecutor(1) as pool:
        before = None
        for place in places:
            taken = place, pool.submit(take, place)
            if before is not None:
                yield before[0], before[1].result()
            before = taken
        if before is not None:
            yield before[0], before[1].result()
