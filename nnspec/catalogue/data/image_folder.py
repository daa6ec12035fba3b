"""A folder of images; each is decoded when its row is taken."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnspec.catalogue.data import images
from nnspec.catalogue.data.catalogue import DATASETS, DataSet
from nnspec.catalogue.data.rows import Read
from nnspec.core.fields import arg
from nnspec.core.kinds import require, string, whole
from nnspec.core.lazy import np
from nnspec.report.diagnostics import Diagnostic, SpecError

if TYPE_CHECKING:
    from nnspec.catalogue.data.catalogue import Columns

    Array = np.ndarray[Any, Any]
    Listed = tuple[list[str], list[tuple[str, Path]]]

TRAIN, VALIDATION = "train", "validation"
THUMBNAILS = "Thumbs.db"
LARGEST = 4096
DECODED = 20_000
"""So many images are decoded before a run; of more, only what stands before their pixels is read."""
SHOWN = 5
"""So many faults are told."""
TOGETHER = 1024
DEEPEST = 32


@DATASETS.add
class ImageFolder(DataSet):
    """Images in a folder, with a folder for each class: `image` f32[N, size, size, channels] in [0, 1], `label` i64[N].

    Classes are numbered by their names in order; images that lie in the folder itself have no label. With folders
    `train` and `validation`, each has its classes. The largest square in the middle of an image is scaled to `size`.
    """

    name = "image_folder"
    columns = ("image", "label")
    path: str = arg("the folder", string)
    size: int = arg("edge of the images", whole(1, LARGEST), default=32)
    channels: int = arg(
        "3 for colours, 1 for grey",
        require("3 or 1", lambda value: value in (1, 3) and not isinstance(value, bool)),
        default=3,
    )

    def read(self, root: Path) -> tuple[Columns, Columns]:
        folder = root / self.path
        images.pillow(folder)
        if not folder.is_dir():
            raise SpecError(Diagnostic("E0602", f"there is no folder `{folder}`"))
        try:
            names = {entry.name for entry in _entries(folder)}
            if {TRAIN} <= names <= {TRAIN, VALIDATION}:
                classes, listed = _listed(folder, folder / TRAIN)
                held_out = _listed(folder, folder / VALIDATION) if VALIDATION in names else None
            else:
                (classes, listed), held_out = _listed(folder, folder), None
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise _bad(Path(error.filename or folder), f"cannot be read: {reason}") from None
        if held_out is None:
            return self._columns(classes, listed), {}
        unknown = sorted(set(held_out[0]) - set(classes))
        if unknown or bool(held_out[0]) != bool(classes):
            message = f"has classes that `{TRAIN}` lacks: {', '.join(unknown) or 'none at all'}"
            raise _bad(folder / VALIDATION, message, "both parts have the same folders")
        return self._columns(classes, listed), self._columns(classes, held_out[1])

    def _columns(self, classes: Sequence[str], listed: Sequence[tuple[str, Path]]) -> Columns:
        pictures = Pictures([path for _, path in listed], self.size, self.channels)
        if not classes:
            return {"image": pictures}
        number = {name: i for i, name in enumerate(classes)}
        return {"image": pictures, "label": np.array([number[c] for c, _ in listed], np.int64)}


class Pictures(Read):
    """Images of one size from files."""

    limits = (0.0, 1.0)

    def __init__(self, paths: Sequence[Path], size: int, channels: int) -> None:
        from concurrent.futures import ThreadPoolExecutor  # slow to import

        super().__init__((len(paths), size, size, channels), "f4")
        self.paths = paths
        self.pool = ThreadPoolExecutor(min(8, os.cpu_count() or 1))

    def take(self, rows: Array) -> Array:
        _, size, _, channels = self.shape
        paths = [self.paths[row] for row in rows]
        decoded = list(self.pool.map(lambda path: images.decoded(path, size, channels), paths))
        if not decoded:
            return np.empty((0, *self.shape[1:]), np.float32)
        return np.stack(decoded).astype(np.float32) / np.float32(255)

    def examine(self) -> None:
        whole = len(self.paths) <= DECODED
        faults: list[Diagnostic] = []
        for begin in range(0, len(self.paths), TOGETHER):
            some = self.paths[begin : begin + TOGETHER]
            told = self.pool.map(lambda path: images.fault(path, whole=whole), some)
            faults += [diagnostic for diagnostic in told if diagnostic is not None]
            if len(faults) >= SHOWN:
                break
        if faults:
            raise SpecError(*faults[:SHOWN])

    def checksum(self) -> int:
        import zlib

        listed = "\n".join(f"{p.parent.name}/{p.name} {p.stat().st_size}" for p in self.paths)
        return zlib.crc32(listed.encode("utf-8", "surrogateescape"))


def _listed(top: Path, folder: Path) -> Listed:
    """The classes, and every image with its class; raises `SpecError`."""
    entries = list(_entries(folder))
    classes = [e.name for e in entries if e.is_dir(follow_symlinks=False)]
    alone = [e.name for e in entries if e.name not in classes]
    if classes and alone:
        raise SpecError(
            Diagnostic(
                "E0603",
                f"`{folder}` holds folders, and beside them files: {', '.join(alone[:SHOWN])}",
                helps=("put each image into the folder of its class",),
            )
        )
    found = [(c, path) for c in classes or [""] for path in _files(top, folder / c)]
    if not found:
        raise _bad(folder, "holds no images", "put them into a folder for each class")
    return classes, found


def _files(top: Path, folder: Path, depth: int = 0) -> Iterator[Path]:
    """All files in a folder, and in those within it, in order; raises `SpecError`."""
    for entry in _entries(folder):
        path = Path(entry.path)
        if entry.is_dir(follow_symlinks=False):
            if depth == DEEPEST:
                raise _bad(path, f"lies more than {DEEPEST} folders deep", "move it up")
            yield from _files(top, path, depth + 1)
            continue
        if entry.is_symlink() and not _leads_within(top, path):
            message = f"is a link that leads to no file in `{top}`"
            raise _bad(path, message, "put the file itself there")
        if not entry.is_file():
            raise _bad(path, "is no file", "take it out of the folder")
        yield path


def _leads_within(top: Path, path: Path) -> bool:
    real = Path(os.path.realpath(path))
    return real.is_file() and real.is_relative_to(os.path.realpath(top))


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    """What a folder holds, in order, without what file managers hide in it."""
    with os.scandir(folder) as entries:
        listed = sorted(entries, key=lambda entry: entry.name)
    return (e for e in listed if not e.name.startswith(".") and e.name != THUMBNAILS)


def _bad(path: Path, what: str, *helps: str) -> SpecError:
    return SpecError(Diagnostic("E0603", f"`{path}` {what}", helps=helps))
