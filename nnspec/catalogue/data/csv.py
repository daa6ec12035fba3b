"""A table as text: its first line names the columns."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from nnspec.catalogue.data.catalogue import DATASETS, DataSet, Wanted
from nnspec.catalogue.data.table import Parsed, named_lists
from nnspec.core import inputs
from nnspec.core.fields import arg
from nnspec.core.kinds import optional, real, require, string
from nnspec.core.lazy import np
from nnspec.report.diagnostics import Diagnostic, SpecError, did_you_mean

if TYPE_CHECKING:
    from nnspec.catalogue.data.catalogue import Columns

LONGEST = 1 << 20
"""Characters of a line."""
TOGETHER = 4096
"""Lines that are taken together."""


@DATASETS.add
class Csv(DataSet):
    """A table as text, the names of its columns first: i64 where all are whole numbers, else f64.

    A column of text is numbered by a list of its categories: `categories = [["species", "setosa", "virginica"]]`. Several
    columns make one of rows: `join = [["x", "width", "height"]]` is `x` [N, 2]. Only what a program reads has to be right.
    """

    name = "csv"
    columns = None
    path: str = arg("the file", string)
    separator: str = arg(
        "what stands between two fields",
        require("one character", lambda v: isinstance(v, str) and len(v) == 1 and v not in '"\r\n'),
        default=",",
    )
    categories: tuple[tuple[str, ...], ...] = arg(
        "for each column of text a list: its name, then what it may hold, numbered from 0",
        named_lists,
        default=(),
    )
    join: tuple[tuple[str, ...], ...] = arg(
        "lists of columns that become one: its name, then theirs", named_lists, default=()
    )
    fill: float | None = arg(
        "what takes the place of missing numbers; without it they are errors",
        optional(real()),
        default=None,
    )

    def read(self, root: Path) -> tuple[Columns, Columns]:
        return self._read(root / self.path, None), {}

    def read_for(self, wanted: Sequence[Wanted], root: Path) -> tuple[Columns, Columns]:
        return self._read(root / self.path, [w.name for w in wanted]), {}

    def _read(self, path: Path, wanted: Sequence[str] | None) -> Columns:
        try:
            if path.exists() and not path.is_file():
                raise _bad(path, "is no file")
            inputs.reads(path)
            _check_size(path)
            # A mark at its beginning is none of the first column's name.
            with path.open(encoding="utf-8-sig", newline="") as file:
                return self._columns(
                    path, csv.reader(_lines(path, file), delimiter=self.separator), wanted
                )
        except FileNotFoundError:
            raise SpecError(Diagnostic("E0602", f"there is no file `{path}`")) from None
        except OSError as error:
            raise _bad(path, f"cannot be read: {(error.strerror or str(error)).lower()}") from None
        except UnicodeDecodeError as error:
            raise _bad(path, f"is no UTF-8: {error.reason}") from None
        except csv.Error as error:
            raise _bad(path, f"cannot be read: {error}") from None

    def _columns(self, path: Path, reader: Any, wanted: Sequence[str] | None) -> Columns:
        names = [name.strip() for name in next(reader, ())]
        if not names:
            raise _bad(path, "is empty; its first line should name the columns")
        again = next((n for i, n in enumerate(names) if n in names[:i]), None)
        if again is not None:
            raise _bad(path, f"has two columns `{again}`")
        groups = {name: members for name, *members in self.join}
        lists = {name: members for name, *members in self.categories}
        for name in (*lists, *(member for members in groups.values() for member in members)):
            if name not in names:
                listed = f"it has: {', '.join(names)}"
                raise _bad(path, f"has no column `{name}`; {listed}", *did_you_mean(name, names))
        read = (
            [*names, *groups] if wanted is None else [n for n in wanted if n in {*names, *groups}]
        )
        needed = {member for name in read for member in groups.get(name, [name])}
        places = [i for i, name in enumerate(names) if name in needed]
        parsed = {i: Parsed(path, names[i], lists.get(names[i]), self.fill) for i in places}
        for numbers, lines in _together(path, reader, len(names)):
            for i, column in parsed.items():
                column.add([line[i] for line in lines], numbers)
        arrays = {names[i]: column.array() for i, column in parsed.items()}
        return {
            name: np.stack([arrays[member] for member in groups[name]], axis=1)
            if name in groups
            else arrays[name]
            for name in read
        }


def _together(path: Path, reader: Any, width: int) -> Iterator[tuple[list[int], list[list[str]]]]:
    """Some lines after the other, with their numbers; raises `SpecError` where one is not as wide as the first."""
    numbers: list[int] = []
    lines: list[list[str]] = []
    for line in reader:
        if not line:
            continue
        if len(line) != width:
            raise _bad(path, f"has {len(line)} fields in line {reader.line_num}, but names {width}")
        numbers.append(reader.line_num)
        lines.append(line)
        if len(lines) == TOGETHER:
            yield numbers, lines
            numbers, lines = [], []
    yield numbers, lines


def _lines(path: Path, file: TextIO) -> Iterable[str]:
    number = 0
    while line := file.readline(LONGEST):
        number += 1
        if len(line) == LONGEST:
            raise _bad(path, f"has more than {LONGEST:,} characters in line {number}")
        yield line


def _check_size(path: Path) -> None:
    from nnspec.core.arrays import memory

    size = path.stat().st_size
    if size > memory() // 4:
        hint = "write its columns with `numpy.savez`, and `npz` reads them row by row"
        raise _bad(path, f"is {size:,} bytes long, too much for this machine's memory", hint)


def _bad(path: Path, what: str, *helps: str) -> SpecError:
    return SpecError(Diagnostic("E0603", f"`{path}` {what}", helps=helps))
