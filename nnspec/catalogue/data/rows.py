"""Columns that are read by rows, when these are wanted: what does not fit into memory is never held whole."""

from __future__ import annotations

import math
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from nnspec.core.lazy import np

if TYPE_CHECKING:
    from typing import TypeAlias, TypeGuard

    from nnspec.core.arrays import Pieces

    Array = np.ndarray[Any, Any]
    Rows: TypeAlias = "np.ndarray[Any, Any] | Read"

PART = 1 << 24
"""Bytes of a column that are looked at together."""


class Read(ABC):
    """A column that lies elsewhere: shape and element type of the whole, and any of its rows as an array."""

    limits: tuple[float, float] | None = None
    """Between what all its elements lie, where that is known without looking."""

    def __init__(self, shape: tuple[int, ...], dtype: str) -> None:
        self.shape, self.dtype = shape, np.dtype(dtype)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Array | slice) -> Array:
        if isinstance(rows, slice):
            rows = np.arange(*rows.indices(len(self)))
        return self.take(rows)

    @abstractmethod
    def take(self, rows: Array) -> Array:
        """The rows of these numbers, as an array of its own."""

    def examine(self) -> None:  # noqa: B027  most are made of what has been looked at
        """Look at what rows are made from, before anybody waits for them; raises `SpecError`."""

    def checksum(self) -> int:
        """Of what rows are made from."""
        return _checksum(self)


class Chosen(Read):
    """Some rows of a column, in some order."""

    def __init__(self, rows: Rows, places: Array) -> None:
        super().__init__((len(places), *rows.shape[1:]), rows.dtype.str)
        self.rows, self.places = rows, places
        self.limits = None if isinstance(rows, np.ndarray) else rows.limits

    def take(self, rows: Array) -> Array:
        return np.array(self.rows[self.places[rows]])

    def examine(self) -> None:
        if not isinstance(self.rows, np.ndarray):
            self.rows.examine()

    def checksum(self) -> int:
        return zlib.crc32(self.places.data, checksum(self.rows))


class Pixels(Read):
    """Bytes that stand for brightness, as f32 in [0, 1]."""

    limits = (0.0, 1.0)

    def __init__(self, content: Array) -> None:
        super().__init__(content.shape, "f4")
        self.content = content

    def take(self, rows: Array) -> Array:
        taken: Array = self.content[rows].astype(np.float32) / np.float32(255)
        return taken

    def checksum(self) -> int:
        return checksum(self.content)


def in_memory(rows: Rows) -> TypeGuard[Array]:
    """Whether a column is held whole."""
    return isinstance(rows, np.ndarray) and not isinstance(rows, np.memmap)


def chosen(rows: Rows, places: Array) -> Rows:
    """Some rows, in memory where the column is."""
    return rows[places] if in_memory(rows) else Chosen(rows, places)


def parts(rows: Rows) -> Iterator[tuple[int, Array]]:
    """A column piece by piece, each with the number of its first row."""
    row = rows.dtype.itemsize * math.prod(rows.shape[1:])
    size = max(1, PART // max(1, row))
    return ((begin, rows[begin : begin + size]) for begin in range(0, len(rows), size))


def writable(rows: Rows) -> Array | Pieces:
    """A column as files are written."""
    if in_memory(rows):
        return rows
    from nnspec.core.arrays import Pieces

    return Pieces(rows.shape, rows.dtype, (part for _, part in parts(rows)))


def checksum(rows: Rows) -> int:
    """Of a column's content."""
    return _checksum(rows) if isinstance(rows, np.ndarray) else rows.checksum()


def _checksum(rows: Rows) -> int:
    found = 0
    for _, part in parts(rows):
        found = zlib.crc32(np.ascontiguousarray(part).data, found)
    return found
