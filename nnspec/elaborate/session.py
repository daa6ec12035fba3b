"""What the bodies of one run share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from nnspec.core.dims import Dim
from nnspec.core.types import TensorType
from nnspec.elaborate.builder import Builder
from nnspec.elaborate.limits import Budget
from nnspec.elaborate.scope import Scope
from nnspec.graph.graph import Graph, Value
from nnspec.report.diagnostics import Diagnostic, Label, Reporter, SpecError
from nnspec.report.source import Span

if TYPE_CHECKING:
    from nnspec.elaborate.index import Index
    from nnspec.elaborate.modules import Module
    from nnspec.elaborate.values import BlockFunction, BlockLayer
    from nnspec.syntax import tree


@dataclass
class Session:
    """One run of the elaborator.

    index: to be filled in with what names stand for, where that is wanted.
    given: parameters from the command line, in place of the defaults of models and programs.
    chain: the block calls that we are in, outermost first. call_block and scan are set by
    `blocks.py`, which stands above the expressions that need them.
    """

    reporter: Reporter
    call_block: Callable[[Body, BlockLayer, tuple[Value | None, ...], Span], tuple[Value, ...]]
    call_function: Callable[[Body, BlockFunction, list[tuple[Any, Span]], Span], tuple[Value, ...]]
    scan: Callable[[Body, Any, Any, Span], Any]
    budget: Budget = field(default_factory=Budget)
    chain: list[tuple[str, Span]] = field(default_factory=list)
    seen: set[tuple[str, Span | None]] = field(default_factory=set)
    models: dict[Any, Graph | None] = field(default_factory=dict)
    given: Mapping[str, Any] = field(default_factory=dict)
    index: Index | None = None
    outlines: dict[int, tuple[dict[str, Span], int]] = field(default_factory=dict)

    def parameters(self, declaration: tree.Block | tree.Train) -> dict[str, Any]:
        """What the command line gives to a model or program."""
        names = {p.name.text for p in declaration.parameters}
        return {name: value for name, value in self.given.items() if name in names}

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


class Supply(Protocol):
    """Who gives a block its inputs by name: it is an optimizer or a schedule, worked out by itself."""

    def take(self, body: Body, written: tree.TypedName) -> Value: ...

    def scalar(self, body: Body, number: float, item: tree.NamedExpr) -> Value: ...


@dataclass
class Keeping:
    """What is known of a cell once it has been applied: its states' types, the numbers they begin with; its steps."""

    types: dict[str, TensorType] = field(default_factory=dict)
    numbers: dict[str, float] = field(default_factory=dict)
    steps: list[Any] = field(default_factory=list)


@dataclass
class Body:
    """One body being worked out: of a model, a block, or a training program.

    trains: whether it is a training program's, or a function's that one calls.
    given: what a block is applied to; None for a state whose type tells what it is, and for what is left out.
    taken: how much of that the inputs so far took.
    keeping: of a cell, whose states somebody keeps.
    """

    session: Session
    module: Module
    builder: Builder
    scope: Scope
    kind: str
    name: str
    given: tuple[Value | None, ...] | None = None
    taken: int = 0
    inputs: list[Value] = field(default_factory=list)
    outputs: list[tuple[str, Any, Span]] = field(default_factory=list)
    put_out: dict[str, Span] = field(default_factory=dict)
    sizes: dict[str, Dim] = field(default_factory=dict)
    failed: bool = False
    extra: Any = None
    supply: Supply | None = None
    trains: bool = False
    keeping: Keeping | None = None

    def fail(self, failure: SpecError) -> None:
        self.failed = True
        self.session.report(failure)
