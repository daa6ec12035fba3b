"""Weights in files that other programs wrote: what every target's reader of them gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nnspec.core.arrays import memory
from nnspec.graph.graph import Node, Weight
from nnspec.graph.weight_map import Array, Transform
from nnspec.graph.weights import LazyWeights

MOST_ARRAYS = 100_000
"""In one file."""

LONGEST_NAME = 1_000


class ForeignError(ValueError):
    """What is wrong with a file, to be said after its name: "ends early"."""


Form = Callable[[Node | None, Weight], tuple[Transform, ...]]


def as_canonical(node: Node | None, weight: Weight) -> tuple[Transform, ...]:
    """Of formats that keep weights as canonical files do."""
    return ()


@dataclass(frozen=True)
class Foreign:
    """The arrays of a file, each read when it is asked for.

    ordered: whether they come in the order in which their layers were defined.
    form: how the format keeps a weight of a node (None: a free one): from canonical to there.
    """

    arrays: Mapping[str, Array]
    ordered: bool = True
    form: Form = as_canonical


@dataclass(frozen=True)
class Stored:
    """An array that has not been read yet."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    read: Callable[[], Array]


class StoredArrays(LazyWeights):
    """Arrays by name; raises `ForeignError` where together they cannot be what a file holds."""

    def __init__(self, entries: Mapping[str, Stored]) -> None:
        self._entries = entries
        if len(entries) > MOST_ARRAYS:
            raise ForeignError(f"holds {len(entries):,} arrays; {MOST_ARRAYS:,} are the most")
        if long := next((n for n in entries if len(n) > LONGEST_NAME), None):
            raise ForeignError(f"has a name of {len(long):,} characters")

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def shape(self, path: str) -> tuple[int, ...]:
        return self._entries[path].shape

    def dtype(self, path: str) -> np.dtype[Any]:
        return self._entries[path].dtype

    def parts(self, path: str) -> Iterator[Array]:
        yield self._entries[path].read().reshape(-1)


def check_size(size: int) -> int:
    """Bytes that are about to be read, where this machine could hold them."""
    if not 0 <= size <= memory():
        raise ForeignError(f"says that it holds {size:,} bytes, more than this machine's memory")
    return size
