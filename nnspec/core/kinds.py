"""What an argument may be, and how what was written becomes what the op holds.

A kind's `convert` takes a compile-time value (int, float, bool, str, None, list, tuple, `Dim`,
an initialiser, a dtype name) and returns the field's value, or raises `ValueError` with what was
expected, in the words of a message: "a whole number of at least 1".
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from nnspec.core.dims import Sym


@dataclass(frozen=True)
class Kind:
    """expects: completes "expected ...".

    choices: the strings that it may be, where there are only a few.
    """

    expects: str
    convert: Callable[[Any], Any]
    choices: tuple[str, ...] = ()

    def __call__(self, value: Any) -> Any:
        return self.convert(value)


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def require(
    expects: str, test: Callable[[Any], bool], then: Callable[[Any], Any] = lambda v: v
) -> Kind:
    def convert(value: Any) -> Any:
        if not test(value):
            raise ValueError(expects)
        return then(value)

    return Kind(expects, convert)


def whole(minimum: int | None = None, maximum: int | None = None) -> Kind:
    """A whole number, optionally within bounds."""
    bounds = {
        (False, False): "",
        (True, False): f" of at least {minimum}",
        (False, True): f" of at most {maximum}",
        (True, True): f" from {minimum} to {maximum}",
    }[minimum is not None, maximum is not None]

    def fits(value: Any) -> bool:
        if not _is_int(value):
            return False
        return (minimum is None or value >= minimum) and (maximum is None or value <= maximum)

    return require("a whole number" + bounds, fits)


def real(low: float | None = None, high: float | None = None, *, open_high: bool = False) -> Kind:
    """A number within bounds; `open_high` leaves the upper bound out."""
    bounds = {
        (False, False): "",
        (True, False): f" of at least {low}",
        (False, True): f" of at most {high}",
        (True, True): f" from {low} {'up to, not including,' if open_high else 'to'} {high}",
    }[low is not None, high is not None]

    def fits(value: Any) -> bool:
        if not (_is_int(value) or isinstance(value, float)) or value != value:
            return False
        above = low is None or value >= low
        below = high is None or (value < high if open_high else value <= high)
        return above and below

    return require("a number" + bounds, fits, float)


positive = require(
    "a number above 0",
    lambda v: (_is_int(v) or isinstance(v, float)) and 0 < v < math.inf,
    float,
)
anything = Kind("anything", lambda v: v)
boolean = require("true or false", lambda v: isinstance(v, bool))
string = require("a string", lambda v: isinstance(v, str))
listing = require("a list", lambda v: isinstance(v, (list, tuple, range)))


def instance(expects: str, cls: type[Any]) -> Kind:
    """A value of the compiler's own, such as an initialiser."""
    return require(expects, lambda v: isinstance(v, cls))


def choice(*options: str) -> Kind:
    """One of a few strings."""
    listed = " or ".join(
        [", ".join(f'"{o}"' for o in options[:-1]), f'"{options[-1]}"']
        if options[1:]
        else [f'"{options[0]}"']
    )
    return replace(require(listed, lambda v: v in options), choices=options)


def one_of(*functions: str) -> Kind:
    """One of a few functions of the catalogue, by name or itself."""
    listed = " or ".join(f"`{f}`" for f in functions)

    def convert(value: Any) -> Any:
        name = value if isinstance(value, str) else getattr(value, "name", None)
        if name not in functions:
            raise ValueError(listed)
        return name

    return Kind(listed, convert, functions)


def sizes(rank: int, minimum: int = 1) -> Kind:
    """A whole number for all spatial axes or one for each; becomes a tuple."""
    expects = f"a whole number of at least {minimum}" + (f" or {rank} of them" if rank > 1 else "")

    def convert(value: Any) -> Any:
        many = (value,) * rank if _is_int(value) else value
        if not isinstance(many, (tuple, list)) or len(many) != rank:
            raise ValueError(expects)
        if not all(_is_int(v) and v >= minimum for v in many):
            raise ValueError(expects)
        return tuple(many)

    return Kind(expects, convert)


