"""Reads the weights in `.h5`, `.weights.h5` and `.keras`, without Keras.

HDF5 is read by h5py in a process of its own, since the library under it is written in C and trusts files; it hands over
a canonical file. Nothing but plain arrays of the file itself is read: HDF5 can lead to other files by links, by arrays
stored outside and by arrays put together of others.
"""

from __future__ import annotations

import importlib.util
import lzma
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from codegen.foreign import MOST_ARRAYS, Foreign, ForeignError, check_size
from codegen.keras import weights
from codegen.python.plan import Owner
from nnspec.core import inputs
from nnspec.graph import weight_files
from nnspec.graph.graph import Node, Weight
from nnspec.graph.weight_map import Array, Transform

DEEPEST = 50
LONGEST = 600
"""Seconds that reading a file may take."""

_WEIGHTS = "model.weights.h5"


def read(path: Path) -> Foreign:
    """The weights of a file, by their places in it; raises `OSError` and `ForeignError`."""
    if importlib.util.find_spec("h5py") is None:
        raise ForeignError('takes h5py to be read: pip install "nnspec[keras]"')
    inputs.reads(path)
    with tempfile.TemporaryDirectory(prefix="nnspec-") as folder:
        source, found = path, Path(folder, "found.safetensors")
        with path.open("rb") as file:
            zipped = file.read(2) == b"PK"
        if zipped:
            source = Path(folder, _WEIGHTS)
            _unzip(path, source)
        _read_apart(source, found)
        # The file stays open when its name is gone.
        return Foreign(weight_files.load(found), ordered=False, form=_form)


def _form(node: Node | None, weight: Weight) -> tuple[Transform, ...]:
    return weights.transforms(Owner(weight, node, ()))


def _unzip(path: Path, target: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive, archive.open(_WEIGHTS) as member:
            check_size(archive.getinfo(_WEIGHTS).file_size)
            with target.open("wb") as file:
                shutil.copyfileobj(member, file)
    except KeyError:
        raise ForeignError(f"is a zip without `{_WEIGHTS}`") from None
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, RuntimeError, EOFError) as error:
        raise ForeignError(f"is a damaged zip: {str(error)[:100]}") from None


def _read_apart(source: Path, found: Path) -> None:
    root = str(Path(__file__).resolve().parents[2])
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONSAFEPATH": "1"}
    try:
        process = subprocess.run(
            [sys.executable, "-m", __name__, str(source.absolute()), str(found)],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=LONGEST,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ForeignError(f"takes longer than {LONGEST} s to be read") from None
    if process.returncode:
        lines = process.stderr.strip().splitlines() or ["HDF5 could not read it"]
        raise ForeignError(lines[-1] if process.returncode == 1 else "is damaged: HDF5 failed")


def _main(source: str, found: str) -> None:
    import h5py

    try:
        with h5py.File(source, "r") as file:
            root = file.get("model_weights", file)
            arrays = dict(_arrays(root, "", 0))
            if len(arrays) > MOST_ARRAYS:
                raise ForeignError(f"holds {len(arrays):,} arrays")
            check_size(sum(a.nbytes for a in arrays.values()))
            weight_files.save(Path(found), arrays)
    except ForeignError as error:
        raise SystemExit(str(error)) from None
    except (OSError, ValueError, KeyError, RuntimeError, TypeError, MemoryError) as error:
        told = (str(error).splitlines() or [type(error).__name__])[0]
        raise SystemExit(f"is damaged, or no HDF5: {told[:200]}") from None


def _arrays(group: Any, before: str, depth: int) -> Iterator[tuple[str, Array]]:
    """The arrays of a group and those in it; names are their places, with dots."""
    import h5py

    if depth > DEEPEST:
        raise ForeignError("has groups within groups without end")
    for key in group:
        if not isinstance(group.get(key, getlink=True), h5py.HardLink):
            raise ForeignError(
                f"leads elsewhere by the link `{before}{key}`, which is not followed"
            )
        value = group[key]
        name = before + key.removesuffix(":0").replace("/", ".")
        if isinstance(value, h5py.Group):
            yield from _arrays(value, f"{name}.", depth + 1)
        elif isinstance(value, h5py.Dataset) and value.dtype.kind in "fiub":
            if value.external or value.is_virtual:
                raise ForeignError(f"keeps `{name}` in another file, which is not read")
            check_size(value.size * value.dtype.itemsize)
            yield name, np.asarray(value[()]).astype(value.dtype.newbyteorder("="))


if __name__ == "__main__":
    _main(*sys.argv[1:])
