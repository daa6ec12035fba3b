"""Reads what `torch.save` wrote, without PyTorch and without unpickling.

A file is a zip of one pickle, which says what there is, and the bytes of each storage; files of before 2020 are
pickles in a row with the bytes behind them. The pickle is a program. Here it is read as data: `_Reader` goes over its
opcodes and knows those that make numbers, texts, lists, tables and tensors. Whatever else it asks for
is refused, and nothing of it is ever called or imported.
"""

from __future__ import annotations

import lzma
import math
import pickletools
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np

from codegen.foreign import Foreign, ForeignError, Stored, StoredArrays, check_size
from nnspec.core import inputs
from nnspec.core.dtypes import DTYPES
from nnspec.graph.weight_map import Array

LARGEST_PICKLE = 2**28
_DAMAGE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError)
"""What reading a zip raises; `RuntimeError` stands for encryption, too, and for unknown methods."""

MOST_AXES = 32
DEEPEST, MOST_ENTRIES = 20, 1_000_000
"""Tables within tables, and what they hold together."""

STATE = ("state_dict", "model_state_dict", "model", "module", "net", "network", "weights", "params")
"""What a checkpoint calls the table of its model's weights, beside those of an optimizer."""

_STORAGES = {
    "FloatStorage": "f32", "DoubleStorage": "f64", "HalfStorage": "f16", "BFloat16Storage": "bf16",
    "LongStorage": "i64", "IntStorage": "i32", "CharStorage": "i8", "ByteStorage": "u8",
    "BoolStorage": "bool",
}  # fmt: skip
_TYPES = {n: DTYPES[d].numpy for n, d in _STORAGES.items()} | {"ShortStorage": np.dtype("<i2")}


@dataclass(frozen=True)
class _Global:
    """A name that the pickle asks for."""

    name: str


@dataclass(frozen=True, eq=False)
class _Storage:
    """Elements in a row; `key` says where their bytes are."""

    key: str
    dtype: np.dtype[Any]
    count: int


@dataclass(frozen=True, eq=False)
class _Tensor:
    """A view of a storage: element [i, j] is its `start + i * steps[0] + j * steps[1]`."""

    storage: _Storage
    start: int
    shape: tuple[int, ...]
    steps: tuple[int, ...]

    def view(self, content: bytes) -> Array:
        """The tensor, of its storage's bytes."""
        dtype = self.storage.dtype
        if 0 in self.shape:
            return np.empty(self.shape, dtype)
        flat = np.frombuffer(content, dtype)
        last = self.start + sum((n - 1) * s for n, s in zip(self.shape, self.steps))
        if last >= flat.size:
            raise ForeignError("has a tensor that reaches beyond its storage")
        steps = tuple(s * dtype.itemsize for s in self.steps)
        return np.lib.stride_tricks.as_strided(
            flat[self.start :], self.shape, steps, writeable=False
        )


_Content = Callable[[_Storage], bytes]
_MARK = object()


