"""Columns of a data set in batches, as a target has them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from nnspec.core.dtypes import DTYPES
from nnspec.graph.weight_map import Array

Batch = list[Array]


@dataclass(frozen=True)
class Column:
    """One of a batch. dtype: of the language; order: in which the target has its axes, None where as in the data."""

    name: str
    dtype: str
    order: tuple[int, ...] | None = None


class Columns:
    """The columns that a program reads, in their types."""

    def __init__(self, arrays: Mapping[str, Array], columns: Sequence[Column]) -> None:
        self.orders = [c.order for c in columns]
        self.arrays = [arrays[c.name].astype(DTYPES[c.dtype].numpy, copy=False) for c in columns]
        self.rows = len(self.arrays[0])

    def take(self, rows: Array | slice) -> Batch:
        """A batch of some rows."""
        return [
            np.ascontiguousarray(a[rows] if order is None else a[rows].transpose(order))
            for a, order in zip(self.arrays, self.orders)
        ]

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
