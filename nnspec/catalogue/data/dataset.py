"""What a data set is, and how one of the catalogue is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnspec.catalogue.data.catalogue import DATASETS, DataSource, Wanted
from nnspec.catalogue.data.rows import chosen
from nnspec.core.lazy import np
from nnspec.report.diagnostics import Diagnostic, SpecError, did_you_mean

if TYPE_CHECKING:
    from nnspec.catalogue.data.catalogue import Columns

HELD_OUT = "validation_"
"""Prefix of the held-out columns in an `.npz` that holds a whole data set."""


@dataclass(frozen=True)
class Dataset:
    """Columns by name; in each part the same number of rows everywhere.

    Images are f32 in [0, 1], laid out [N, H, W, C]; labels are i64. `validation` is the held-out part.
    """

    train: Columns
    validation: Columns

    def arrays(self) -> Columns:
        """Both parts under one set of names, as generated programs read them from an `.npz`."""
        held_out = {HELD_OUT + name: a for name, a in self.validation.items()}
        return {**self.train, **held_out}

    def split(self, share: float, seed: int) -> Dataset:
        """A share of the rows to train on held out instead, drawn by the seed."""
        rows = len(next(iter(self.train.values()), ()))
        count = round(share * rows)
        if not 0 < count < rows:
            message = f"of {rows} rows, a share of {share:g} to validate with is {count}"
            raise SpecError(
                Diagnostic("E0604", message, helps=("choose another share for `validation`",))
            )
        # Epochs count from 1: this is none of theirs.
        order = np.random.default_rng([seed, 0]).permutation(rows)
        parts = (np.sort(order[count:]), np.sort(order[:count]))
        return Dataset(*({n: chosen(c, part) for n, c in self.train.items()} for part in parts))


def checked(name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments from the command line, as the catalogue declares them; raises `SpecError` (E0706)."""
    if name not in DATASETS:
        return dict(arguments)
    fields = {f.name: f for f in DATASETS[name].arguments()}
    values = {}
    for key, value in arguments.items():
        if key not in fields:
            helps = did_you_mean(key, fields)
            raise SpecError(Diagnostic("E0706", f"`{name}` has no argument `{key}`", helps=helps))
        try:
            values[key] = fields[key].kind(value)
        except ValueError as error:
            message = f"`{key}` of `{name}` expects {error}, found {value!r}"
            raise SpecError(Diagnostic("E0706", message)) from None
    for key, field in fields.items():
        if field.is_required and key not in values:
            raise SpecError(Diagnostic("E0706", f"`{name}` needs `{key}`: {field.doc}"))
    return values


def load(source: DataSource, root: Path, wanted: Sequence[Wanted] | None = None) -> Dataset:
    """Read a data set; raises `SpecError` when a file is missing or is not what it should be.

    wanted: the columns of the program that trains on it, if there is one.
    """
    if source.name not in DATASETS:
        raise SpecError(
            Diagnostic(
                "E0601",
                f"there is no data set `{source.name}`",
                notes=(f"data sets: {', '.join(sorted(DATASETS))}",),
                helps=did_you_mean(source.name, DATASETS),
            )
        )
    found = DATASETS[source.name](**source.arguments)
    return Dataset(*(found.read(root) if wanted is None else found.read_for(wanted, root)))