@dataclass
class _Reader:
    """The stack and the memo of one pickle, and the storages that it names."""

    stack: list[Any] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)
    storages: dict[str, _Storage] = field(default_factory=dict)

    def read(self, file: IO[bytes]) -> Any:
        """What the pickle that begins here describes."""
        try:
            for opcode, argument, _ in pickletools.genops(file):
                self._do(opcode.name, argument)
        except ForeignError:
            raise
        except (
            ValueError,
            IndexError,
            KeyError,
            TypeError,
            AttributeError,
            OverflowError,
        ) as error:
            raise ForeignError(f"is damaged: {str(error)[:100] or type(error).__name__}") from None
        return self.stack[-1]

    def _do(self, name: str, argument: Any) -> None:
        stack = self.stack
        match name:
            case "PROTO" | "FRAME" | "STOP":
                pass
            case "BINPUT" | "LONG_BINPUT" | "PUT":
                self.memo[int(argument)] = stack[-1]
            case "MEMOIZE":
                self.memo[len(self.memo)] = stack[-1]
            case "BINGET" | "LONG_BINGET" | "GET":
                stack.append(self.memo[int(argument)])
            case "MARK":
                stack.append(_MARK)
            case "EMPTY_DICT":
                stack.append({})
            case "EMPTY_LIST":
                stack.append([])
            case "EMPTY_TUPLE":
                stack.append(())
            case "NONE":
                stack.append(None)
            case "NEWTRUE" | "NEWFALSE":
                stack.append(name == "NEWTRUE")
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                stack.append(tuple(self._pop(int(name[-1]))))
            case "TUPLE":
                stack.append(tuple(self._marked()))
            case "LIST":
                stack.append(self._marked())
            case "DICT":
                stack.append(dict(_pairs(self._marked())))
            case "APPEND":
                [value] = self._pop(1)
                stack[-1].append(value)
            case "APPENDS":
                values = self._marked()
                stack[-1].extend(values)
            case "SETITEM":
                pair = self._pop(2)
                stack[-1].update(_pairs(pair))
            case "SETITEMS":
                values = self._marked()
                stack[-1].update(_pairs(values))
            case "GLOBAL":
                stack.append(_Global(str(argument).replace(" ", ".")))
            case "STACK_GLOBAL":
                stack.append(_Global(".".join(self._pop(2))))
            case "REDUCE":
                function, arguments = self._pop(2)
                stack.append(_made(function, arguments))
            case "BUILD":
                # Attributes that PyTorch gives a table: versions of its modules.
                self._pop(1)
                if not isinstance(stack[-1], dict):
                    raise _refused(f"an object with attributes ({type(stack[-1]).__name__})")
            case "BINPERSID":
                storage = _storage(*self._pop(1))
                stack.append(self.storages.setdefault(storage.key, storage))
            case _ if _is_constant(name):
                stack.append(argument)
            case _:
                raise _refused(f"the opcode {name}")

    def _pop(self, count: int) -> list[Any]:
        taken = self.stack[-count:]
        if len(taken) < count or any(value is _MARK for value in taken):
            raise ForeignError("is damaged: its pickle takes what it did not put")
        del self.stack[-count:]
        return taken

    def _marked(self) -> list[Any]:
        place = len(self.stack) - 1
        while self.stack[place] is not _MARK:
            place -= 1
        taken = self.stack[place + 1 :]
        del self.stack[place:]
        return taken


def _is_constant(name: str) -> bool:
    return name.endswith(("UNICODE", "STRING", "BYTES")) or name in {
        "BININT", "BININT1", "BININT2", "INT", "LONG", "LONG1", "BINFLOAT", "FLOAT", "UNICODE",
    }  # fmt: skip


def _pairs(values: list[Any]) -> Iterator[tuple[Any, Any]]:
    return zip(values[::2], values[1::2], strict=True)


def _made(function: Any, arguments: Any) -> Any:
    """What a call stands for; those of tensors and of tables alone are known."""
    match function:
        case _Global("collections.OrderedDict") if arguments == ():
            return {}
        case _Global("torch._utils._rebuild_tensor_v2" | "torch._utils._rebuild_tensor"):
            storage, start, shape, steps = arguments[:4]
            numbers = (start, *shape[: MOST_AXES + 1], *steps[: MOST_AXES + 1])
            if (
                not isinstance(storage, _Storage)
                or len(numbers) > 2 * MOST_AXES + 1
                or not all(type(n) is int and 0 <= n < 2**62 for n in numbers)
                or len(shape) != len(steps)
            ):
                raise ForeignError("is damaged: a tensor of no storage or size")
            check_size(math.prod(shape) * storage.dtype.itemsize)
            return _Tensor(storage, start, tuple(shape), tuple(steps))
        case _Global("torch._utils._rebuild_parameter"):
            return arguments[0]
        case _Global(name):
            raise _refused(f"a call of `{name[:100]}`")
        case _:
            raise _refused("a call of what is no name")


def _storage(told: Any) -> _Storage:
    kind, storage_type, key, _, count, *view = told
    name = storage_type.name.rpartition(".")[2] if isinstance(storage_type, _Global) else ""
    if kind != "storage" or name not in _TYPES or any(v is not None for v in view):
        raise _refused(f"a storage of `{name or type(storage_type).__name__}`")
    check_size(int(count) * _TYPES[name].itemsize)
    return _Storage(str(key), _TYPES[name], int(count))


def _refused(what: str) -> ForeignError:
    return ForeignError(
        f"asks for more than tensors: {what[:150]}. Such a file could run code, so it is not read; "
        "save the model's weights alone: `torch.save(model.state_dict(), ...)`"
    )


def read(path: Path) -> Foreign:
    """The tensors of a file, by name; raises `OSError` and `ForeignError`."""
    inputs.reads(path)
    with path.open("rb") as file:
        zipped = file.read(4) == b"PK\x03\x04"
    return _zipped(path) if zipped else _in_a_row(path)


