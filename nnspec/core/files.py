"""Writing files so that a reader never meets half of one."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from nnspec.report.diagnostics import Diagnostic, SpecError

Content = str | bytes | Callable[[Path], None]
"""Text, bytes, or a function that writes the file it is told."""


def write_files(files: Mapping[Path, Content]) -> None:
    """Write all of them or none: each beside its target first, then all renamed into place.

    Raises `SpecError` (E0703) when a place cannot be written; nothing is left behind.
    """
    staged: list[tuple[Path, Path]] = []
    try:
        for target, content in files.items():
            staged.append((_stage(target, content), target))
        for temporary, target in staged:
            try:
                os.replace(temporary, target)
            except OSError as error:
                raise _unwritable(target, error) from error
    finally:
        for temporary, _ in staged:
            with contextlib.suppress(FileNotFoundError):
                temporary.unlink()


def write_file(target: Path, content: Content) -> None:
    """Write one file, whole or not at all."""
    write_files({target: content})


def _stage(target: Path, content: Content) -> Path:
    if target.is_dir():
        raise _unwritable(target, IsADirectoryError(21, "it is a directory"))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # The suffix stays: some writers choose their format by it.
        handle, name = tempfile.mkstemp(
            dir=target.parent, prefix=f".{target.stem}-", suffix=target.suffix
        )
        os.close(handle)
    except OSError as error:
        raise _unwritable(target, error) from error
    temporary = Path(name)
    try:
        match content:
            case str():
                temporary.write_bytes(content.encode())
            case bytes():
                temporary.write_bytes(content)
            case _:
                content(temporary)
        # mkstemp makes files that only their owner reads; these are ordinary ones.
        temporary.chmod(0o666 & ~_umask())
    except BaseException as error:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
        if isinstance(error, OSError):
            raise _unwritable(target, error) from error
        raise
    return temporary


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _unwritable(target: Path, error: OSError) -> SpecError:
    return SpecError(
        Diagnostic(
            "E0703",
            f"cannot write `{target}`: {(error.strerror or str(error)).lower()}",
            helps=("choose another place with `-o`",),
        )
    )
