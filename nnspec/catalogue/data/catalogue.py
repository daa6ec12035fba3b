"""Data sets as values of the language: `digits(size = 28)`."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar, dataclass_transform

from nnspec.core.fields import arg
from nnspec.core.kinds import string, whole
from nnspec.graph.training import DataSource


@dataclass(frozen=True)
class DataSet:
    """Base of the declarations; `name` is the one in the language, `columns` what a batch can read."""

    name: ClassVar[str]
    columns: ClassVar[tuple[str, ...] | None]

    @classmethod
    def arguments(cls) -> tuple[dataclasses.Field[Any], ...]:
        return dataclasses.fields(cls)

    def source(self) -> DataSource:
        """The name and the arguments, defaults included."""
        return DataSource(self.name, dataclasses.asdict(self))


DATASETS: dict[str, type[DataSet]] = {}
AnyDataSet = TypeVar("AnyDataSet", bound=DataSet)


@dataclass_transform(frozen_default=True, field_specifiers=(arg,))
def declare(cls: type[AnyDataSet]) -> type[AnyDataSet]:
    """Class decorator: freeze the declaration and enter it into the catalogue."""
    frozen = dataclass(frozen=True)(cls)
    DATASETS[frozen.name] = frozen
    return frozen


@declare
class Digits(DataSet):
    """1,797 handwritten digits of 8x8 cells that ship with nnspec, resized on request (UCI, 1998)."""

    name = "digits"
    columns = ("image", "label")
    size: int = arg("edge of the images", whole(1), default=8)


@declare
class Mnist(DataSet):
    """The 70,000 handwritten digits of LeCun et al. (1998), read from the IDX files in a directory."""

    name = "mnist"
    columns = ("image", "label")
    path: str = arg("directory with the four IDX files", string, default="mnist")


@declare
class Npz(DataSet):
    """One array a column from a NumPy archive, `validation_NAME` for the held-out part."""

    name = "npz"
    columns = None
    path: str = arg("the `.npz` file", string)


def source(name: str, **arguments: Any) -> DataSource:
    """A data source as `nnspec data` asks for it; unknown names are left for `load` to refuse."""
    if name not in DATASETS:
        return DataSource(name, arguments)
    known = {f.name: f for f in DATASETS[name].arguments()}
    defaults = {n: f.default for n, f in known.items() if f.default is not dataclasses.MISSING}
    return DataSource(name, defaults | arguments)
