"""A text, or ids of its tokens, in windows of one length; the file stays where it is and is read row by row."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnspec.catalogue.data.catalogue import DATASETS, DataSet
from nnspec.catalogue.data.rows import Read, checksum
from nnspec.core import inputs
from nnspec.core.fields import arg
from nnspec.core.kinds import string, whole
from nnspec.core.lazy import np
from nnspec.report.diagnostics import Diagnostic, SpecError

if TYPE_CHECKING:
    from nnspec.catalogue.data.catalogue import Columns

    Array = np.ndarray[Any, Any]

ID_OF_BIN = "<u2"
LONGEST = 1 << 20


@DATASETS.add
class Tokens(DataSet):
    """A text as bytes, or ids of tokens, in windows of one length: `text` i64[N, length] and `next`, one token on.

    A `.npy` holds ids as whole numbers, a `.bin` as 16 bits each, the lower ones first; any other file is a text,
    whose bytes are its tokens. Windows do not overlap; what is left at the end is no row.
    """

    name = "tokens"
    columns = ("text", "next")
    path: str = arg("a text, or a `.npy` or `.bin` of ids", string)
    length: int = arg("tokens of a row", whole(1, LONGEST), default=128)

    def read(self, root: Path) -> tuple[Columns, Columns]:
        path = root / self.path
        ids = _ids(path)
        if len(ids) <= self.length:
            unit = "bytes" if ids.dtype == np.uint8 else "ids"
            message = (
                f"`{path}` holds {len(ids)} {unit}; a row of {self.length} and the one that "
                f"follows need {self.length + 1}"
            )
            raise SpecError(Diagnostic("E0603", message, helps=("choose a smaller `length`",)))
        return {"text": Windows(ids, self.length, 0), "next": Windows(ids, self.length, 1)}, {}


class Windows(Read):
    """Consecutive ids, `length` a row. shift: of how many the first row leaves out."""

    def __init__(self, ids: Array, length: int, shift: int) -> None:
        super().__init__(((len(ids) - 1) // length, length), "i8")
        self.ids, self.shift = ids, shift
        if ids.dtype == np.uint8:
            self.limits = (0, 255)

    def __getitem__(self, rows: Array | slice) -> Array:
        if not isinstance(rows, slice) or rows.step not in (None, 1):
            return super().__getitem__(rows)
        # Rows in their order lie side by side.
        count, length = self.shape
        begin, end, _ = rows.indices(count)
        ids = self.ids[self.shift + begin * length : self.shift + max(begin, end) * length]
        return ids.astype(np.int64).reshape(-1, length)

    def take(self, rows: Array) -> Array:
        length = self.shape[1]
        begin = np.asarray(rows)[:, np.newaxis] * length + self.shift
        return self.ids[begin + np.arange(length)].astype(np.int64)

    def checksum(self) -> int:
        return checksum(self.ids)


def _ids(path: Path) -> Array:
    from nnspec.core import arrays

    try:
        if path.exists() and not path.is_file():
            raise _bad(path, "is no file")
        if path.suffix == ".npy":
            ids = arrays.map_npy(path)
        else:
            kind = np.dtype(ID_OF_BIN if path.suffix == ".bin" else "u1")
            inputs.reads(path)
            size = path.stat().st_size
            if size % kind.itemsize:
                raise _bad(path, f"is {size} bytes long, which are no 16-bit ids")
            ids = np.memmap(path, kind, "r") if size else np.empty(0, kind)
    except FileNotFoundError:
        raise SpecError(Diagnostic("E0602", f"there is no file `{path}`")) from None
    except OSError as error:
        raise _bad(path, f"cannot be read: {(error.strerror or str(error)).lower()}") from None
    except arrays.ArrayFileError as error:
        raise _bad(path, str(error)) from None
    if ids.ndim != 1 or ids.dtype.kind not in "iu":
        found = f"{ids.dtype}{list(ids.shape)}"
        raise _bad(path, f"holds {found}; ids are whole numbers along one axis")
    return ids


def _bad(path: Path, what: str) -> SpecError:
    return SpecError(Diagnostic("E0603", f"`{path}` {what}"))
