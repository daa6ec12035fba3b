"""The one canonical file of weights, a `.safetensors`.

Files of several networks put the network's name first (`G.dense.weight`). Nothing is ever unpickled, and an
array is read when it is asked for.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nnspec.core import inputs
from nnspec.core.dtypes import DTYPES, TABLE
from nnspec.core.files import write_file
from nnspec.graph.graph import Weight
from nnspec.graph.weights import PART, Array, LazyWeights, form_of, parts_of
from nnspec.report.diagnostics import Diagnostic, SpecError, did_you_mean

LARGEST_HEADER = 100_000_000
"""What the format allows a header at most, in bytes."""

STORED_TYPES = {
    **{d.name.upper(): d.numpy for d in TABLE},
    **{
        f"{kind}{n}": np.dtype(f"{name}{n}")
        for kind, name in (("I", "int"), ("U", "uint"))
        for n in (16, 32, 64)
    },
}
"""Element types, as the format spells them."""

_SPELLED = {dtype: name for name, dtype in STORED_TYPES.items()}


def save(path: Path, weights: Mapping[str, Array]) -> None:
    """Write a canonical file, whole or not at all; the same weights give the same bytes."""
    write_file(path, content(weights))


def content(weights: Mapping[str, Array]) -> Callable[[Path], None]:
    """What writes a canonical file to where it is told."""
    forms = {name: form_of(weights, name) for name in weights}
    # As the format's own library orders them: the widest first, so that every array is aligned.
    names = sorted(forms, key=lambda name: (-forms[name][1].itemsize, name))
    header, end = {}, 0
    for name in names:
        shape, dtype = forms[name]
        begin, end = end, end + math.prod(shape) * dtype.itemsize
        told = {"dtype": _SPELLED[dtype], "shape": shape, "data_offsets": [begin, end]}
        header[name] = told
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)

    def write(temporary: Path) -> None:
        with temporary.open("wb") as file:
            file.write(struct.pack("<Q", len(text)) + text)
            for name in names:
                for part in parts_of(weights, name):
                    file.write(np.ascontiguousarray(part).view(np.uint8).data)

    return write


class _Open:
    """A file that stays the same when another takes its name, until nobody reads it any more."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("rb", buffering=0)

    def __del__(self) -> None:
        self._file.close()

    def read(self, start: int, length: int) -> bytes:
        self._file.seek(start)
        content = self._file.read(length)
        if len(content) < length:
            raise _bad(self.path, "it was cut off while it was read")
        return content


class StoredWeights(LazyWeights):
    """The arrays of a canonical file, each read when it is asked for.

    entries: where each stands. types: what elements are turned into, by name; else as they stand.
    """

    def __init__(
        self,
        file: _Open,
        entries: Mapping[str, _Entry],
        types: Mapping[str, np.dtype[Any]] | None = None,
    ) -> None:
        self._file, self._entries, self._types = file, entries, types or {}

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def under(self, prefix: str) -> StoredWeights:
        """Those whose names begin so, without it."""
        own = {n.removeprefix(prefix): e for n, e in self._entries.items() if n.startswith(prefix)}
        return StoredWeights(self._file, own)

    def of_types(self, types: Mapping[str, np.dtype[Any]]) -> StoredWeights:
        """Those that are named, as elements of these types."""
        return StoredWeights(self._file, {n: self._entries[n] for n in types}, types)

    def shape(self, path: str) -> tuple[int, ...]:
        return self._entries[path].shape

    def dtype(self, path: str) -> np.dtype[Any]:
        return self._types.get(path, self._entries[path].dtype)

    def parts(self, path: str) -> Iterator[Array]:
        entry = self._entries[path]
        size, width = math.prod(entry.shape), entry.dtype.itemsize
        for begun in range(0, size, PART):
            length = min(PART, size - begun) * width
            content = self._file.read(entry.start + begun * width, length)
            yield np.frombuffer(content, entry.dtype).astype(self.dtype(path), copy=False)


@dataclass(frozen=True)
class _Entry:
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    start: int


