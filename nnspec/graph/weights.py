"""Canonical weights: how they begin, and their one `.safetensors` file.

Names are paths (`dense.weight`), layouts PyTorch's. Files of a program with several networks put the
network's name first (`G.dense.weight`). Nothing is ever unpickled.
"""

from __future__ import annotations

import hashlib
import json
import math
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nnspec.catalogue.initializers import Zeros
from nnspec.core import inputs
from nnspec.core.dtypes import DTYPES
from nnspec.core.files import write_file
from nnspec.graph.graph import Weight
from nnspec.report.diagnostics import Diagnostic, SpecError, did_you_mean

Array = np.ndarray[Any, Any]

LARGEST_HEADER = 100_000_000
"""What the format allows a header at most, in bytes."""


def initialize(weights: Sequence[Weight], seed: int) -> dict[str, Array]:
    """Initial values, the same on every platform; each weight's depend on its path and the seed alone."""
    return {w.path: _initial(w, seed) for w in weights}


def _initial(weight: Weight, seed: int) -> Array:
    digest = hashlib.sha256(f"{seed}:{weight.path}".encode()).digest()
    generator = np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "little")))
    shape = tuple(int(d) for d in weight.type.shape if isinstance(d, int))
    initializer = weight.initializer or Zeros()
    values = initializer.sample(shape, weight.fans, generator)
    return np.asarray(values, dtype=DTYPES[weight.type.dtype].numpy, order="C")


def save(path: Path, weights: Mapping[str, Array]) -> None:
    """Write a canonical file, whole or not at all; the same weights give the same bytes."""
    from safetensors.numpy import save as dump

    ordered = {name: np.asarray(weights[name], order="C") for name in sorted(weights)}
    write_file(path, dump(ordered))


def load(path: Path) -> dict[str, Array]:
    """Every array of a file, unchecked; raises `SpecError` where it is not a safetensors file."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    _check_header(path)
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise _bad(path, str(error)) from None


def fit(found: Mapping[str, Array], weights: Sequence[Weight], origin: str) -> dict[str, Array]:
    """Arrays that are exactly a model's weights, or a `SpecError` that says what is not."""
    problems = [*_missing(found, weights, origin), *_extra(found, weights, origin)]
    for weight in weights:
        array = found.get(weight.path)
        if array is None:
            continue
        if array.shape != weight.type.shape:
            shown = "[" + ", ".join(map(str, array.shape)) + "]"
            problems.append(
                Diagnostic(
                    "E0615",
                    f"`{weight.path}` in `{origin}` has shape {shown}, but the model's is {weight.type}",
                )
            )
        elif array.dtype.kind != "f":
            problems.append(
                Diagnostic(
                    "E0616",
                    f"`{weight.path}` in `{origin}` holds {array.dtype}, not {weight.type.dtype}",
                )
            )
    if problems:
        raise SpecError(*problems)
    return {
        w.path: np.asarray(found[w.path], DTYPES[w.type.dtype].numpy, order="C") for w in weights
    }


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


def _check_header(path: Path) -> None:
    """A short look at the header, so that a file that lies about its size is refused cheaply."""
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
    ends = [
        entry["data_offsets"][1]
        for name, entry in header.items()
        if name != "__metadata__"
        and isinstance(entry, dict)
        and isinstance(entry.get("data_offsets"), list)
        and len(entry["data_offsets"]) == 2
        and isinstance(entry["data_offsets"][1], int)
    ]
    wanted = 8 + length + max(ends, default=0)
    if wanted > size:
        raise _bad(path, f"it ends after {size} of {wanted} bytes: truncated")


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


def count(weights: Sequence[Weight], *, trainable: bool | None = None) -> int:
    """Number of elements, of all weights or of those that are (not) trained."""
    return sum(
        math.prod(int(d) for d in w.type.shape if isinstance(d, int))
        for w in weights
        if trainable is None or w.trainable == trainable
    )
