"""Reading a spec's text from a file or standard input."""

from __future__ import annotations

import sys
from pathlib import Path

from nnspec.elaborate.modules import read, shown
from nnspec.report.diagnostics import Diagnostic, SpecError, did_you_mean
from nnspec.report.source import Source

STANDARD_INPUT = Path("-")


def read_source(path: Path) -> Source:
    """The source; raises `SpecError` where there is no text to read."""
    if path == STANDARD_INPUT:
        try:
            return Source("<stdin>", sys.stdin.buffer.read().decode("utf-8"))
        except UnicodeDecodeError:
            raise SpecError(Diagnostic("E0002", "standard input is not text in UTF-8")) from None
    if not path.exists() and path.parent.is_dir():
        near = did_you_mean(str(path), map(str, path.parent.glob("*.nn")))
        raise SpecError(
            Diagnostic("E0001", f"cannot read `{path}`: no such file or directory", helps=near)
        )
    return Source(shown(path.absolute()), read(path))
