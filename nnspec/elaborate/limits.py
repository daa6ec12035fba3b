"""Bounds on what a spec may ask for: a spec is text from anywhere, and none of it may hang us.

One budget pays for all that is worked out while compiling, in time and in memory. A step is about a
microsecond on a common machine, and leaves at most some hundred bytes behind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nnspec.elaborate.values import Layer
from nnspec.report.diagnostics import Diagnostic, Label, SpecError
from nnspec.report.source import Span

STEPS = 4_000_000
STEPS_PER_CHARACTER = 50
MOST_STEPS = 100_000_000

NODE = 50
EDGE = 5
LAYER = 8
BLOCK = 50
MOVED = 10
TERM = 50
NUMBER = 25
CHARACTERS = 8
"""What things cost: a node and each of its operands, a layer made, a block applied, a node moved into another graph, two terms of sizes
that are multiplied, a number that a target writes out; so many characters cost one step, as does each expression and element."""

DEPTH = 64
MAGNITUDE = 2**63
ELEMENTS = 2**40
AXES = 32
"""Of a tensor: as many as NumPy has, which runs the definition."""


class OutOfBudget(SpecError):
    """Nothing more is worked out."""


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
    """What is left of `steps`."""

    steps: int = STEPS
    left: int = STEPS

    @classmethod
    def of(cls, characters: int) -> Budget:
        """For texts of that length: a longer one may ask for more."""
        steps = min(STEPS + STEPS_PER_CHARACTER * characters, MOST_STEPS)
        return cls(steps, steps)

    def spend(self, steps: int, span: Span, on: str = "") -> None:
        """Pay for something before it is done; raises `OutOfBudget` (E0801)."""
        self.left -= steps
        if self.left < 0:
            raise OutOfBudget(
                Diagnostic(
                    "E0801",
                    f"working this out takes more than {self.steps:,} steps".replace(",", "_"),
                    Label(span, on or "given up here"),
                )
            )

    def value(self, value: Any, span: Span, times: int = 1) -> None:
        """Make, compare, show or hand over a list or string: each part as often as it is met.

        Lists share parts (`s = [s, s]`), and nothing that reads them knows.
        """
        waiting: list[Sequence[Any]] = (
            [value] if isinstance(value, (list, tuple, range, str)) else []
        )
        while waiting:
            found = waiting.pop()
            if isinstance(found, str):
                count = len(found) * times
                self.spend(count // CHARACTERS, span, f"{count} characters")
                continue
            count = len(found) * times
            self.spend(count + 3, span, f"{count} elements")
            if not isinstance(found, range):
                waiting += [v for v in found if isinstance(v, (list, tuple, range, str))]

    def layers(self, layer: Any, span: Span, times: int = 1) -> None:
        """Copy a layer with all that it is made of."""
        waiting = [layer]
        while waiting:
            self.spend(LAYER * times, span, f"{times} layers" if times > 1 else "")
            found = waiting.pop()
            waiting += found.parts() if isinstance(found, Layer) else ()


def check_depth(depth: int, span: Span, found: str) -> None:
    """Blocks within blocks."""
    if depth > DEPTH:
        raise beyond("blocks nest", DEPTH, span, found)


def check_axes(count: int, span: Span) -> None:
    """Tensors have so many axes that each target has heard of them."""
    if count > AXES:
        raise beyond("the axes of a tensor go", AXES, span, f"{count} axes")


def check_number(value: object, span: Span) -> None:
    """Whole numbers stay within 64 bits."""
    if isinstance(value, int) and abs(value) >= MAGNITUDE:
        raise beyond("a whole number", MAGNITUDE - 1, span)
