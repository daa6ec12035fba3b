"""Writing files so that a reader never meets half of one."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from nnspec.core import inputs
from nnspec.report.diagnostics import Diagnostic, SpecError

Content = str | bytes | Callable[[Path], None]
"""Text, bytes, or a function that writes the file it is told."""

STAGED = ".nnspec-"
"""How the names begin of what is written beside its target."""
ABANDONED = 24 * 60 * 60
"""Seconds after which nobody is still writing such a file: its run was killed."""


def write_files(files: Mapping[Path, Content], *, in_place: bool = False) -> None:
    """Write all of them or none: each beside its target first, then all renamed into place.

    Links are followed. Only plain files are replaced; devices and pipes are written to. A file that this
    command has read is left alone, but with `in_place`.
    Raises `SpecError` (E0703) when a place cannot be written; nothing is left behind. What a run leaves that
    is killed (SIGKILL) goes with the first one after a day.
    """
    staged: list[tuple[Path, Path, Path | None]] = []
    try:
        for target, content in files.items():
            place = _place(target, in_place)
            staged.append((_stage(target, place, content), target, place))
        for temporary, target, place in staged:
            try:
                if place is not None:
                    os.replace(temporary, place)
                else:
                    _pour(temporary, target)
            except OSError as error:
                raise _unwritable(target, error) from error
    finally:
        for temporary, _, _ in staged:
            with contextlib.suppress(FileNotFoundError):
                temporary.unlink()


def write_file(target: Path, content: Content, *, in_place: bool = False) -> None:
    """Write one file, whole or not at all."""
    write_files({target: content}, in_place=in_place)


def _place(target: Path, in_place: bool) -> Path | None:
    """Where a file is put: behind all links; None for what is written to instead."""
    if _descriptor(target) is not None:
        return None
    place = Path(os.path.realpath(target))
    try:
        status = place.stat()
    except FileNotFoundError:
        return place
    except OSError as error:
        raise _unwritable(target, error) from error
    if stat.S_ISCHR(status.st_mode) or stat.S_ISFIFO(status.st_mode):
        return None
    if not stat.S_ISREG(status.st_mode):
        what = "a directory" if stat.S_ISDIR(status.st_mode) else "not a plain file"
        raise _unwritable(target, OSError(f"it is {what}"))
    if not in_place and inputs.is_input(status):
        raise _unwritable(target, OSError("this command reads it"))
    return place


def _descriptor(target: Path) -> int | None:
    """The number behind `/dev/stdout` and the like: what it leads to has no name, or is half written."""
    for _ in range(40):
        if os.path.realpath(target.parent) == f"/proc/{os.getpid()}/fd":
            return int(target.name)
        if not target.is_symlink():
            return None
        target = target.parent / os.readlink(target)
    return None


def _pour(source: Path, target: Path) -> None:
    """Write a file's bytes to a device or pipe."""
    number = _descriptor(target)
    sys.stdout.flush()
    number = os.open(target, os.O_WRONLY) if number is None else os.dup(number)
    with source.open("rb") as file, open(number, "wb") as stream:
        while part := file.read(2**20):
            stream.write(part)


def _stage(target: Path, place: Path | None, content: Content) -> Path:
    """A file that holds the content, beside its place if it has one."""
    import tempfile

    place = place or Path(tempfile.gettempdir(), target.name)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        _clear(place.parent)
        # The suffix stays: some writers choose their format by it.
        handle, name = tempfile.mkstemp(dir=place.parent, prefix=STAGED, suffix=place.suffix)
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
        temporary.chmod(_mode(place))
    except BaseException as error:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
        if isinstance(error, OSError):
            raise _unwritable(target, error) from error
        raise
    return temporary


def _clear(folder: Path) -> None:
    """Remove what killed runs left of their outputs."""
    for left in folder.glob(f"{STAGED}*"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > ABANDONED:
                left.unlink()


def _mode(place: Path) -> int:
    """Of the file that is replaced; mkstemp's are read by their owner alone, new ones are ordinary."""
    try:
        return stat.S_IMODE(place.stat().st_mode)
    except FileNotFoundError:
        return 0o666 & ~_umask()


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
