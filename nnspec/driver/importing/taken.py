"""What is done to arrays of a file until they are a weight of a spec."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from codegen.foreign import Form
from nnspec.graph.graph import Node, Weight
from nnspec.graph.weight_map import Array, Permute, Reorder, Reshape, Transform


@dataclass(frozen=True)
class Place:
    """A weight of the model, and the node that it belongs to; free weights have none."""

    weight: Weight
    node: Node | None

    @property
    def role(self) -> str:
        """Within its layer, or within the layer inside that: `query.weight` is the `weight` of the queries."""
        return self.weight.role.rpartition(".")[2]

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(d for d in self.weight.type.shape if isinstance(d, int))


@dataclass(frozen=True)
class Cut:
    """Part `number` of `count` along an axis."""

    axis: int
    start: int
    stop: int
    number: int
    count: int


@dataclass(frozen=True)
class Taken:
    """Where a weight comes from, in the order in which it is done.

    sources: arrays of the file; several are added, or joined along `axis`. plus: added to every element.
    form: how the file keeps such a weight (from the canonical layout to there). how: what told so.
    """

    path: str
    sources: tuple[str, ...]
    how: str
    joined: bool = False
    axis: int = 0
    plus: float = 0.0
    reshape: tuple[int, ...] | None = None
    transpose: tuple[int, ...] | None = None
    cut: Cut | None = None
    form: tuple[Transform, ...] = ()

    def array(self, arrays: Mapping[str, Array]) -> Array:
        """The weight."""
        parts = [arrays[name] for name in self.sources]
        if self.joined:
            found = np.concatenate(parts, axis=self.axis)
        else:
            found = parts[0]
            for part in parts[1:]:
                found = found + part
        if self.plus:
            found = found + np.asarray(self.plus, found.dtype)
        if self.reshape is not None:
            found = found.reshape(self.reshape)
        if self.transpose is not None:
            found = found.transpose(self.transpose)
        if self.cut is not None:
            found = np.moveaxis(
                np.moveaxis(found, self.cut.axis, 0)[self.cut.start : self.cut.stop],
                0,
                self.cut.axis,
            )
        for transform in reversed(self.form):
            found = transform.undo(found)
        return np.asarray(found, order="C")

    @property
    def done(self) -> tuple[str, ...]:
        """What was done, in words; nothing where the array stands as it was."""
        told = []
        if len(self.sources) > 1:
            told.append(f"joined along axis {self.axis}" if self.joined else "added")
        if self.plus:
            told.append(f"plus {self.plus:g}")
        if self.reshape is not None:
            told.append(f"reshaped to {list(self.reshape)}")
        if self.transpose is not None:
            told.append(f"transposed {list(self.transpose)}")
        if self.cut is not None:
            told.append(f"part {self.cut.number} of {self.cut.count} along axis {self.cut.axis}")
        for transform in reversed(self.form):
            match transform:
                case Permute(order):
                    told.append(f"transposed {[order.index(i) for i in range(len(order))]}")
                case Reshape(before, _):
                    told.append(f"reshaped to {list(before)}")
                case Reorder():
                    told.append("columns reordered")
                case _:
                    told.append("gates reordered")
        return tuple(told)


def fitting(shape: Sequence[int], place: Place, form: Form) -> tuple[Transform, ...] | None:
    """How an array of that shape keeps the weight (from canonical to there); None where it cannot.

    As the format keeps such weights, else as it stands, else in one of the orders that other formats
    have, else with axes of size 1 more or fewer.
    """
    shape, wanted = tuple(shape), place.shape
    usual = form(place.node, place.weight)
    kept = shape_of(wanted, usual)
    if kept == shape:
        return usual
    if shape == wanted:
        return ()
    for order in _ORDERS.get(len(wanted), ()):
        if tuple(wanted[i] for i in order) == shape:
            return (Permute(order),)
    if kept is not None and _long(shape) == _long(kept):
        return (*usual, Reshape(kept, shape))
    if _long(shape) == _long(wanted):
        return (Reshape(wanted, shape),)
    return None


_ORDERS = {
    2: ((1, 0),),
    3: ((2, 1, 0),),
    # Kernels with features last: (h, w, in, out); those of one channel each: (h, w, channels, 1).
    4: ((2, 3, 1, 0), (2, 3, 0, 1)),
    5: ((2, 3, 4, 1, 0),),
}
"""From canonical to how some format keeps weights of so many axes."""


def _long(shape: Sequence[int]) -> tuple[int, ...]:
    return tuple(n for n in shape if n != 1)


def shape_of(shape: tuple[int, ...], form: Sequence[Transform]) -> tuple[int, ...] | None:
    """The shape that transforms lead to; None where they do not apply."""
    # Without elements, and so without memory: every axis has a stride of 0.
    array: Array = np.broadcast_to(np.zeros((), bool), shape)
    try:
        for transform in form:
            array = transform.apply(array)
    except ValueError:
        return None
    return array.shape


def cuts(shape: Sequence[int], places: Sequence[Place], axis: int) -> list[Cut] | None:
    """The parts of an array along an axis that have these weights' shapes, one after the other."""
    if not 0 <= axis < len(shape) or any(len(p.shape) != len(shape) for p in places):
        return None
    ends = [0]
    for place in places:
        ends.append(ends[-1] + place.shape[axis])
        if [*place.shape[:axis], *place.shape[axis + 1 :]] != [*shape[:axis], *shape[axis + 1 :]]:
            return None
    if ends[-1] != shape[axis]:
        return None
    return [Cut(axis, a, b, i + 1, len(places)) for i, (a, b) in enumerate(pairwise(ends))]


def combined_shape(
    shapes: Sequence[tuple[int, ...]], *, joined: bool, axis: int
) -> tuple[int, ...] | None:
    """The shape of arrays together; None where they do not fit together."""
    first = shapes[0]
    if not joined:
        return first if all(s == first for s in shapes) else None
    if not 0 <= axis < len(first):
        return None
    rest = {(len(s), s[:axis], s[axis + 1 :]) for s in shapes}
    if len(rest) > 1:
        return None
    return (*first[:axis], sum(s[axis] for s in shapes), *first[axis + 1 :])
