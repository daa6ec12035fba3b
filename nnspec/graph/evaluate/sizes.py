"""From symbolic sizes to numbers, once the arrays are there."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from nnspec.catalogue.ops.base import Op
from nnspec.core.dims import Dim, Shape, Sym, substitute, symbol
from nnspec.core.types import TensorType


def bind_sizes(types: Sequence[TensorType], shapes: Sequence[Shape], sizes: dict[str, int]) -> None:
    """Note what the names of sizes (`N`) stand for in these shapes."""
    for kind, shape in zip(types, shapes, strict=True):
        for dim, size in zip(kind.shape, shape, strict=True):
            if isinstance(dim, Sym) and isinstance(size, int) and dim == symbol(str(dim)):
                sizes.setdefault(str(dim), size)


def with_sizes(op: Op, sizes: Mapping[str, int], floats: str | None = None) -> Op:
    """The op with numbers for the symbolic sizes among its fields.

    floats: the element type that stands for f32 where the op names it (`cast(x, f32)` run in f64).
    """
    symbolic = _symbolic_fields(op)
    changes: dict[str, Any] = {n: _numbers(getattr(op, n), sizes) for n in symbolic}
    if floats and getattr(op, "dtype", None) == "f32":
        changes["dtype"] = floats
    return dataclasses.replace(op, **changes) if changes else op


def is_symbolic(op: Op) -> bool:
    """Whether a size among its fields is no number."""
    return bool(_symbolic_fields(op))


@lru_cache(4096)
def _symbolic_fields(op: Op) -> tuple[str, ...]:
    return tuple(f.name for f in dataclasses.fields(op) if _is_symbolic(getattr(op, f.name)))


def _is_symbolic(value: Any) -> bool:
    return isinstance(value, Sym) or isinstance(value, tuple) and any(map(_is_symbolic, value))


def _numbers(value: Any, sizes: Mapping[str, Dim]) -> Any:
    if isinstance(value, tuple):
        return tuple(_numbers(v, sizes) for v in value)
    return substitute(value, sizes) if isinstance(value, Sym) else value
