"""Bounds on what a spec may ask for: a spec is text from anywhere, and none of it may hang us."""

from __future__ import annotations

from dataclasses import dataclass

from nnspec.report.diagnostics import Diagnostic, Label, SpecError
from nnspec.report.source import Span

ITERATIONS = 1_000_000
NODES = 200_000
DEPTH = 64
ITEMS = 1_000_000
MAGNITUDE = 2**63
ELEMENTS = 2**40


def beyond(what: str, limit: int, span: Span, found: str = "") -> SpecError:
    """The error for a spec that goes beyond a limit."""
    return SpecError(
        Diagnostic(
            "E0801",
            f"{what} beyond the limit of {limit:,}".replace(",", "_"),
            Label(span, found),
        )
    )


@dataclass
class Budget:
    """What is left for one file."""

    iterations: int = ITERATIONS
    nodes: int = NODES

    def iterate(self, count: int, span: Span) -> None:
        self.iterations -= count
        if self.iterations < 0:
            raise beyond("loops run", ITERATIONS, span, f"{count} more rounds here")

    def node(self, span: Span) -> None:
        self.nodes -= 1
        if self.nodes < 0:
            raise beyond("the graph grows", NODES, span, "this node is one too many")


def check_number(value: object, span: Span) -> None:
    """Whole numbers stay within 64 bits."""
    if isinstance(value, int) and abs(value) >= MAGNITUDE:
        raise beyond("a whole number", MAGNITUDE - 1, span)