def optional(kind: Kind) -> Kind:
    """The kind, or `none`."""
    return Kind(f"{kind.expects} or none", lambda v: None if v is None else kind.convert(v))


def padding(rank: int, *named: str) -> Kind:
    """`"valid"`, `"same"`, a number (symmetric), one number an axis, or `((t, b), (l, r))`.

    Becomes a name or a tuple of (before, after) pairs.
    """
    names = " or ".join(f'"{n}"' for n in named)
    pairs_of = "a pair" if rank == 1 else f"{rank} pairs"
    expects = f"{names}, a whole number of at least 0, or {pairs_of} (before, after)"

    def convert(value: Any) -> Any:
        if isinstance(value, str) and value in named:
            return value
        if _is_int(value):
            value = (value,) * rank
        if not isinstance(value, (tuple, list)):
            raise ValueError(expects)
        if rank == 1 and len(value) == 2:
            value = (value,)
        if len(value) != rank:
            raise ValueError(expects)
        pairs = [(v, v) if _is_int(v) else v for v in value]
        for pair in pairs:
            if not isinstance(pair, (tuple, list)) or len(pair) != 2:
                raise ValueError(expects)
            if not all(_is_int(v) and v >= 0 for v in pair):
                raise ValueError(expects)
        return tuple(tuple(p) for p in pairs)

    return Kind(expects, convert)


axis = Kind("the number of an axis", whole().convert)


def _axes(value: Any) -> Any:
    many = (value,) if _is_int(value) else value
    if not isinstance(many, (tuple, list)) or not many or not all(map(_is_int, many)):
        raise ValueError(axes.expects)
    return tuple(many)


axes = Kind("the number of an axis or a list of them", _axes)


def _shape(value: Any) -> Any:
    if not isinstance(value, (tuple, list)):
        raise ValueError(shape.expects)
    if not all(isinstance(v, Sym) or (_is_int(v) and v >= -1) for v in value):
        raise ValueError(shape.expects)
    return tuple(value)


shape = Kind("a list of sizes", _shape)


def _counts(value: Any) -> Any:
    if not isinstance(value, (tuple, list)) or not value:
        raise ValueError(counts.expects)
    if not all(_is_int(v) and v >= 1 for v in value):
        raise ValueError(counts.expects)
    return tuple(value)


counts = Kind("a list of whole numbers of at least 1", _counts)
parts = Kind(
    "a whole number of at least 1 or a list of them",
    lambda value: whole(1).convert(value) if _is_int(value) else counts.convert(value),
)


def _reals(value: Any) -> Any:
    if not isinstance(value, (tuple, list)) or not value:
        raise ValueError(reals.expects)
    try:
        return tuple(real()(v) for v in value)
    except ValueError:
        raise ValueError(reals.expects) from None


reals = Kind("a list of numbers", _reals)


def _pairs(value: Any) -> Any:
    if not isinstance(value, (tuple, list)) or not value:
        raise ValueError(pairs.expects)
    for pair in value:
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise ValueError(pairs.expects)
        if not all(isinstance(v, Sym) or (_is_int(v) and v >= 0) for v in pair):
            raise ValueError(pairs.expects)
    return tuple(tuple(pair) for pair in value)


pairs = Kind("for each axis a pair (before, after) of whole numbers of at least 0", _pairs)


def _table(value: Any) -> Any:
    if not isinstance(value, (tuple, list, range)):
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value:
            raise ValueError(table.expects)
        return value
    rows = tuple(map(_table, value))
    if not rows or any(_rows(row) != _rows(rows[0]) for row in rows):
        raise ValueError(table.expects)
    return rows


def _rows(value: Any) -> tuple[int, ...]:
    return (len(value), *_rows(value[0])) if isinstance(value, tuple) else ()


table = Kind("a list of numbers, or a list of such lists, all of one length", _table)
