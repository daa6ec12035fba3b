"""Text of others, fit for a terminal, a picture or the metadata of a file."""

from __future__ import annotations

TAB = "    "


def printable(text: str) -> str:
    """The text with tabs as blanks and every other character that does not print escaped.

    Nothing in it steers a terminal, ends a line, or is missing from UTF-8.
    """
    if text.isprintable():
        return text
    return "".join(
        TAB if c == "\t" else c if c.isprintable() else c.encode("unicode_escape").decode()
        for c in text
    )


def printable_lines(text: str) -> str:
    """The same, with its lines kept apart."""
    return "\n".join(printable(line).rstrip() for line in text.splitlines())
