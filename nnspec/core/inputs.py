"""What a command reads, so that it does not write over it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path

_known: ContextVar[set[tuple[int, int]] | None] = ContextVar("inputs", default=None)


@contextlib.contextmanager
def kept() -> Iterator[None]:
    """For one command: within it, no file that has been read is written over."""
    token = _known.set(set())
    try:
        yield
    finally:
        _known.reset(token)


def reads(path: Path) -> None:
    """Say of a file that it is read."""
    known = _known.get()
    if known is not None:
        with contextlib.suppress(OSError):
            known.add(_identity(path.stat()))


def is_input(status: os.stat_result) -> bool:
    """Whether the file has been read, whatever it is called."""
    return _identity(status) in (_known.get() or ())


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
