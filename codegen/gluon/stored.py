"""Reads `.params`, as MXNet's `save_parameters` and `nd.save` write them, without MXNet.

A list of arrays, then a list of names. Of an array: a number that says the format's version, the kind of storage,
its shape, the device that it was on, the type of its elements, the elements.
"""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import IO, Any

import numpy as np

from codegen.foreign import MOST_ARRAYS, Foreign, ForeignError, Stored, StoredArrays
from codegen.gluon import weights
from nnspec.core import inputs
from nnspec.core.dtypes import DTYPES
from nnspec.graph.graph import Node, Weight
from nnspec.graph.weight_map import Array, Transform

_FILE = 0x112
_LEAST_AXES = {0xF993FAC9: 1, 0xF993FACA: 0}
"""By version: only those with NumPy's shapes have arrays without axes."""

_TYPES = dict(enumerate(("f32", "f64", "f16", "u8", "i32", "i8", "i64", "bool")))
_MOST_AXES = 32


def read(path: Path) -> Foreign:
    """The arrays of a file, by name; raises `OSError` and `ForeignError`."""
    inputs.reads(path)
    size = path.stat().st_size
    with path.open("rb") as file:
        magic, _ = _numbers(file, "QQ")
        if magic != _FILE:
            raise ForeignError("is not a file of MXNet's arrays")
        arrays = [_array(file, path, size) for _ in range(_count(file))]
        names = [_name(file, size) for _ in range(_count(file))]
    if len(names) != len(arrays):
        raise ForeignError(f"holds {len(arrays)} arrays and {len(names)} names")
    entries = {n.removeprefix("arg:").removeprefix("aux:"): a for n, a in zip(names, arrays)}
    return Foreign(StoredArrays(entries), form=_form)


def _form(node: Node | None, weight: Weight) -> tuple[Transform, ...]:
    return weights.transforms(weight)


def _array(file: IO[bytes], path: Path, size: int) -> Stored:
    (version,) = _numbers(file, "I")
    if version not in _LEAST_AXES:
        raise ForeignError("has an array of a version of MXNet that is not known")
    (kind,) = _numbers(file, "i")
    if kind != 0:
        raise ForeignError("has a sparse array")
    (rank,) = _numbers(file, "i")
    # Of the older version, an array without axes has nothing behind its shape.
    if not _LEAST_AXES[version] <= rank <= _MOST_AXES:
        raise ForeignError(f"has an array of {rank} axes")
    shape = _numbers(file, "q" * rank)
    _numbers(file, "ii")
    (flag,) = _numbers(file, "i")
    if flag not in _TYPES or min(shape, default=0) < 0:
        raise ForeignError("has an array of no known type or size")
    dtype, start = DTYPES[_TYPES[flag]].numpy, file.tell()
    length = math.prod(shape) * dtype.itemsize
    if start + length > size:
        raise ForeignError("ends early")
    file.seek(length, 1)
    return Stored(shape, dtype, lambda: _elements(path, start, length, dtype))


def _elements(path: Path, start: int, length: int, dtype: np.dtype[Any]) -> Array:
    with path.open("rb") as file:
        file.seek(start)
        content = file.read(length)
    if len(content) < length:
        raise ForeignError("was cut off while it was read")
    return np.frombuffer(content, dtype)


def _count(file: IO[bytes]) -> int:
    (count,) = _numbers(file, "Q")
    if count > MOST_ARRAYS:
        raise ForeignError(f"says that it holds {count:,} arrays")
    return int(count)


def _name(file: IO[bytes], size: int) -> str:
    (length,) = _numbers(file, "Q")
    if length > min(size, 2**16):
        raise ForeignError("ends early, or has a name that is too long")
    return file.read(length).decode("utf-8", "replace")


def _numbers(file: IO[bytes], format: str) -> tuple[int, ...]:
    content = file.read(struct.calcsize(f"<{format}"))
    try:
        return struct.unpack(f"<{format}", content)
    except struct.error:
        raise ForeignError("ends early") from None
