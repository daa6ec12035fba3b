"""Data sets as values of the language: `digits(size = 28)`. Each stands in a file of this folder."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from nnspec.core.declare import Catalogue, Declaration, declaration
from nnspec.core.kinds import instance

if TYPE_CHECKING:
    from nnspec.catalogue.data.rows import Rows

    Columns = Mapping[str, Rows]


@dataclass(frozen=True)
class DataSource:
    """`digits(size = 28)`: name of the data set, and its arguments (defaults included)."""

    name: str
    arguments: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Wanted:
    """A column of a program's batch: a name for each size that is no number, the first being that of the rows.

    dtype: of the language; choices: how many there are, where the program chooses by its numbers.
    """

    name: str
    dtype: str
    shape: tuple[int | str, ...]
    choices: int | None = None


dataset = instance("a data set such as `digits()`", DataSource)
"""The kind of an argument that takes one."""


@declaration
class DataSet(Declaration):
    """Base of the declarations; `columns` is what a batch can read."""

    columns: ClassVar[tuple[str, ...] | None]

    def read(self, root: Path) -> tuple[Columns, Columns]:
        """The part to train on and the held-out part; relative paths count from `root`.

        Raises `SpecError` when a file is missing or is not what it should be.
        """
        raise NotImplementedError(type(self).__name__)

    def read_for(self, wanted: Sequence[Wanted], root: Path) -> tuple[Columns, Columns]:
        """The same for a program whose batch has these columns."""
        return self.read(root)

    def source(self) -> DataSource:
        """The name and the arguments, defaults included."""
        return DataSource(self.name, dataclasses.asdict(self))


DATASETS: Catalogue[DataSet] = Catalogue()


def source(name: str, **arguments: Any) -> DataSource:
    """A data source as `nnspec data` asks for it; unknown names are left for `load` to refuse."""
    if name not in DATASETS:
        return DataSource(name, arguments)
    defaults = {f.name: f.default for f in DATASETS[name].arguments() if not f.is_required}
    return DataSource(name, defaults | arguments)
