"""The folder of a run: what was trained, with what, and how far it is."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nnspec.core.files import write_file
from nnspec.report.diagnostics import Diagnostic, SpecError

ABOUT, LOCK, SPECS, LOG = "run.json", "run.lock", "spec", "log.txt"
METRICS = "metrics.jsonl"
FINAL, INITIAL, BEST = "weights.safetensors", "initial.safetensors", "best/state.safetensors"
PATIENCE = 3.0
"""Seconds in which a process that was told to end is waited for."""


class RunFolder:
    """A folder that this process alone works in, from `taken` to the end of the process.

    about: what `run.json` holds. temporary: whether nothing of it is to stay.
    """

    def __init__(self, path: Path, *, temporary: bool = False) -> None:
        self.path, self.temporary = path, temporary
        self.about: dict[str, Any] = {}
        self.lock = -1

    @classmethod
    def new(cls, path: Path | None, name: str) -> RunFolder:
        """A folder of that path, or the next of that name under `runs/`; raises `SpecError`."""
        try:
            if path is not None:
                path.mkdir(parents=True, exist_ok=True)
                if any(path.iterdir()):
                    raise SpecError(
                        Diagnostic(
                            "E0621",
                            f"`{path}` is not empty, so no new run can have it",
                            helps=(
                                "name another folder with `--run`",
                                f"or go on with what is there: `nnspec train --resume {path}`",
                            )
                            if (path / ABOUT).exists()
                            else ("name another folder with `--run`",),
                        )
                    )
                return cls(path).taken()
            number = 1
            while True:
                path = Path("runs", f"{name}-{number}")
                try:
                    path.mkdir(parents=True)
                except FileExistsError:
                    number += 1
                    continue
                return cls(path).taken()
        except OSError as error:
            raise _unwritable(path or Path("runs"), error) from None

    @classmethod
    def existing(cls, path: Path) -> RunFolder:
        """The folder of a run that was begun; raises `SpecError` (E0621, E0624)."""
        found = cls(path)
        found.about = read_about(path)
        return found.taken()

    def taken(self) -> RunFolder:
        """Keep every other process out of it; raises `SpecError` (E0624) where one is in it."""
        until = time.monotonic() + PATIENCE
        try:
            self.lock = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise _unwritable(self.path, error) from None
        while True:
            try:
                fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if time.monotonic() > until:
                    raise self._in_use() from None
                time.sleep(0.05)
        os.truncate(self.lock, 0)
        os.pwrite(self.lock, f"{os.getpid()}\n".encode(), 0)
        return self

    def _in_use(self) -> SpecError:
        holder = os.pread(self.lock, 32, 0).decode(errors="replace").strip()
        os.close(self.lock)
        by = f" by process {holder}" if holder else ""
        return SpecError(Diagnostic("E0624", f"the run in `{self.path}` is being worked on{by}"))

    def close(self) -> None:
        """Let others in."""
        if self.lock >= 0:
            os.close(self.lock)
            self.lock = -1

    def note(self, **changes: Any) -> None:
        """Write `run.json` with these entries changed."""
        self.about |= changes
        text = json.dumps(self.about, indent=1, ensure_ascii=False) + "\n"
        write_file(self.path / ABOUT, text)

    def keep_texts(self, texts: Mapping[str, str]) -> list[dict[str, str]]:
        """Copies of the spec and of what it imports: for each, its path, the copy's name and digest."""
        kept: list[dict[str, str]] = []
        names: set[str] = set()
        for path, text in texts.items():
            stem = "spec" if path.startswith("<") else Path(path).stem
            name, number = f"{stem}.nn", 2
            while name in names:
                name, number = f"{stem}-{number}.nn", number + 1
            names.add(name)
            write_file(self.path / SPECS / name, text)
            kept.append({"path": path, "copy": name, "sha256": _digest(text)})
        return kept

    def texts(self) -> dict[str, str]:
        """Those copies by the paths that they had; raises `SpecError` (E0622) where one is not as it was."""
        found: dict[str, str] = {}
        for entry in self.about["spec"]["files"]:
            path = self.path / SPECS / entry["copy"]
            try:
                text = path.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError):
                text = ""
            if _digest(text) != entry["sha256"]:
                raise SpecError(
                    Diagnostic(
                        "E0622",
                        f"`{path}` is not what the run began with",
                        helps=("begin a new run with what you want to train",),
                    )
                )
            found[entry["path"]] = text
        return found


def read_about(path: Path) -> dict[str, Any]:
    """What `run.json` in a folder holds; raises `SpecError` (E0621) where there is no run."""
    try:
        about = json.loads((path / ABOUT).read_text(encoding="utf-8"))
        if not isinstance(about, dict) or "settings" not in about:
            raise ValueError("it does not say what was run")
    except FileNotFoundError:
        raise SpecError(
            Diagnostic("E0621", f"`{path}` holds no run: it has no `{ABOUT}`")
        ) from None
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise SpecError(Diagnostic("E0621", f"cannot read `{path / ABOUT}`: {reason}")) from None
    return about


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _unwritable(path: Path, error: OSError) -> SpecError:
    reason = (error.strerror or str(error)).lower()
    return SpecError(
        Diagnostic(
            "E0703",
            f"cannot write `{path}`: {reason}",
            helps=("choose another folder with `--run`",),
        )
    )
