"""Diagnostics as a person reads them, and as a program does.

error[E0401]: `Dense` expects at least [N, C], found f32[N]
  --> specs/a.nn:4:10
   |
 4 |   y = x -> Dense(3)
   |            ^^^^^^^^
   = help: ...
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any

from nnspec.report.diagnostics import Diagnostic, Label
from nnspec.report.source import Span
from nnspec.report.text import printable

_COLOURS = {
    "error": "1;31",
    "warning": "1;33",
    "note": "1;36",
    "help": "1;32",
    "gutter": "1;34",
    "bold": "1",
}
WIDEST = 160


def render(diagnostics: Sequence[Diagnostic], color: bool = False) -> str:
    """All of them, and a line that counts them; "" where there are none."""
    if not diagnostics:
        return ""
    painter = _Painter(color)
    parts = ["\n".join(painter.diagnostic(d)) + "\n" for d in diagnostics]
    return "\n".join(parts) + "\n" + _count(diagnostics) + "\n"


def to_json(diagnostics: Sequence[Diagnostic]) -> list[dict[str, Any]]:
    """One dictionary each: code, severity, message, place, notes, helps, edits."""
    return [
        {
            "code": d.code,
            "severity": d.severity,
            "message": d.message,
            **(_place(d.label.span) if d.label else {}),
            "label": d.label.message if d.label else "",
            "notes": [
                {"message": n.message, **_place(n.span)} if isinstance(n, Label) else {"message": n}
                for n in d.notes
            ],
            "helps": list(d.helps),
            "edits": [{"text": edit.text, **_place(edit.span)} for edit in d.edits],
        }
        for d in diagnostics
    ]


def _place(span: Span) -> dict[str, Any]:
    end_line, end_column = span.source.position(span.end)
    return {
        "file": span.source.path,
        "line": span.line,
        "column": span.column,
        "end_line": end_line,
        "end_column": end_column,
    }


def _count(diagnostics: Sequence[Diagnostic]) -> str:
    parts = []
    for severity in ("error", "warning"):
        number = sum(d.severity == severity for d in diagnostics)
        if number:
            parts.append(f"{number} {severity}{'s' if number > 1 else ''}")
    return ", ".join(parts)


class _Painter:
    def __init__(self, color: bool) -> None:
        self.color = color

    def paint(self, text: str, style: str) -> str:
        return f"\x1b[{_COLOURS[style]}m{text}\x1b[0m" if self.color else text

    def diagnostic(self, d: Diagnostic) -> list[str]:
        head = self.paint(f"{d.severity}[{d.code}]", d.severity)
        lines = [f"{head}: {self.paint(printable(d.message), 'bold')}"]
        labels = list(dict.fromkeys(n for n in d.notes if isinstance(n, Label)))
        width = max((len(str(label.span.line)) for label in (d.label, *labels) if label), default=1)
        if d.label is not None:
            lines += self.snippet(d.label, width, d.severity, "^")
        for note in labels:
            lines += self.snippet(note, width, "note", "-")
        for text in (n for n in d.notes if isinstance(n, str)):
            lines.append(self.tail("note", text, width))
        lines += [self.tail("help", text, width) for text in d.helps]
        return lines

    def tail(self, kind: str, text: str, width: int) -> str:
        return (
            f"{' ' * width} {self.paint('=', 'gutter')} {self.paint(kind, kind)}: {printable(text)}"
        )

    def snippet(self, label: Label, width: int, style: str, mark: str) -> list[str]:
        """The line of a place, with marks under it; of a longer place, its first line."""
        span = label.span
        text = span.source.line(span.line)
        start = span.column - 1
        end = start + (span.end - span.start) if "\n" not in span.text else len(text)
        end = max(min(end, len(text)), start)
        cut = max(start - WIDEST // 2, 0) if len(text) > WIDEST else 0
        shown = printable(text[cut : cut + WIDEST])
        before = _columns(printable(text[cut:start]))
        length = max(_columns(printable(text[start : min(end, cut + WIDEST)])), 1)
        arrow = "-->" if mark == "^" else ":::"
        bar = self.paint("|", "gutter")
        number = self.paint(str(span.line).rjust(width), "gutter")
        marks = self.paint(mark * length, style)
        message = f" {self.paint(printable(label.message), style)}" if label.message else ""
        empty = " " * width
        return [
            f"{empty}{self.paint(arrow, 'gutter')} {printable(str(span))}",
            f"{empty} {bar}",
            f"{number} {bar} {shown}".rstrip(),
            f"{empty} {bar} {' ' * before}{marks}{message}",
        ]


def _columns(text: str) -> int:
    """Cells that a text takes on a terminal."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )
