"""Data sets as values of the language: `digits(size = 28)`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from nnspec.core.declare import Catalogue, Declaration, declaration
from nnspec.core.fields import arg
from nnspec.core.kinds import instance, string, whole


@dataclass(frozen=True)
class DataSource:
    """`digits(size = 28)`: name of the data set, and its arguments (defaults included)."""

    name: str
    arguments: Mapping[str, object] = field(default_factory=dict)


dataset = instance("a data set such as `digits()`", DataSource)
"""The kind of an argument that takes one."""


@declaration
class DataSet(Declaration):
    """Base of the declarations; `columns` is what a batch can read."""

    columns: ClassVar[tuple[str, ...] | None]

    def source(self) -> DataSource:
        """The name and the arguments, defaults included."""
        return DataSource(self.name, dataclasses.asdict(self))


DATASETS: Catalogue[DataSet] = Catalogue()


@DATASETS.add
class Digits(DataSet):
    """1,797 handwritten digits of 8x8 cells that ship with nnspec, resized on request (UCI, 1998)."""

    name = "digits"
    columns = ("image", "label")
    size: int = arg("edge of the images", whole(1), default=8)


@DATASETS.add
class Mnist(DataSet):
    """The 70,000 handwritten digits of LeCun et al. (1998), read from the IDX files in a directory."""

    name = "mnist"
    columns = ("image", "label")
    path: str = arg("directory with the four IDX files", string, default="mnist")


@DATASETS.add
class Npz(DataSet):
    """One array a column from a NumPy archive, `validation_NAME` for the held-out part."""

    name = "npz"
    columns = None
    path: str = arg("the `.npz` file", string)


def source(name: str, **arguments: Any) -> DataSource:
    """A data source as `nnspec data` asks for it; unknown names are left for `load` to refuse."""
    if name not in DATASETS:
        return DataSource(name, arguments)
    defaults = {f.name: f.default for f in DATASETS[name].arguments() if not f.is_required}
    return DataSource(name, defaults | arguments)
