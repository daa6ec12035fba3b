"""Escapes in strings."""

from __future__ import annotations

ESCAPES = {'"': '"', "\\": "\\", "n": "\n", "t": "\t"}


def unescape(text: str) -> tuple[str, list[int]]:
    """The value, and the offsets of escapes that do not exist (kept as they stand)."""
    value: list[str] = []
    wrong: list[int] = []
    i = 0
    while i < len(text):
        if text[i] != "\\":
            value.append(text[i])
            i += 1
            continue
        following = text[i + 1]
        if following not in ESCAPES:
            wrong.append(i)
        value.append(ESCAPES.get(following, "\\" + following))
        i += 2
    return "".join(value), wrong


def escape(value: str) -> str:
    """A string as it is written, with its quotes."""
    marks = {v: "\\" + k for k, v in ESCAPES.items()}
    return '"' + "".join(marks.get(c, c) for c in value) + '"'