def load(path: Path) -> StoredWeights:
    """Every array of a file, unchecked; raises `SpecError` where it is not a safetensors file."""
    header, begin, size = _header(path)
    header.pop("__metadata__", None)
    entries, end = {}, 0
    try:
        # The arrays fill the file one after the other, as the format asks; so none reaches beyond it.
        for name, told in sorted(header.items(), key=lambda item: tuple(item[1]["data_offsets"])):
            start, stop = told["data_offsets"]
            dtype, shape = STORED_TYPES[told["dtype"]], tuple(map(_size, told["shape"]))
            if start != end or stop - start != math.prod(shape) * dtype.itemsize:
                raise ValueError(f"the place of `{name}` is not that of its elements")
            entries[name], end = _Entry(dtype, shape, begin + start), stop
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _bad(path, f"its header makes no sense: {error}") from None
    if begin + end != size:
        what = "truncated" if begin + end > size else "something follows"
        raise _bad(path, f"it has {size} bytes, and should have {begin + end}: {what}")
    return StoredWeights(_Open(path), entries)


def _size(number: object) -> int:
    if not isinstance(number, int) or number < 0:
        raise ValueError(f"{number!r} is no size")
    return number


def fit(found: Mapping[str, Array], weights: Sequence[Weight], origin: str) -> Mapping[str, Array]:
    """Arrays that are exactly a model's weights, or a `SpecError` that says what is not."""
    problems = [*_missing(found, weights, origin), *_extra(found, weights, origin)]
    for weight in weights:
        if weight.path not in found:
            continue
        shape, dtype = form_of(found, weight.path)
        if shape != weight.type.shape:
            shown = "[" + ", ".join(map(str, shape)) + "]"
            problems.append(
                Diagnostic(
                    "E0615",
                    f"`{weight.path}` in `{origin}` has shape {shown}, but the model's is {weight.type}",
                )
            )
        elif not _is_float(dtype):
            problems.append(
                Diagnostic(
                    "E0616",
                    f"`{weight.path}` in `{origin}` holds {dtype}, not {weight.type.dtype}",
                )
            )
    if problems:
        raise SpecError(*problems)
    types = {w.path: DTYPES[w.type.dtype].numpy for w in weights}
    if isinstance(found, StoredWeights):
        return found.of_types(types)
    return {path: np.asarray(found[path], dtype, order="C") for path, dtype in types.items()}


def _is_float(dtype: np.dtype[Any]) -> bool:
    return dtype.kind == "f" or dtype == DTYPES["bf16"].numpy


def _missing(
    found: Mapping[str, Array], weights: Sequence[Weight], origin: str
) -> list[Diagnostic]:
    missing = [w.path for w in weights if w.path not in found]
    if not missing:
        return []
    spare = sorted(set(found) - {w.path for w in weights})
    return [
        Diagnostic(
            "E0613",
            f"`{origin}` lacks {_some(missing)}",
            notes=(f"the file holds {_some(sorted(found))}",) if found else ("the file is empty",),
            helps=did_you_mean(missing[0], spare),
        )
    ]


def _extra(found: Mapping[str, Array], weights: Sequence[Weight], origin: str) -> list[Diagnostic]:
    known = {w.path for w in weights}
    extra = sorted(set(found) - known)
    if not extra:
        return []
    return [
        Diagnostic(
            "E0614",
            f"`{origin}` holds {_some(extra)}, which the model does not have",
            helps=did_you_mean(extra[0], known - set(found)),
        )
    ]


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(f"`{n}`" for n in names[:4])
    return shown + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def _header(path: Path) -> tuple[dict[str, Any], int, int]:
    """The header of a file, where it ends, and the size of the file; one that lies is refused cheaply."""
    inputs.reads(path)
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(8)
            if len(start) < 8:
                raise _bad(path, "it is shorter than a header")
            (length,) = struct.unpack("<Q", start)
            if length > min(size - 8, LARGEST_HEADER):
                raise _bad(path, "its header is longer than the file: truncated, or another format")
            header = json.loads(file.read(length))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise SpecError(Diagnostic("E0611", f"cannot read weights `{path}`: {reason}")) from None
    except (ValueError, RecursionError):
        raise _bad(path, "its header is not JSON") from None
    if not isinstance(header, dict):
        raise _bad(path, "its header is not a table")
    return header, 8 + length, size


def _bad(path: Path, reason: str) -> SpecError:
    return SpecError(
        Diagnostic(
            "E0612",
            f"`{path}` is not a safetensors file: {reason}",
            helps=(
                "canonical weights are written by `nnspec init`, `train` and `weights convert`",
            ),
        )
    )
