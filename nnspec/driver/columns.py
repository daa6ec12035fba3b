"""A data set held against the program that is to train on it, before anything is started."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from nnspec.catalogue.data.dataset import HELD_OUT, Dataset
from nnspec.core.dtypes import DTYPES
from nnspec.graph.batches import normalises_rows
from nnspec.graph.bounds import index_bounds
from nnspec.report.diagnostics import Diagnostic, Label, SpecError, did_you_mean

if TYPE_CHECKING:
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
        rows = len(next(iter(dataset.train.values())))
        problems += [
            *_too_large(training, rows, batch_size),
            *_single_row(training, rows, batch_size),
        ]
    if problems:
        raise SpecError(*problems)


def _problems(
    training: Training, columns: Mapping[str, Array], prefix: str
) -> Iterator[Diagnostic]:
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


def _fits(column: Value, array: Array, sizes: dict[str, tuple[int, str]], shown: str) -> bool:
    """Sizes that are numbers, and those of one name alike in every column."""
    if array.ndim != column.type.rank:
        return False
    for want, have in zip(column.type.shape, array.shape, strict=True):
        known = want if isinstance(want, int) else sizes.setdefault(str(want), (have, shown))[0]
        if (str(want).isidentifier() or isinstance(want, int)) and known != have:
            return False
    return True


def _outside(column: Value, array: Array, choices: int | None, shown: str) -> Iterator[Diagnostic]:
    """What is no number, and whole numbers beyond what they choose from, or beyond their type."""
    wanted = DTYPES[column.type.dtype]
    if array.dtype.kind == "f" and (first := _not_finite(array)) is not None:
        row = int(np.unravel_index(first, array.shape)[0])
        yield _wrong(column, f"column `{shown}` holds {array.flat[first]} in row {row}")
    if not wanted.is_integer:
        return
    info = np.iinfo(wanted.numpy)
    low, high = (int(info.min), int(info.max)) if choices is None else (0, choices - 1)
    for place in (array.argmin(), array.argmax()):
        value = int(array.flat[place])
        if not low <= value <= high:
            row = int(np.unravel_index(place, array.shape)[0])
            message = f"column `{shown}` holds {value} in row {row}"
            yield _wrong(column, message, f"the program takes {low} to {high} there")
            return


def _not_finite(array: Array) -> int | None:
    """Where the first element stands that is infinite or NaN, counted through."""
    # A sum shows it without an array of answers as large as the data.
    with np.errstate(all="ignore"):
        if np.isfinite(array.sum(dtype=np.float64)):
            return None
    places = np.flatnonzero(~np.isfinite(array))
    return int(places[0]) if len(places) else None


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
