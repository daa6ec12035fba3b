"""What the names of a program stand for and what its tensors are, by place: for editors.

An index is filled in while a program is worked out, where one is asked for. Names that were not worked
out (of blocks that nothing applies, of branches not taken) are looked up afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from nnspec.core.types import TensorType
from nnspec.graph.graph import Value
from nnspec.report.source import Span


@dataclass
class Index:
    """definitions: for each place at which a name is read, where it got its meaning; a name of the
    catalogue has no such place. types: of the tensors that stand at a name, or come out of a stage of a
    pipe; several where a block is applied to several.
    """

    definitions: dict[Span, Span] = field(default_factory=dict)
    types: dict[Span, list[TensorType]] = field(default_factory=dict)

    def name(self, use: Span, definition: Span, value: Any = None) -> None:
        """A name that is read."""
        if use != definition:
            self.definitions[use] = definition
        self.tensors(use, value)

    def tensors(self, at: Span, value: Any) -> None:
        """The types of what a place holds, as far as these are tensors."""
        for one in value if isinstance(value, tuple) else (value,):
            if isinstance(one, Value):
                types = self.types.setdefault(at, [])
                if one.type not in types:
                    types.append(one.type)

    def uses(self, definition: Span) -> list[Span]:
        """Where what got its meaning at a place is read."""
        return [use for use, origin in self.definitions.items() if origin == definition]

    def definition_at(self, path: str, offset: int) -> Span | None:
        """Where the name at a place of a file got its meaning."""
        use = _innermost(self.definitions, path, offset)
        return None if use is None else self.definitions[use]

    def types_at(self, path: str, offset: int) -> tuple[TensorType, ...]:
        """The types of the tensors at a place of a file."""
        at = _innermost(self.types, path, offset)
        return () if at is None else tuple(self.types[at])


def _innermost(spans: Iterable[Span], path: str, offset: int) -> Span | None:
    around = (s for s in spans if s.start <= offset < s.end and s.source.path == path)
    return min(around, key=lambda s: s.end - s.start, default=None)
