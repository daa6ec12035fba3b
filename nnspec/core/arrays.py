"""Reading `.npy` and `.npz` files that anybody may have written, and writing our own.

Nothing is ever unpickled, and nothing larger than this machine's memory is begun: what a file says of itself
is held against its size before anything is read.
"""

from __future__ import annotations

import lzma
import math
import os
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from nnspec.core import inputs

Array = np.ndarray[Any, Any]

NPY, ZIP = npy.MAGIC_PREFIX, b"PK"
_read_version: Callable[[IO[bytes]], tuple[int, int]] = npy.read_magic
_HEADERS: dict[
    tuple[int, int], Callable[[IO[bytes]], tuple[tuple[int, ...], bool, np.dtype[Any]]]
] = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
_write: Callable[..., None] = npy.write_array
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


def read_npz(path: Path) -> dict[str, Array]:
    """The arrays of a `.npz` by name; raises `OSError`, or `ArrayFileError` where one cannot be read."""
    inputs.reads(path)
    with path.open("rb") as file:
        try:
            archive = zipfile.ZipFile(file)
        except (*_DAMAGE, ValueError) as error:
            raise ArrayFileError(f"is not a .npz: {_reason(error)}") from None
        with archive:
            members = archive.infolist()
            _check_size(sum(m.file_size for m in members))
            arrays: dict[str, Array] = {}
            for member in members:
                name = member.filename.removesuffix(".npy")
                if name in arrays:
                    raise ArrayFileError(f"holds `{name}` twice")
                arrays[name] = _member(archive, member)
            return arrays


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Array:
    if member.flag_bits & 1:
        raise ArrayFileError(f"holds `{member.filename}` encrypted")
    try:
        with archive.open(member) as file:
            return _array(file, member.file_size)
    except ArrayFileError as error:
        raise ArrayFileError(f"holds `{member.filename}`, which {error}") from None
    except (*_DAMAGE, RuntimeError) as error:
        raise ArrayFileError(f"holds `{member.filename}` damaged: {_reason(error)}") from None


def _array(file: IO[bytes], size: int) -> Array:
    """The array that begins here and ends within `size` bytes."""
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
    return found.reshape(shape, order="F" if by_columns else "C")


def write_npz(path: Path, arrays: Mapping[str, Array], *, compressed: bool = False) -> None:
    """Write arrays by name; the same arrays give the same bytes.

    `numpy.savez` leaves its archive open where the disk is full, which complains once more at the end.
    """
    method = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, array in arrays.items():
            member = zipfile.ZipInfo(f"{name}.npy")
            member.compress_type = method
            with archive.open(member, "w", force_zip64=True) as file:
                _write(file, np.asanyarray(array), allow_pickle=False)


def memory() -> int:
    """Bytes of this machine's memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _check_size(size: int) -> None:
    if size > memory():
        raise ArrayFileError(f"holds {size:,} bytes of arrays, more than this machine's memory")


def _reason(error: BaseException) -> str:
    lines = str(error).splitlines()
    return lines[0][:160] if lines else type(error).__name__
