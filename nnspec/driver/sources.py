"""Reading a spec from a file or standard input."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from nnspec.elaborate.sources import SAVED
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
    # Not `path.exists()`, which raises for a name that is too long.
    if not os.path.exists(path) and os.path.isdir(path.parent):
        near = did_you_mean(str(path), map(str, path.parent.glob("*.nn")))
        raise SpecError(
            Diagnostic("E0001", f"cannot read `{path}`: no such file or directory", helps=near)
        )
    return SAVED.source(path)
