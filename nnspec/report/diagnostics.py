"""What is wrong with a spec, a file or a flag, said so that it can be mended.

A `Diagnostic` is data; `nnspec/report/render.py` draws it for the terminal, `--format json` dumps it.
Codes and their long explanations stand in `nnspec/report/codes.py` (`nnspec explain E0301`).
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from heapq import nsmallest
from itertools import islice
from typing import Literal

from nnspec.report.source import Source, Span

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Label:
    """A place and what it has to do with the matter."""

    span: Span
    message: str = ""


@dataclass(frozen=True)
class Edit:
    """What an editor can do about it: put `text` in the place of a span."""

    span: Span
    text: str


class Suggestion(str):
    """A help that names what to write instead of a word."""

    word: str
    replacement: str

    def __new__(cls, word: str, replacement: str, text: str = "") -> Suggestion:
        suggestion = super().__new__(cls, text or f"did you mean `{replacement}`?")
        suggestion.word, suggestion.replacement = word, replacement
        return suggestion


@dataclass(frozen=True)
class Diagnostic:
    """One thing that is wrong.

    code: stable, `E0301` (error) or `W0101` (lint).
    message: one sentence in the writer's words, names in backticks, no final full stop.
    label: the primary place and what was found there; None where there is no text (a flag, a path).
    notes: other places involved (a definition, an earlier shape, a chain of block calls).
    helps: suggestions, each an imperative or a question ("did you mean `MaxPool2D`?").
    """

    code: str
    message: str
    label: Label | None = None
    notes: tuple[Label | str, ...] = ()
    helps: tuple[str, ...] = ()
    severity: Severity = "error"

    @property
    def edits(self) -> tuple[Edit, ...]:
        """The suggestions among the helps, as far as it is plain where the word stands."""
        if self.label is None:
            return ()
        found = [h for h in self.helps if isinstance(h, Suggestion)]
        places = [_place_of(suggestion.word, self.label.span) for suggestion in found]
        return tuple(Edit(at, h.replacement) for at, h in zip(places, found) if at is not None)


def _place_of(word: str, span: Span) -> Span | None:
    """The span if it holds the word alone, else the only such word of its line."""
    if span.text == word:
        return span
    line = span.source.line_starts[span.line - 1]
    text = span.source.line(span.line)
    starts = [line + m.start() for m in re.finditer(rf"(?<!\w){re.escape(word)}(?!\w)", text)]
    return Span(span.source, starts[0], starts[0] + len(word)) if len(starts) == 1 else None


def too_deep(source: Source) -> Diagnostic:
    """Where Python's recursion ends: tens of thousands of brackets within brackets."""
    return Diagnostic(
        "E0801",
        f"`{source.path}` nests deeper than can be worked out",
        helps=("name inner expressions with assignments of their own",),
    )


class SpecError(Exception):
    """One or more diagnostics, raised where there is nothing left to go on with."""

    def __init__(self, *diagnostics: Diagnostic) -> None:
        self.diagnostics = diagnostics
        super().__init__(*diagnostics)

    def __str__(self) -> str:
        # The drawing reads this module.
        from nnspec.report.render import render

        return render(self.diagnostics).rstrip()


@dataclass
class Reporter:
    """Collects the diagnostics of one run, in order, each once."""

    diagnostics: list[Diagnostic] = field(default_factory=list)
    _known: set[Diagnostic] = field(default_factory=set)

    def report(self, diagnostic: Diagnostic) -> None:
        if diagnostic not in self._known:
            self._known.add(diagnostic)
            self.diagnostics.append(diagnostic)

    def extend(self, error: SpecError) -> None:
        for diagnostic in error.diagnostics:
            self.report(diagnostic)

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        return tuple(d for d in self.diagnostics if d.severity == "error")

    def raise_errors(self) -> None:
        """Raise `SpecError` with everything collected (lints too) if there is an error among it."""
        if self.errors:
            raise SpecError(*self.diagnostics)


MOST_LOOKS = 200_000
"""Names that one run looks at for all its suggestions together."""

MOST_COMPARED, COMPARED = 100, 10
"""Names that one word is compared with letter by letter, and how many looks that is."""

_looks: ContextVar[list[int] | None] = ContextVar("looks", default=None)


@contextlib.contextmanager
def suggestions_bounded() -> Iterator[None]:
    """For one run: thousands of misspelt words among thousands of names get fewer suggestions, not all
    the time there is."""
    token = _looks.set([MOST_LOOKS])
    try:
        yield
    finally:
        _looks.reset(token)


def did_you_mean(word: str, candidates: Iterable[str]) -> tuple[str, ...]:
    """A suggestion for a misspelt word, as `helps`; empty where nothing is close."""
    left = _looks.get() or [MOST_LOOKS]
    pool = sorted({*islice(candidates, max(left[0], 0))} - {word})
    left[0] -= len(pool) + 1
    plain = word.lower().replace("_", "")
    close = [c for c in pool if c.lower().replace("_", "") == plain]
    if not close and pool:
        import difflib

        if len(pool) > MOST_COMPARED:
            pool = nsmallest(MOST_COMPARED, pool, key=lambda c: _distance(word, c))
        left[0] -= COMPARED * len(pool)
        close = difflib.get_close_matches(word, pool, n=1, cutoff=0.6)
    return (Suggestion(word, close[0]),) if close else ()


def _distance(word: str, other: str) -> int:
    """How far apart two words are at first sight: their lengths, and how they begin."""
    alike = next((i for i, (a, b) in enumerate(zip(word, other)) if a != b), len(word))
    return abs(len(word) - len(other)) - alike
