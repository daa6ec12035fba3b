"""Numbers that stand in the spec."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from nnspec.catalogue.ops.base import Example, Op, ShapeError, declare
from nnspec.core.dtypes import DTYPES
from nnspec.core.fields import arg
from nnspec.core.kinds import choice, table
from nnspec.core.lazy import np
from nnspec.core.types import TensorType

if TYPE_CHECKING:
    from nnspec.catalogue.ops.base import Array

Rows = float | tuple["Rows", ...]


@declare
class Numbers(Op):
    """A tensor of numbers that are known: a list is a vector, a list of lists a matrix.

    A list beside a tensor becomes one by itself, of that tensor's element type: `(image - [0.5, 0.4, 0.3]) / 0.2`.
    The numbers are no weights, and stay as they are.
    """

    name = "tensor"
    operands = ()
    values: Rows = arg("the numbers", table)
    dtype: str = arg("element type of the result", choice(*DTYPES), default="f32")

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        kind = DTYPES[self.dtype]
        least, greatest = kind.bounds
        for number in numbers(self.values):
            if not kind.is_float and number != int(number):
                raise ShapeError(f"of {self.dtype} has no fraction, found {number}")
            if not least <= number <= greatest:
                raise ShapeError(f"of {self.dtype} has no number {number}")
        return (TensorType(self.dtype, shape(self.values)),)

    def evaluate(self) -> Array:
        return np.asarray(self.values, DTYPES[self.dtype].numpy)

    @classmethod
    def examples(cls) -> Iterator[Example]:
        yield Example(cls((0.5, -1.0, 2.0)), ())
        yield Example(cls(((1, 0), (0, 1), (2, 3)), "i64"), ())
        yield Example(cls(-1.5), ())
        yield Example(cls(tuple(range(6)), "u8"), ())
        yield Example(cls((2, 3, 4, 5, 6, 7)), ())


def numbers(values: Rows) -> Iterator[float]:
    """All of them, row by row."""
    if isinstance(values, tuple):
        for row in values:
            yield from numbers(row)
    else:
        yield values


def lists(op: Numbers) -> Any:
    """The same as Python's lists: of floats where they are no whole numbers by their type."""
    number = float if DTYPES[op.dtype].is_float else int

    def within(values: Rows) -> Any:
        return [within(row) for row in values] if isinstance(values, tuple) else number(values)

    return within(op.values)


def consecutive(op: Numbers) -> tuple[int, int] | None:
    """The first and the one after the last, where they count up by one, and there are more than one would list.

    Narrow element types are not counted in (Keras refuses), nor floats across numbers that they have not.
    """
    found, kind = op.values, DTYPES[op.dtype]
    if not isinstance(found, tuple) or len(found) < 5 or not isinstance(found[0], int):
        return None
    first, end = found[0], found[0] + len(found)
    if kind.bits < 32 or kind.is_float and max(abs(first), abs(end)) > 2 / kind.epsilon:
        return None
    return (first, end) if found == (*range(first, end),) else None


def shape(values: Rows) -> tuple[int, ...]:
    """How many there are along each axis."""
    return (len(values), *shape(values[0])) if isinstance(values, tuple) else ()
