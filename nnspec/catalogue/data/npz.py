"""A data set of one's own: an `.npz` with an array per column, and `validation_` ones beside them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnspec.catalogue.data.catalogue import DATASETS, DataSet
from nnspec.core.fields import arg
from nnspec.core.kinds import string
from nnspec.core.lazy import np
from nnspec.report.diagnostics import Diagnostic, SpecError

if TYPE_CHECKING:
    from nnspec.catalogue.data.catalogue import Columns

    Array = np.ndarray[Any, Any]
PREFIX = "validation_"


@DATASETS.add
class Npz(DataSet):
    """One array a column from a NumPy archive, `validation_NAME` for the held-out part of `NAME`.

    Large arrays that are not compressed stay in the file, and are read row by row.
    """

    name = "npz"
    columns = None
    path: str = arg("the `.npz` file", string)

    def read(self, root: Path) -> tuple[Columns, Columns]:
        columns = read_arrays(root / self.path)
        train = {name: array for name, array in columns.items() if not name.startswith(PREFIX)}
        validation = {
            name.removeprefix(PREFIX): array
            for name, array in columns.items()
            if name.startswith(PREFIX)
        }
        for part in (train, validation):
            lengths = {name: len(array) if array.ndim else 0 for name, array in part.items()}
            if len(set(lengths.values())) > 1:
                raise _bad(root / self.path, f"has columns that differ in length: {lengths}")
        return train, validation


def read_arrays(path: Path) -> dict[str, Array]:
    """Every array of an `.npz`; never runs pickled code."""
    from nnspec.core import arrays

    try:
        if arrays.kind(path) == "npy":
            raise _bad(path, "is a single array (.npy), not an .npz of named columns")
        return arrays.read_npz(path, mapped=True)
    except FileNotFoundError:
        raise SpecError(Diagnostic("E0602", f"there is no file `{path}`")) from None
    except OSError as error:
        raise _bad(path, f"cannot be read: {(error.strerror or str(error)).lower()}") from None
    except arrays.ArrayFileError as error:
        raise _bad(path, str(error)) from None


def _bad(path: Path, what: str) -> SpecError:
    return SpecError(Diagnostic("E0603", f"`{path}` {what}"))
