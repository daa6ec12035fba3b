"""Standard input, output and error that are closed, full, or read by nobody."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import IO, Any


class OutputError(OSError):
    """Standard output takes no more; `strerror` says why."""


class _Output(io.FileIO):
    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OutputError(error.errno, error.strerror) from None


def prepare() -> None:
    """Standard streams that say themselves when they cannot be written, also where they are closed.

    For a closed stream Python has None, and the next file that is opened would get its number: what a
    child process prints would end up in it.
    """
    # A closed standard output is a file that refuses to be written, a closed error one that takes all.
    for number, flags in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.dup2(os.open(os.devnull, flags), number)
    sys.stdin = sys.stdin or open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    before = sys.stdout
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(_Output(1, "wb", closefd=False)),
        encoding=before.encoding if before else "utf-8",
        errors=before.errors if before else "strict",
        line_buffering=bool(before and before.line_buffering),
    )


def abandon(stream: IO[str]) -> None:
    """Let go of what a stream still holds; else Python complains once more when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    with contextlib.suppress(OSError):
        stream.flush()


def tell(text: str, end: str = "\n") -> None:
    """Print on standard error; where that cannot be, the exit status says it all."""
    try:
        print(text, file=sys.stderr, end=end, flush=True)
    except OSError:
        abandon(sys.stderr)
