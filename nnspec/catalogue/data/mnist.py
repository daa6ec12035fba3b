"""MNIST, and anything else in its four IDX files, plain or gzipped.

IDX: two zero bytes, a type (8 = unsigned byte), the rank, each size as a big-endian 32-bit number,
then the elements, last axis fastest.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnspec.catalogue.data.catalogue import DATASETS, DataSet
from nnspec.core import inputs
from nnspec.core.fields import arg
from nnspec.core.kinds import string
from nnspec.core.lazy import np
from nnspec.report.diagnostics import Diagnostic, SpecError

if TYPE_CHECKING:
    from nnspec.catalogue.data.catalogue import Columns

    Array = np.ndarray[Any, Any]

UNSIGNED_BYTE = 8
PARTS = {"train": "train", "validation": "t10k"}
FILES = {"image": ("images-idx3-ubyte", 3), "label": ("labels-idx1-ubyte", 1)}
MOST_ELEMENTS = 2**32


@DATASETS.add
class Mnist(DataSet):
    """The 70,000 handwritten digits of LeCun et al. (1998), read from the IDX files in a directory.

    `image` f32[N, 28, 28, 1] in [0, 1] and `label` i64[N].
    """

    name = "mnist"
    columns = ("image", "label")
    path: str = arg("directory with the four IDX files", string, default="mnist")

    def read(self, root: Path) -> tuple[Columns, Columns]:
        where = (
            "get them from the MNIST database (Yann LeCun's page and its mirrors offer them as "
            "`.gz`; no need to unpack)"
        )
        return read_parts(root / self.path, self.name, where)


def read_parts(directory: Path, name: str, where: str) -> tuple[Columns, Columns]:
    """Both parts. where: what is said of files that are not there, before the place in which they belong."""
    helps = (
        f"{where} and put them into `{directory}`",
        f'or name another directory: `data = {name}(path = "...")`',
        "or train on the digits that ship with nnspec: `data = digits(size = 28)`",
    )
    note = f"{name} reads the four standard files: " + ", ".join(
        f"{p}-{f}" for p in PARTS.values() for f, _ in FILES.values()
    )

    def found(file: str) -> Path:
        path = _find(directory, file)
        if path is None:
            message = f"`{directory}` does not hold `{file}` (or `{file}.gz`)"
            raise SpecError(Diagnostic("E0602", message, notes=(note,), helps=helps))
        return path

    train, validation = (_part(directory, prefix, found) for prefix in PARTS.values())
    return train, validation


def _part(directory: Path, prefix: str, found: Callable[[str], Path]) -> Columns:
    image = read_idx(found(f"{prefix}-{FILES['image'][0]}"), 3)
    label = read_idx(found(f"{prefix}-{FILES['label'][0]}"), 1)
    if len(image) != len(label):
        raise _bad(directory, f"`{prefix}` has {len(image)} images but {len(label)} labels")
    return {
        "image": (image.astype(np.float32) / np.float32(255))[..., np.newaxis],
        "label": label.astype(np.int64),
    }


def _find(directory: Path, name: str) -> Path | None:
    # Some copies have a dot where the original name has a dash: train-images.idx3-ubyte.
    spellings = [name, name.replace("-idx", ".idx")]
    for spelling in spellings:
        for candidate in (directory / spelling, directory / f"{spelling}.gz"):
            if candidate.is_file():
                return candidate
    return None


def read_idx(path: Path, rank: int) -> Array:
    """The array of unsigned bytes in an IDX file; raises `SpecError` when it is not one."""
    try:
        content = _content(path)
    except (OSError, EOFError, zlib.error) as error:
        raise _bad(path, f"cannot be read: {error}") from error
    if len(content) < 4 + 4 * rank:
        raise _bad(path, f"ends after {len(content)} bytes, within its header")
    zero, kind, found_rank = struct.unpack(">HBB", content[:4])
    if zero != 0 or kind != UNSIGNED_BYTE or found_rank != rank:
        raise _bad(
            path,
            f"begins with {content[:4].hex(' ')}; an IDX file of unsigned bytes with {rank} "
            f"{'axis' if rank == 1 else 'axes'} begins with 00 00 08 {rank:02x}",
        )
    shape = struct.unpack(f">{rank}I", content[4 : 4 + 4 * rank])
    expected = int(np.prod([int(n) for n in shape], dtype=object))
    found = len(content) - 4 - 4 * rank
    if expected > MOST_ELEMENTS or found != expected:
        raise _bad(path, f"says that it holds {expected} elements, but has {found}")
    return np.frombuffer(content, np.uint8, offset=4 + 4 * rank).reshape(shape)


def _content(path: Path) -> bytes:
    import gzip  # slow to import, and checking a spec reads no data

    inputs.reads(path)
    if path.suffix == ".gz":
        with gzip.open(path) as file:
            return file.read(MOST_ELEMENTS)
    return path.read_bytes()


def _bad(path: Path, what: str) -> SpecError:
    return SpecError(Diagnostic("E0603", f"`{path}`: {what}"))
