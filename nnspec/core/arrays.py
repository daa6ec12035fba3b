"""Reading `.npy` and `.npz` files that anybody may have written, and writing our own.

Nothing is ever unpickled, and nothing larger than this machine's memory is begun: what a file says of itself
is held against its size before anything is read.
"""

from __future__ import annotations

import lzma
import math
import os
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
from numpy.lib import format as npy

from nnspec.core import inputs

Array = np.ndarray[Any, Any]

MAPPED = 1 << 24
"""Bytes from which on an array stays in its file, where that is asked for."""

NPY, ZIP = npy.MAGIC_PREFIX, b"PK"
_read_version: Callable[[IO[bytes]], tuple[int, int]] = npy.read_magic
_HEADERS: dict[
    tuple[int, int], Callable[[IO[bytes]], tuple[tuple[int, ...], bool, np.dtype[Any]]]
] = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
_write: Callable[..., None] = npy.write_array
_write_header: Callable[[IO[bytes], dict[str, Any]], None] = npy.write_array_header_1_0
_described: Callable[[np.dtype[Any]], Any] = npy.dtype_to_descr
_NAME_LENGTH = 26
"""Where in what stands before a member of an archive the lengths of its name and of what follows that stand."""
_DAMAGE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, NotImplementedError)


class ArrayFileError(ValueError):
    """What is wrong with a file, to be said after its name: "ends early"."""


def kind(path: Path) -> str | None:
    """ "npy" or "npz" by a file's first bytes; None for other files. Raises `OSError`."""
    inputs.reads(path)
    with path.open("rb") as file:
        start = file.read(len(NPY))
    return "npy" if start == NPY else "npz" if start.startswith(ZIP) else None


def read_npy(path: Path) -> Array:
    """The array of a `.npy`; raises `OSError`, or `ArrayFileError` where there is none."""
    size = path.stat().st_size
    inputs.reads(path)
    with path.open("rb") as file:
        return _array(file, size)


def map_npy(path: Path) -> Array:
    """The same, left in the file: what is touched of it is read."""
    inputs.reads(path)
    with path.open("rb") as file:
        return _mapped(path, file, path.stat().st_size)


def read_npz(path: Path, *, mapped: bool = False) -> dict[str, Array]:
    """The arrays of a `.npz` by name; raises `OSError`, or `ArrayFileError` where one cannot be read.

    mapped: leave large arrays that are not compressed in the file; what is touched of them is read.
    """
    inputs.reads(path)
    with path.open("rb") as file:
        try:
            archive = zipfile.ZipFile(file)
        except (*_DAMAGE, ValueError) as error:
            raise ArrayFileError(f"is not a .npz: {_reason(error)}") from None
        with archive:
            members = archive.infolist()
            left = [m for m in members if mapped and _can_stay(m)]
            try:
                _check_size(sum(m.file_size for m in members if m not in left))
            except ArrayFileError as error:
                if not mapped:
                    raise
                hint = "written by `numpy.savez`, uncompressed, they would be read row by row"
                raise ArrayFileError(f"{error}; {hint}") from None
            arrays: dict[str, Array] = {}
            for member in members:
                name = member.filename.removesuffix(".npy")
                if name in arrays:
                    raise ArrayFileError(f"holds `{name}` twice")
                arrays[name] = _member(archive, member, path if member in left else None)
            return arrays


def _can_stay(member: zipfile.ZipInfo) -> bool:
    """Whether what the archive says is what lies in the file."""
    stored = member.compress_type == zipfile.ZIP_STORED and not member.flag_bits & 1
    return stored and member.file_size == member.compress_size >= MAPPED


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, mapped: Path | None) -> Array:
    if member.flag_bits & 1:
        raise ArrayFileError(f"holds `{member.filename}` encrypted")
    try:
        # Opened, what the archive says of it has been held against what stands before it in the file.
        with archive.open(member) as file:
            if mapped is None:
                return _array(file, member.file_size)
        with mapped.open("rb") as whole:
            whole.seek(member.header_offset + _NAME_LENGTH)
            name, extra = struct.unpack("<HH", whole.read(4))
            whole.seek(name + extra, os.SEEK_CUR)
            return _mapped(mapped, whole, member.file_size)
    except ArrayFileError as error:
        raise ArrayFileError(f"holds `{member.filename}`, which {error}") from None
    except (*_DAMAGE, RuntimeError) as error:
        raise ArrayFileError(f"holds `{member.filename}` damaged: {_reason(error)}") from None


