"""The data of a run: what it is trained on, and what is held out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nnspec.catalogue.data.catalogue import DataSource, Wanted
from nnspec.catalogue.data.dataset import Dataset, load
from nnspec.graph.bounds import index_bounds
from nnspec.graph.training import Training


@dataclass(frozen=True)
class DataRequest:
    """What the process that trains needs to read the same data as its starter, as JSON.

    validation: another data set, a share of the rows, or None for what the data itself holds out.
    root: against which paths count; seed: by which rows are held out.
    """

    data: DataSource
    validation: DataSource | float | None
    root: str
    seed: int
    wanted: tuple[Wanted, ...]

    def read(self) -> Dataset:
        """The data; raises `SpecError` when a file is missing or is not what it should be."""
        root = Path(self.root)
        found = load(self.data, root, self.wanted)
        match self.validation:
            case None:
                return found
            case DataSource():
                return Dataset(found.train, load(self.validation, root, self.wanted).train)
            case share:
                return found.split(share, self.seed)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> DataRequest:
        validation = told["validation"]
        if isinstance(validation, dict):
            validation = DataSource(**validation)
        wanted = tuple(Wanted(**{**w, "shape": tuple(w["shape"])}) for w in told["wanted"])
        return cls(DataSource(**told["data"]), validation, told["root"], told["seed"], wanted)


def wanted(training: Training) -> tuple[Wanted, ...]:
    """The columns of a program's batch."""
    bounds = index_bounds(training.steps, parts=True)
    return tuple(
        Wanted(
            c.name or "",
            c.type.dtype,
            tuple(s if isinstance(s, int) else str(s) for s in c.type.shape),
            bounds.get(c),
        )
        for c in training.batch
    )
