"""What the bodies of one run share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nnspec.core.dims import Dim
from nnspec.elaborate.builder import Builder
from nnspec.elaborate.limits import Budget
from nnspec.elaborate.scope import Scope
from nnspec.graph.graph import Graph, Value
from nnspec.report.diagnostics import Diagnostic, Label, Reporter, SpecError
from nnspec.report.source import Span

if TYPE_CHECKING:
    from nnspec.elaborate.modules import Module
    from nnspec.elaborate.values import BlockLayer


@dataclass
class Session:
    """One run of the elaborator.

    chain: the block calls that we are in, outermost first. call_block and network_graph are set by
    `blocks.py`, which stands above the expressions that need them.
    """

    reporter: Reporter
    call_block: Callable[[Body, BlockLayer, tuple[Value, ...], Span], tuple[Value, ...]]
    budget: Budget = field(default_factory=Budget)
    chain: list[tuple[str, Span]] = field(default_factory=list)
    seen: set[tuple[str, Span | None]] = field(default_factory=set)
    models: dict[Any, Graph | None] = field(default_factory=dict)

    def report(self, failure: SpecError) -> None:
        """Report each fault once, however often its block is applied."""
        for diagnostic in failure.diagnostics:
            key = diagnostic.code, diagnostic.label.span if diagnostic.label else None
            if key in self.seen:
                continue
            self.seen.add(key)
            notes = tuple(
                Label(span, f"in `{name}`, applied here")
                for name, span in reversed(self.chain[-4:])
            )
            self.reporter.report(
                Diagnostic(
                    diagnostic.code,
                    diagnostic.message,
                    diagnostic.label,
                    diagnostic.notes + notes,
                    diagnostic.helps,
                    diagnostic.severity,
                )
            )


@dataclass
class Body:
    """One body being worked out: of a model, a block, or a training program."""

    session: Session
    module: Module
    builder: Builder
    scope: Scope
    kind: str
    name: str
    given: tuple[Value, ...] | None = None
    inputs: list[Value] = field(default_factory=list)
    outputs: list[tuple[str, Any, Span]] = field(default_factory=list)
    sizes: dict[str, Dim] = field(default_factory=dict)
    failed: bool = False
    extra: Any = None

    def fail(self, failure: SpecError) -> None:
        self.failed = True
        self.session.report(failure)
