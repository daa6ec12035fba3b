"""What is wrong with a spec, a file or a flag, said so that it can be mended.

A `Diagnostic` is data; `nnspec/report/render.py` draws it for the terminal, `--format json` dumps it.
Codes and their long explanations stand in `nnspec/report/codes.py` (`nnspec explain E0301`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from nnspec.report.source import Span

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

    def __new__(cls, word: str, replacement: str) -> Suggestion:
        suggestion = super().__new__(cls, f"did you mean `{replacement}`?")
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

    def report(self, diagnostic: Diagnostic) -> None:
        if diagnostic not in self.diagnostics:
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


def did_you_mean(word: str, candidates: Iterable[str]) -> tuple[str, ...]:
    """A suggestion for a misspelt word, as `helps`; empty where nothing is close."""
    import difflib  # not what a file without mistakes waits for

    pool = sorted(set(candidates) - {word})
    by_case = [c for c in pool if c.lower().replace("_", "") == word.lower().replace("_", "")]
    close = by_case or difflib.get_close_matches(word, pool, n=1, cutoff=0.6)
    return (Suggestion(word, close[0]),) if close else ()
