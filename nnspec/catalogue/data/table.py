"""Columns of a table, from text to numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnspec.core.kinds import Kind
from nnspec.core.lazy import np
from nnspec.report.diagnostics import Diagnostic, SpecError, did_you_mean

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

MISSING = {"", "na", "n/a", "nan", "null", "none", "?"}


def _named_lists(value: Any) -> Any:
    if not isinstance(value, (list, tuple)):
        raise ValueError(named_lists.expects)
    for entry in value:
        if not isinstance(entry, (list, tuple)) or len(entry) < 2:
            raise ValueError(named_lists.expects)
        if not all(isinstance(word, str) for word in entry) or len(set(entry[1:])) < len(entry) - 1:
            raise ValueError(named_lists.expects)
    if len({entry[0] for entry in value}) < len(value):
        raise ValueError(named_lists.expects)
    return tuple(map(tuple, value))


named_lists = Kind('a list of lists of different strings, such as [["x", "a", "b"]]', _named_lists)


class Parsed:
    """A column that grows piece by piece. categories: what its texts may be; fill: for missing numbers."""

    def __init__(
        self, path: Path, name: str, categories: Sequence[str] | None, fill: float | None
    ) -> None:
        self.path, self.name, self.fill = path, name, fill
        self.number = None if categories is None else {c: i for i, c in enumerate(categories)}
        self.pieces: list[Array] = []

    def add(self, fields: Sequence[str], lines: Sequence[int]) -> None:
        """More of it, with the numbers of their lines; raises `SpecError`."""
        if self.number is not None:
            codes = [self.number.get(field.strip(), -1) for field in fields]
            if -1 in codes:
                self._unknown(fields[codes.index(-1)].strip(), lines[codes.index(-1)])
            self.pieces.append(np.array(codes, np.int64))
            return
        try:
            self.pieces.append(np.array([_whole(field) for field in fields], np.int64))
        except (ValueError, OverflowError):
            numbers = [self._number(field, line) for field, line in zip(fields, lines)]
            self.pieces.append(np.array(numbers, np.float64))

    def array(self) -> Array:
        return np.concatenate(self.pieces) if self.pieces else np.empty(0)

    def _number(self, field: str, line: int) -> float:
        field = field.strip()
        if field.lower() in MISSING:
            if self.fill is not None:
                return self.fill
            raise self._bad(
                f"has no number for `{self.name}` in line {line}",
                "`fill = 0.0` puts a number there, or leave the line out",
            )
        try:
            if "_" in field:
                raise ValueError
            return float(field)
        except ValueError:
            raise self._bad(
                f"has {field!r} for `{self.name}` in line {line}, which is no number",
                f'say what stands there: `categories = [["{self.name}", ...]]`',
            ) from None

    def _unknown(self, field: str, line: int) -> None:
        known = list(self.number or ())
        message = f"has {field!r} for `{self.name}` in line {line}, which is none of its categories"
        raise self._bad(message, *(did_you_mean(field, known) or ("add it to `categories`",)))

    def _bad(self, what: str, *helps: str) -> SpecError:
        return SpecError(Diagnostic("E0603", f"`{self.path}` {what}", helps=helps))


def _whole(field: str) -> int:
    if "_" in field:
        raise ValueError
    return int(field)