def _zipped(path: Path) -> Foreign:
    try:
        archive = zipfile.ZipFile(path)
    except (*_DAMAGE, ValueError) as error:
        raise ForeignError(f"is a damaged zip: {error}") from None
    pickles = [n for n in archive.namelist() if n.rpartition("/")[2] == "data.pkl"]
    if len(pickles) != 1:
        raise ForeignError("is a zip without the one `data.pkl` that PyTorch writes")
    root = pickles[0].removesuffix("data.pkl")
    if (
        f"{root}byteorder" in archive.namelist()
        and _member(archive, f"{root}byteorder", 16) == b"big"
    ):
        raise ForeignError("was written on a big-endian machine")

    def content(storage: _Storage) -> bytes:
        size = storage.count * storage.dtype.itemsize
        return _member(archive, f"{root}data/{storage.key}", size)

    if archive.getinfo(pickles[0]).file_size > LARGEST_PICKLE:
        raise ForeignError("has a table of contents that is too large")
    try:
        with archive.open(pickles[0]) as file:
            found = _Reader().read(file)
    except _DAMAGE as error:
        raise ForeignError(f"is damaged: {str(error)[:100]}") from None
    return _foreign(found, content)


def _member(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    """At most so many bytes of a member."""
    try:
        with archive.open(name) as file:
            return file.read(most)
    except (KeyError, *_DAMAGE) as error:
        raise ForeignError(f"is damaged: `{name[-80:]}`: {str(error)[:100]}") from None


def _in_a_row(path: Path) -> Foreign:
    """Files of before PyTorch 1.6: a magic number, a version, the machine, the table, the storages' keys."""
    with path.open("rb") as file:
        try:
            magic = _Reader().read(file)
            if magic != 0x1950A86A20F9469CFC6C:
                raise ForeignError("is not a file of PyTorch")
            _Reader().read(file)
            _Reader().read(file)
            table = _Reader()
            found = table.read(file)
            keys = _Reader().read(file)
        except EOFError:
            raise ForeignError("ends early") from None
        contents: dict[str, bytes] = {}
        for key in keys if isinstance(keys, list) else ():
            count = int.from_bytes(file.read(8), "little")
            storage = table.storages.get(key) if isinstance(key, str) else None
            if storage is None or storage.count != count:
                raise ForeignError("is damaged: a storage that no tensor is of")
            contents[storage.key] = file.read(check_size(count * storage.dtype.itemsize))
    return _foreign(found, lambda storage: contents.get(storage.key, b""))


def _foreign(found: Any, content: _Content) -> Foreign:
    def stored(tensor: _Tensor) -> Stored:
        return Stored(tensor.shape, tensor.storage.dtype, lambda: _read(tensor, content))

    return Foreign(StoredArrays({n: stored(t) for n, t in _tensors(found).items()}))


def _read(tensor: _Tensor, content: _Content) -> Array:
    held: bytes = content(tensor.storage)
    if len(held) != tensor.storage.count * tensor.storage.dtype.itemsize:
        raise ForeignError("ends early: a storage lacks bytes")
    return tensor.view(held)


def _tensors(found: Any) -> dict[str, _Tensor]:
    """Tensors by name: of a state dict, or of the one that a checkpoint holds."""
    for _ in range(DEEPEST):
        if not isinstance(found, dict) or any(isinstance(v, _Tensor) for v in found.values()):
            break
        inner = next((found[k] for k in STATE if isinstance(found.get(k), dict)), None)
        if inner is None:
            break
        found = inner
    tensors = dict(_named(found))
    if not tensors:
        raise ForeignError("holds no tensors by name")
    return tensors


def _named(found: Any) -> Iterator[tuple[str, _Tensor]]:
    """Tensors of tables within tables, in order, their names joined by dots."""
    entries, left = [("", found, 0)], MOST_ENTRIES
    while entries:
        name, value, depth = entries.pop()
        if isinstance(value, _Tensor):
            yield name, value
        elif isinstance(value, dict) and depth < DEEPEST:
            left -= len(value)
            if left < 0:
                raise ForeignError(f"holds more than {MOST_ENTRIES:,} entries")
            keys = [k for k in value if isinstance(k, str | int)]
            before = f"{name}." if name else ""
            entries += [(f"{before}{k}", value[k], depth + 1) for k in reversed(keys)]
