"""Orders of axes, and how a value lies in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

from nnspec.core.dims import Shape

Order = tuple[int, ...]
"""For each axis as it lies in memory, which axis of the language it is."""

Item = TypeVar("Item")


@lru_cache(maxsize=256)
def plain(rank: int) -> Order:
    """The language's own."""
    return tuple(range(rank))


@lru_cache(maxsize=256)
def first(rank: int) -> Order:
    """Features second, where most targets keep those of an image; the language has them last."""
    return (0, rank - 1, *range(1, rank - 1)) if rank > 1 else plain(rank)


def lay(items: Sequence[Item], order: Order) -> tuple[Item, ...]:
    """What is given for each axis of the language, as the axes lie."""
    return tuple(items[axis] for axis in order)


def between(have: Order, want: Order) -> Order:
    """The transposition that leads from one order to another."""
    return tuple(have.index(axis) for axis in want)


def inverse(order: Order) -> Order:
    """The transposition back to the language's order."""
    return between(order, plain(len(order)))


def without_axes(order: Order, gone: Sequence[int]) -> Order:
    """The order of the axes that are left, counted anew."""
    left = [axis for axis in order if axis not in gone]
    counted = sorted(left)
    return tuple(counted.index(axis) for axis in left)


def keeps_elements(shape: Shape, order: Order) -> bool:
    """Whether the elements lie as the language counts them: at most axes of size 1 have moved."""
    long = [axis for axis in order if shape[axis] != 1]
    return long == sorted(long)


@dataclass(frozen=True, slots=True)
class Form:
    """How a value lies in memory.

    order: of its axes; one that is longer than the value's rank counts axes of size 1 in front.
    grid, inner: where several axes were joined to the last one, their sizes, and the order in which
    they lay, so that its elements stand in another order than the language's.
    """

    order: Order
    grid: tuple[int, ...] = ()
    inner: Order = ()

    @property
    def is_plain(self) -> bool:
        return not self.grid and self.order == plain(len(self.order))


@lru_cache(maxsize=256)
def plain_form(rank: int) -> Form:
    return Form(plain(rank))


@lru_cache(maxsize=256)
def first_form(rank: int) -> Form:
    return Form(first(rank))
