"""Names in a body: what they stand for, where they were bound, and whether anybody reads them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nnspec.report.source import Span

if TYPE_CHECKING:
    from nnspec.elaborate.index import Index


@dataclass
class Binding:
    value: Any
    span: Span
    is_parameter: bool = False


@dataclass
class Scope:
    """One body; `later` has the first place at which each name is bound anywhere in it, `sizes` those
    at which symbolic sizes are named first."""

    bindings: dict[str, Binding] = field(default_factory=dict)
    read: set[str] = field(default_factory=set)
    later: dict[str, Span] = field(default_factory=dict)
    sizes: dict[str, Span] = field(default_factory=dict)
    index: Index | None = None

    def bind(self, name: str, value: Any, span: Span, *, is_parameter: bool = False) -> None:
        self.bindings[name] = Binding(value, span, is_parameter)
        if self.index is not None:
            self.index.tensors(span, value)

    def get(self, name: str) -> Binding | None:
        binding = self.bindings.get(name)
        if binding is not None:
            self.read.add(name)
        return binding

    def names(self) -> Iterator[str]:
        return iter(self.bindings)
