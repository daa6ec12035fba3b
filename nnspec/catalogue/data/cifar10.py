"""CIFAR-10 from the files of its binary version: a byte for the label, then 1,024 each of red, green and blue."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnspec.catalogue.data.catalogue import DATASETS, DataSet
from nnspec.catalogue.data.rows import Pixels
from nnspec.core import inputs
from nnspec.core.fields import arg
from nnspec.core.kinds import string
from nnspec.core.lazy import np
from nnspec.report.diagnostics import Diagnostic, SpecError

if TYPE_CHECKING:
    from nnspec.catalogue.data.catalogue import Columns

    Array = np.ndarray[Any, Any]

TRAIN = tuple(f"data_batch_{i}.bin" for i in range(1, 6))
TEST = ("test_batch.bin",)
EDGE, CLASSES = 32, 10
RECORD = 1 + 3 * EDGE * EDGE
MOST_RECORDS = 100_000


@DATASETS.add
class Cifar10(DataSet):
    """60,000 pictures of ten kinds of things (Krizhevsky 2009), read from the binary version's files in a folder.

    `image` f32[N, 32, 32, 3] in [0, 1] and `label` i64[N].
    """

    name = "cifar10"
    columns = ("image", "label")
    path: str = arg("folder with the six .bin files", string, default="cifar-10-batches-bin")

    def read(self, root: Path) -> tuple[Columns, Columns]:
        train, validation = (_part(root / self.path, names) for names in (TRAIN, TEST))
        return train, validation


def _part(folder: Path, names: tuple[str, ...]) -> Columns:
    records = np.concatenate([_records(folder, name) for name in names])
    images = records[:, 1:].reshape(-1, 3, EDGE, EDGE).transpose(0, 2, 3, 1)
    return {"image": Pixels(np.ascontiguousarray(images)), "label": records[:, 0].astype(np.int64)}


def _records(folder: Path, name: str) -> Array:
    path = folder / name
    try:
        inputs.reads(path)
        size = path.stat().st_size
        if size % RECORD or not 0 < size <= MOST_RECORDS * RECORD:
            raise _bad(path, f"is {size} bytes long; each picture takes {RECORD}")
        records = np.fromfile(path, np.uint8).reshape(-1, RECORD)
    except (FileNotFoundError, NotADirectoryError):
        raise _missing(folder, name) from None
    except OSError as error:
        raise _bad(path, f"cannot be read: {(error.strerror or str(error)).lower()}") from None
    wrong = np.flatnonzero(records[:, 0] >= CLASSES)
    if len(wrong):
        raise _bad(
            path, f"has the label {records[wrong[0], 0]} at picture {wrong[0]}; they are 0 to 9"
        )
    return records


def _missing(folder: Path, name: str) -> SpecError:
    pickled = (folder / name.removesuffix(".bin")).exists()
    note = "what lies there is the version for Python: pickled, which could run code"
    return SpecError(
        Diagnostic(
            "E0602",
            f"`{folder}` does not hold `{name}`",
            notes=(note,) if pickled else (f"cifar10 reads {', '.join((*TRAIN, *TEST))}",),
            helps=(
                "get the binary version from the CIFAR-10 page (Alex Krizhevsky's), and unpack it",
                'or name another folder: `data = cifar10(path = "...")`',
            ),
        )
    )


def _bad(path: Path, what: str) -> SpecError:
    return SpecError(Diagnostic("E0603", f"`{path}` {what}"))
