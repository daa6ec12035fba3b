"""Where texts come from: files, and before them what an editor has not saved."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from nnspec.core import inputs
from nnspec.report.diagnostics import Diagnostic, Label, SpecError
from nnspec.report.source import Source, Span

LARGEST_FILE = 16 * 1024 * 1024


class Sources:
    """Reads files; a path of `unsaved` has the text given there, whether it is on the disk or not."""

    def __init__(self, unsaved: Mapping[str, str] | Mapping[str | Path, str] | None = None) -> None:
        self.unsaved = {Path(path).resolve(): text for path, text in (unsaved or {}).items()}

    def has(self, path: Path) -> bool:
        return bool(self.unsaved) and path.resolve() in self.unsaved or path.is_file()

    def read(self, path: Path, at: Span | None = None) -> str:
        """The text of a file; raises `SpecError` where there is none."""
        text = self.unsaved.get(path.resolve()) if self.unsaved else None
        return read(path, at) if text is None else text

    def source(self, path: Path) -> Source:
        """The text of a file as messages call it."""
        return Source(shown(path.absolute()), self.read(path))


class Noted(Sources):
    """Reads as others do, and keeps what was read. texts: by absolute path."""

    def __init__(self, sources: Sources) -> None:
        super().__init__()
        self.unsaved = sources.unsaved
        self.texts: dict[str, str] = {}

    def read(self, path: Path, at: Span | None = None) -> str:
        text = super().read(path, at)
        self.texts[str(path.absolute())] = text
        return text


SAVED = Sources()
"""What is on the disk."""


def read(path: Path, at: Span | None = None) -> str:
    """The text of a file; raises `SpecError` where there is none."""
    label = Label(at) if at else None
    inputs.reads(path)
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise SpecError(
                Diagnostic(
                    "E0801", f"`{path}` is larger than the limit of {LARGEST_FILE} bytes", label
                )
            )
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise SpecError(Diagnostic("E0002", f"`{path}` is not text in UTF-8", label)) from None
    except OSError as failure:
        reason = (failure.strerror or str(failure)).lower()
        raise SpecError(Diagnostic("E0001", f"cannot read `{path}`: {reason}", label)) from None


def shown(path: Path) -> str:
    """A path as messages show it: relative to the current folder where it lies below it."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