def _array(file: IO[bytes], size: int) -> Array:
    """The array that begins here and ends within `size` bytes."""
    shape, order, dtype = _header(file, size)
    count = math.prod(shape)
    _check_size(count * dtype.itemsize)
    content = bytearray(count * dtype.itemsize)
    view, begun = memoryview(content), 0
    while begun < len(content):
        read = file.read(min(len(content) - begun, 1 << 20))
        if not read:
            raise ArrayFileError("ends early")
        view[begun : begun + len(read)] = read
        begun += len(read)
    found: Array = np.frombuffer(content, dtype, count)
    return found.reshape(shape, order=order)


def _mapped(path: Path, file: IO[bytes], size: int) -> Array:
    """The array that begins at this place of the file, left there."""
    begin = file.tell()
    shape, order, dtype = _header(file, size)
    offset = file.tell()
    length = math.prod(shape) * dtype.itemsize
    if offset + length > min(begin + size, os.fstat(file.fileno()).st_size):
        raise ArrayFileError("ends early")
    if not length:
        return np.empty(shape, dtype, order=order)
    return np.memmap(path, dtype, "r", offset, shape, order)


def _header(file: IO[bytes], size: int) -> tuple[tuple[int, ...], Literal["C", "F"], np.dtype[Any]]:
    """Shape, order and type of the array that begins here, which ends within `size` bytes."""
    try:
        version = _read_version(file)
        if version not in _HEADERS:
            raise ValueError(f"version {version[0]}.{version[1]}")
        shape, by_columns, dtype = _HEADERS[version](file)
    except (ValueError, TypeError, SyntaxError, OverflowError, RecursionError, MemoryError,
            tokenize.TokenError) as error:  # fmt: skip
        raise ArrayFileError(f"is not a .npy array: {_reason(error)}") from None
    if dtype.hasobject:
        raise ArrayFileError("holds Python objects, which are never read (they could run code)")
    if dtype.names or dtype.subdtype or dtype.kind == "V":
        raise ArrayFileError(f"holds records ({dtype}), not numbers")
    count = math.prod(shape)
    if min(shape, default=0) < 0 or count * dtype.itemsize > size:
        raise ArrayFileError(
            f"says that it holds {dtype.name}{list(shape)}, but is {size:,} bytes long"
        )
    return shape, "F" if by_columns else "C", dtype


@dataclass(frozen=True)
class Pieces:
    """An array that is nowhere whole: pieces of its rows, one after the other."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    pieces: Iterable[Array]


def write_npz(
    path: Path, arrays: Mapping[str, Array | Pieces], *, compressed: bool = False
) -> None:
    """Write arrays by name; the same arrays give the same bytes.

    `numpy.savez` leaves its archive open where the disk is full, which complains once more at the end.
    """
    method = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, array in arrays.items():
            member = zipfile.ZipInfo(f"{name}.npy")
            member.compress_type = method
            with archive.open(member, "w", force_zip64=True) as file:
                if not isinstance(array, Pieces):
                    _write(file, np.asanyarray(array), allow_pickle=False)
                    continue
                descr = _described(array.dtype)
                _write_header(file, {"descr": descr, "fortran_order": False, "shape": array.shape})
                for piece in array.pieces:
                    file.write(piece.tobytes())


def memory() -> int:
    """Bytes of this machine's memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _check_size(size: int) -> None:
    if size > memory():
        raise ArrayFileError(f"holds {size:,} bytes of arrays, more than this machine's memory")


def _reason(error: BaseException) -> str:
    lines = str(error).splitlines()
    return lines[0][:160] if lines else type(error).__name__
