"""Fields of a declaration (an op, an initialiser, an optimizer, a data set)."""

from __future__ import annotations

import dataclasses
from typing import Any

from nnspec.core.kinds import Kind


def arg(doc: str, kind: Kind, default: Any = dataclasses.MISSING) -> Any:
    """A field that the writer sets: what it means, what it may be, its default."""
    return dataclasses.field(default=default, metadata={"doc": doc, "kind": kind})


def internal(default: Any) -> Any:
    """A field that only passes set (the layout pass: `channels_first`)."""
    return dataclasses.field(default=default, metadata={"internal": True})
