"""Checkpoints of a run: folders that are whole or not there.

Each holds `state.safetensors` and `checkpoint.json`, which has a digest of both. It is written under another
name, brought to the disk and then renamed; so a run that is killed while it writes one leaves those before it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from codegen.running import Numbers
from nnspec.core.files import STAGED
from nnspec.graph import weight_files
from nnspec.graph.weight_map import Array
from nnspec.report.diagnostics import Diagnostic, SpecError

PREFIX = "checkpoint-"
STATE, ABOUT = "state.safetensors", "checkpoint.json"
FORMAT = 1
KEPT = 2
"""How many are kept: were the last one damaged, the one before it would be there."""


@dataclass(frozen=True)
class Place:
    """How far a run is.

    step: updates made. epoch: the one that is under way, from 1; batch: how many of its batches are done.
    seconds: that it took so far. told: bytes of `metrics.jsonl`.
    best: of the figure that is watched, in the epoch `best_epoch`.
    """

    step: int = 0
    epoch: int = 1
    batch: int = 0
    seconds: float = 0.0
    told: int = 0
    best: float | None = None
    best_epoch: int = 0

    def after(self) -> Place:
        """One step on."""
        return replace(self, step=self.step + 1, batch=self.batch + 1)


@dataclass(frozen=True)
class Checkpoint:
    """All that a run goes on from. arrays, numbers: of the runner's state."""

    place: Place
    arrays: Mapping[str, Array]
    numbers: Numbers = field(default_factory=dict)


def save(folder: Path, checkpoint: Checkpoint) -> None:
    """Write it, then remove those that are older than the last; raises `OSError`, and leaves what was there."""
    name = f"{PREFIX}{checkpoint.place.step:08}"
    staged = folder / f"{STAGED}{name}"
    shutil.rmtree(staged, ignore_errors=True)
    try:
        staged.mkdir()
        weight_files.content(checkpoint.arrays)(staged / STATE)
        about = {
            "format": FORMAT,
            "place": asdict(checkpoint.place),
            "numbers": checkpoint.numbers,
            "state": _digest(staged / STATE),
        }
        about["digest"] = _of_text(about)
        (staged / ABOUT).write_text(json.dumps(about, indent=1), encoding="utf-8")
        for path in (staged / STATE, staged / ABOUT, staged):
            _to_disk(path)
        if (folder / name).exists():
            _remove(folder / name)
        staged.rename(folder / name)
        _to_disk(folder)
    except BaseException:
        shutil.rmtree(staged, ignore_errors=True)
        raise
    for path in _all(folder)[:-KEPT]:
        _remove(path)


def save_best(path: Path, arrays: Mapping[str, Array]) -> None:
    """Write the weights of the best epoch so far in the place of those before; raises `OSError`."""
    path.parent.mkdir(exist_ok=True)
    staged = path.with_name(f"{STAGED}{path.name}")
    try:
        weight_files.content(arrays)(staged)
        _to_disk(staged)
        staged.rename(path)
    except BaseException:
        staged.unlink(missing_ok=True)
        raise


def load(folder: Path) -> tuple[Checkpoint | None, list[Diagnostic]]:
    """The last whole one, if there is one, and what is to be said of those that are damaged."""
    damaged: list[Diagnostic] = []
    for path in reversed(_all(folder)):
        try:
            return _read(path), damaged
        except (OSError, ValueError, KeyError, TypeError, SpecError) as error:
            reason = error.diagnostics[0].message if isinstance(error, SpecError) else error
            damaged.append(
                Diagnostic(
                    "W0623",
                    f"the checkpoint `{path}` is damaged: {reason}",
                    notes=("the run goes on from the one before it",),
                    severity="warning",
                )
            )
    return None, damaged


def forget_after(folder: Path, step: int) -> None:
    """Remove those of later steps: a run that goes on from an earlier one found them damaged."""
    for path in _all(folder):
        if int(path.name.removeprefix(PREFIX)) > step:
            _remove(path)


def clear(folder: Path) -> None:
    """Remove what a killed run has left half written."""
    for path in folder.glob(f"{STAGED}*"):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                path.unlink()


def _read(path: Path) -> Checkpoint:
    about = json.loads((path / ABOUT).read_text(encoding="utf-8"))
    digest = about.pop("digest", None)
    if about.get("format") != FORMAT:
        raise ValueError(f"it is of format {about.get('format')}, not {FORMAT}")
    if digest != _of_text(about) or about["state"] != _digest(path / STATE):
        raise ValueError("its content is not what was written")
    return Checkpoint(Place(**about["place"]), weight_files.load(path / STATE), about["numbers"])


def _all(folder: Path) -> list[Path]:
    """Checkpoints by age, the last one last."""
    return sorted(p for p in folder.glob(f"{PREFIX}*") if p.name.removeprefix(PREFIX).isdigit())


def _remove(path: Path) -> None:
    """Take away its name first: half of one is never met under it."""
    aside = path.with_name(f"{STAGED}old-{path.name}")
    path.rename(aside)
    shutil.rmtree(aside, ignore_errors=True)


def _of_text(about: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
