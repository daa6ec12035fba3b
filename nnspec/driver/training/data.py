"""The data of a run: what it is trained on, and what is held out."""

from __future__ import annotations

from pathlib import Path

from nnspec.catalogue.data.catalogue import DataSource
from nnspec.catalogue.data.dataset import Dataset, load


def dataset(data: DataSource, validation: DataSource | None, root: Path) -> Dataset:
    """Both as the program's settings name them; paths count from `root`."""
    found = load(data, root)
    if validation is None:
        return found
    return Dataset(found.train, load(validation, root).train)
