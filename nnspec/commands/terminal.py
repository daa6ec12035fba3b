"""What commands print: results on standard output, everything else on standard error."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from typing import IO, TYPE_CHECKING, Any

from nnspec.commands.streams import tell
from nnspec.report.text import printable

if TYPE_CHECKING:
    from rich.console import Console

    from nnspec.report.diagnostics import Diagnostic


def colours(stream: IO[str]) -> bool:
    """Only on a terminal, and never against the wish of NO_COLOR."""
    return stream.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def console(*, stderr: bool = False) -> Console:
    """A rich console that is plain text where the stream is no terminal."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    return Console(
        file=stream,
        no_color=not colours(stream),
        highlight=False,
        emoji=False,
        markup=False,
        width=None if stream.isatty() else 120,
    )


def print_json(payload: Any) -> None:
    print(json.dumps(payload, indent=2, ensure_ascii=False))


def say(message: str) -> None:
    """A line of progress or success, where it does not mix with results."""
    tell(printable(message))


def show_diagnostics(diagnostics: Sequence[Diagnostic]) -> None:
    """Draw diagnostics on standard error."""
    if diagnostics:
        from nnspec.report.render import render

        tell(render(diagnostics, color=colours(sys.stderr)), end="")
