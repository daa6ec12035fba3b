"""Text that others wrote, made harmless: literals, docstrings and comments that stay what they are."""

from __future__ import annotations

import re
import textwrap
from itertools import groupby

_PRAGMA = re.compile(
    r"(?:type|noqa|fmt|isort|ruff|pylint|flake8|yapf|pragma|mypy|pyright|pyre|nosec|-\*-|coding)\b",
    re.IGNORECASE,
)
_INNER_PRAGMA = re.compile(r"#(?=[\s#]*" + _PRAGMA.pattern + ")", re.IGNORECASE)

_QUOTES = re.compile(r'\\|"{3,}|\A"+|"+\Z')
"""What would end a docstring, or change what it says."""

_PLAIN = re.compile(r"(?![-*+|>#]|\d+[.)])\S")
"""How a line begins that is no more than words: neither set in, nor one of a list or a table."""


def number(value: float) -> str:
    """`1e-5`, not Python's `1e-05`; infinities as calls."""
    if value != value or value in (float("inf"), float("-inf")):
        return f'float("{value}")'
    return re.sub(r"e([-+])0*(?=\d)", lambda m: "e" + m[1].replace("+", ""), repr(value))


def string(value: str) -> str:
    """A string literal in the quotes that `ruff format` would choose."""
    quote = "'" if value.count('"') > value.count("'") else '"'
    return quote + "".join(_escaped(c, quote) for c in value) + quote


def inside(value: str) -> str:
    """Text between double quotes."""
    return "".join(_escaped(c, '"') for c in value)


def _escaped(character: str, quote: str) -> str:
    if character == quote or character == "\\":
        return "\\" + character
    return character if character.isprintable() else repr(character)[1:-1]


def _lines(text: str) -> list[str]:
    """Lines without control characters, trailing spaces, and empty ones at either end."""
    lines = [
        "".join(c for c in line.expandtabs(4) if c.isprintable()).rstrip()
        for line in text.splitlines()
    ]
    while lines and not lines[0].strip():
        lines.pop(0)
    while lines and not lines[-1]:
        lines.pop()
    return lines


def docstring(text: str, indent: int) -> str:
    """A docstring, indented but for its first line.

    Escaping comes last: what takes characters away (control characters, blanks at the ends, breaks
    of long lines) could otherwise join what it has kept apart.
    """
    lines = _lines(text)
    if not lines:
        return '""""""'
    lines = [lines[0].strip(), *textwrap.dedent("\n".join(lines[1:])).split("\n")][: len(lines)]
    pad = " " * indent
    lines = _filled(lines, 88 - indent)
    lines = _QUOTES.sub(_quotes_escaped, "\n".join(lines)).split("\n")
    if len(lines) == 1 and len(lines[0]) + 6 + indent <= 88:
        return f'"""{lines[0]}"""'
    body = "\n".join([lines[0], *(pad + line if line else "" for line in lines[1:])])
    return f'"""{body}\n{pad}"""' if len(lines) > 1 else f'"""{body}"""'


def _quotes_escaped(match: re.Match[str]) -> str:
    return "".join("\\" + c for c in match[0])


def _filled(lines: list[str], width: int) -> list[str]:
    """The lines, each as far in as it was; a run of plain ones is filled anew where one of them is too long."""
    filled: list[str] = []
    for plain, run in groupby(lines, lambda line: bool(_PLAIN.match(line))):
        held = list(run)
        if any(len(line) > width for line in held):
            held = [" ".join(held)] if plain else held
            held = [part for line in held for part in _wrapped(line, width, not filled)]
        filled += held
    return filled


def _wrapped(line: str, width: int, first: bool) -> list[str]:
    """A line in pieces that fit, each as far in as the line itself; the first of all has quotes before it."""
    margin = line[: len(line) - len(line.lstrip())]
    quotes = "   " if first else ""
    wrapped = textwrap.wrap(
        line,
        width,
        initial_indent=quotes,
        subsequent_indent=margin,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [wrapped[0][len(quotes) :], *wrapped[1:]] if wrapped else [line]


def comment(text: str, width: int) -> list[str]:
    """Comment lines that no tool takes for an instruction."""
    lines = []
    for line in _lines(text) or [""]:
        plain = _INNER_PRAGMA.sub("", line.strip()).strip()
        plain = plain.lstrip("#!:").strip() if plain[:1] in "#!:" else plain
        if _PRAGMA.match(plain):
            plain = f"({plain})"
        for part in textwrap.wrap(plain, width - 2, break_long_words=False) or [""]:
            lines.append(f"# {_quoted(part)}".rstrip())
    return lines


def _quoted(part: str) -> str:
    return f"({part})" if _PRAGMA.match(part) or part[:1] in ("#", "!", ":") else part
