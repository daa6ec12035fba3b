"""A data set held against the program that is to train on it, before anything is started."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from nnspec.catalogue.data.dataset import HELD_OUT, Dataset
from nnspec.catalogue.data.rows import parts
from nnspec.core.dtypes import DTYPES
from nnspec.driver.indices import wrong_indices
from nnspec.graph.batches import normalises_rows
from nnspec.graph.bounds import index_bounds
from nnspec.report.diagnostics import Diagnostic, Label, SpecError, did_you_mean

if TYPE_CHECKING:
    from nnspec.catalogue.data.rows import Rows
    from nnspec.graph.graph import Value
    from nnspec.graph.training import Training
    from nnspec.graph.weight_map import Array

TAKEN = {"float": "fiu", "signed": "iu", "unsigned": "iu", "bool": "b"}
"""NumPy's kinds of numbers that a program reads for each kind of element type."""

KINDS = {
    "float": "numbers",
    "signed": "whole numbers",
    "unsigned": "whole numbers",
    "bool": "truth values",
}


def check_columns(training: Training, dataset: Dataset, batch_size: int) -> None:
    """Raise `SpecError` (E0604) with everything in a data set that the program cannot train on."""
    problems = list(_problems(training, dataset.train, ""))
    wanted = {c.name for c in training.batch}
    if wanted & dataset.validation.keys():
        problems += _problems(training, dataset.validation, HELD_OUT)
    if not problems:
        problems += wrong_indices(training, dataset.train, "data")
        if wanted & dataset.validation.keys():
            problems += wrong_indices(training, dataset.validation, "data to validate with")
        rows = len(next(iter(dataset.train.values())))
        problems += [
            *_too_large(training, rows, batch_size),
            *_single_row(training, rows, batch_size),
        ]
    if problems:
        raise SpecError(*problems)


def _problems(training: Training, columns: Mapping[str, Rows], prefix: str) -> Iterator[Diagnostic]:
    bounds = index_bounds(training.steps)
    sizes: dict[str, tuple[int, str]] = {}
    for column in training.batch:
        name = column.name or ""
        shown = prefix + name
        if name not in columns:
            names = ", ".join(prefix + n for n in columns) or "none"
            message = f"the data has no column `{shown}`"
            yield _wrong(column, message, f"it has: {names}", *did_you_mean(name, columns))
            continue
        array = columns[name]
        found = f"found {array.dtype}{list(array.shape)}"
        wanted = DTYPES[column.type.dtype]
        if not _fits(column, array, sizes, shown):
            yield _wrong(column, f"column `{shown}` should be {column.type}, {found}")
        elif not len(array):
            yield _wrong(column, f"column `{shown}` has no rows")
        elif array.dtype.kind not in TAKEN[wanted.kind]:
            yield _wrong(column, f"column `{shown}` should hold {KINDS[wanted.kind]}, {found}")
        else:
            yield from _outside(column, array, bounds.get(column), shown)


def _fits(column: Value, array: Rows, sizes: dict[str, tuple[int, str]], shown: str) -> bool:
    """Sizes that are numbers, and those of one name alike in every column."""
    if len(array.shape) != column.type.rank:
        return False
    for want, have in zip(column.type.shape, array.shape, strict=True):
        known = want if isinstance(want, int) else sizes.setdefault(str(want), (have, shown))[0]
        if (str(want).isidentifier() or isinstance(want, int)) and known != have:
            return False
    return True


def _outside(column: Value, rows: Rows, choices: int | None, shown: str) -> Iterator[Diagnostic]:
    """The first that is no number, or a whole number beyond what it chooses from, or beyond its type."""
    wanted = DTYPES[column.type.dtype]
    limits: tuple[int, int] | None = None
    if wanted.is_integer:
        info = np.iinfo(wanted.numpy)
        limits = (int(info.min), int(info.max)) if choices is None else (0, choices - 1)
    if not isinstance(rows, np.ndarray):
        rows.examine()
        known = rows.limits
        if known and (limits is None or (limits[0] <= known[0] and known[1] <= limits[1])):
            return
    for begin, part in parts(rows):
        place = _not_finite(part) if part.dtype.kind == "f" else _beyond(part, limits)
        if place is not None:
            row = begin + int(np.unravel_index(place, part.shape)[0])
            message = f"column `{shown}` holds {part.flat[place]} in row {row}"
            if limits is None:
                yield _wrong(column, message, None, "mend that row, or leave it out")
            else:
                note = f"the program takes {limits[0]} to {limits[1]} there"
                yield _wrong(column, message, note, "mend the data, or let the program take more")
            return


def _not_finite(array: Array) -> int | None:
    """Where the first element stands that is infinite or NaN, counted through."""
    # A sum shows it without an array of answers as large as the data.
    with np.errstate(all="ignore"):
        if np.isfinite(array.sum(dtype=np.float64)):
            return None
    places = np.flatnonzero(~np.isfinite(array))
    return int(places[0]) if len(places) else None


def _beyond(array: Array, limits: tuple[int, int] | None) -> int | None:
    """Where an element stands that is less or more than these, counted through."""
    if limits is None or not array.size:
        return None
    places = (int(array.argmin()), int(array.argmax()))
    outside = (p for p in places if not limits[0] <= int(array.flat[p]) <= limits[1])
    return next(outside, None)


def _too_large(training: Training, rows: int, batch_size: int) -> Iterator[Diagnostic]:
    if batch_size > rows:
        yield Diagnostic(
            "E0604",
            f"a batch of {batch_size} rows is more than the data has: {rows}",
            Label(training.span) if training.span else None,
            helps=(f"set `batch_size = {rows}` or less",),
        )


def _single_row(training: Training, rows: int, batch_size: int) -> Iterator[Diagnostic]:
    """A batch norm has no variance by which to normalise one row."""
    if batch_size <= rows and (rows - 1) % batch_size == 0 and normalises_rows(training):
        yield Diagnostic(
            "E0604",
            f"{rows} rows in batches of {batch_size} leave a last batch of one row, which a batch "
            "norm cannot normalise",
            Label(training.span) if training.span else None,
            helps=("choose another `batch_size`",),
        )


def _wrong(column: Value, message: str, note: str | None = None, *helps: str) -> Diagnostic:
    label = Label(column.span, "declared here") if column.span else None
    return Diagnostic("E0604", message, label, (note,) if note else (), helps)
