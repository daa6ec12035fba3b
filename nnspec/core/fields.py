"""Fields of a declaration: what a writer may set, what each means, what it may be."""

from __future__ import annotations

import dataclasses
from typing import Any

from nnspec.core.kinds import Kind

REQUIRED = dataclasses.MISSING
"""The default of a field that has none."""


@dataclasses.dataclass(frozen=True)
class Field:
    """An argument of an op, a setting of a training program, an option of a target."""

    name: str
    doc: str
    kind: Kind
    default: Any = REQUIRED

    @property
    def is_required(self) -> bool:
        return self.default is REQUIRED


def arg(doc: str, kind: Kind, default: Any = REQUIRED) -> Any:
    """A field that the writer sets: what it means, what it may be, its default."""
    return dataclasses.field(default=default, metadata={"doc": doc, "kind": kind})


def internal(default: Any) -> Any:
    """A field that only passes set (the layout pass: `channels_first`)."""
    return dataclasses.field(default=default, metadata={"internal": True})


_FIELDS: dict[type[Any], tuple[Field, ...]] = {}


def fields_of(cls: type[Any]) -> tuple[Field, ...]:
    """What a writer may set of a declaration, in order; looked up for every layer, so kept."""
    if cls not in _FIELDS:
        _FIELDS[cls] = tuple(
            Field(f.name, f.metadata["doc"], f.metadata["kind"], f.default)
            for f in dataclasses.fields(cls)
            if "kind" in f.metadata
        )
    return _FIELDS[cls]
