"""A run from its beginning, or from where it was broken off, to canonical weights."""

from __future__ import annotations

import platform
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nnspec.catalogue.data.dataset import Dataset
from nnspec.catalogue.data.rows import checksum
from nnspec.core.files import STAGED
from nnspec.core.version import __version__
from nnspec.driver.native import write_module
from nnspec.driver.requirements import installation
from nnspec.driver.stored import joined
from nnspec.driver.training import astray, checkpoints
from nnspec.driver.training.folder import BEST, FINAL, INITIAL, RunFolder
from nnspec.driver.training.job import Job, Trained, Weights, initial_weights
from nnspec.driver.training.plan import Plan
from nnspec.driver.training.requests import history, progress_of, requested
from nnspec.driver.training.supervise import Event, followed
from nnspec.driver.training.tensorboard import Board
from nnspec.driver.training.watch import Watch
from nnspec.graph import weight_files
from nnspec.report.diagnostics import Diagnostic, SpecError

BOARD = "tensorboard"
START = f"{STAGED}start.safetensors"
"""What a run begins with in native names, until its first checkpoint has it."""


@dataclass(frozen=True)
class Kept:
    """Where a run is kept, and what of its spec. path: None for the next of `name` under `runs/`.

    spec: for `run.json`; texts: of the spec and of what it imports, by path.
    """

    path: Path | None
    name: str
    spec: Mapping[str, Any]
    texts: Mapping[str, str]


def train(job: Job, *, initial: Weights | None = None, kept: Kept | None = None) -> Trained:
    """Train from the beginning; nothing is begun before the data has been held against the program.

    initial: canonical weights by network, `initial_weights` by default.
    """
    data = job.data()
    plan = job.plan(len(next(iter(data.train.values()))))
    watch = job.watch(data)
    if kept is None:
        with tempfile.TemporaryDirectory(prefix="nnspec-") as name:
            folder = RunFolder(Path(name), temporary=True).taken()
            try:
                trained = _carried_out(job, plan, watch, folder, initial, resume=False)
            finally:
                folder.close()
            return Trained(trained.weights, trained.history, best=trained.best)
    folder = RunFolder.new(kept.path, kept.name)
    try:
        if initial is not None:
            weight_files.save(folder.path / INITIAL, joined(initial))
        spec = {**kept.spec, "files": folder.keep_texts(kept.texts)}
        folder.note(**_about(job, plan, data), spec=spec)
        return _carried_out(job, plan, watch, folder, initial, resume=False)
    finally:
        folder.close()


def _about(job: Job, plan: Plan, data: Dataset) -> dict[str, Any]:
    """What `run.json` says of a run beside its spec."""
    names = ("epochs", "steps", "batch_size", "accumulate", "early_stop", "seed", "precision")
    own = job.training.settings
    settings = {name: getattr(own, name) for name in names}
    settings |= {"keep": own.keep.figure if own.keep is not None else None}
    return {
        "nnspec": __version__,
        "target": job.target.name,
        "program": job.training.name,
        "settings": settings | dict(job.options) | {"checkpoint_every": job.every},
        "given": dict(job.options),
        "tensorboard": job.board,
        "plan": asdict(plan),
        "data": _fingerprint(data),
        "root": str(job.root.absolute()),
        "versions": installation(job.target).versions,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "command": sys.argv[:],
        "begun": _now(),
    }


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")


def check_resumable(folder: RunFolder) -> None:
    """Raise `SpecError` (E0622) for a run that is at its end, or that another nnspec has begun."""
    about, path = folder.about, folder.path
    if about.get("status") == "done":
        message = f"the run in `{path}` is done: its weights are in `{path / FINAL}`"
        raise SpecError(
            Diagnostic("E0622", message, helps=("begin another from them: `--weights`",))
        )
    if about["nnspec"] != __version__:
        raise SpecError(
            Diagnostic(
                "E0622",
                f"the run in `{path}` was begun by nnspec {about['nnspec']}, and this is {__version__}",
                notes=("what is generated may differ, so it would not be the same run",),
                helps=("go on with that version, or begin another from its weights: `--weights`",),
            )
        )


def resume(
    job: Job, folder: RunFolder, initial: Weights | None, warn: Callable[[Diagnostic], None]
) -> Trained:
    """Go on from the last whole checkpoint of a run, or begin it again where there is none yet.

    initial: what it began with, where that was given; warn: hears of damaged checkpoints. Raises `SpecError` (E0622) where it would not be the same run.
    """
    data = job.data()
    plan = Plan(**folder.about["plan"])
    if _fingerprint(data) != folder.about["data"]:
        raise SpecError(
            Diagnostic(
                "E0622",
                "the data is not what the run began with",
                helps=("begin a new run; `--weights` takes what this one has learnt",),
            )
        )
    for damaged in checkpoints.load(folder.path)[1]:
        warn(damaged)
    return _carried_out(job, plan, job.watch(data), folder, initial, resume=True)


def _carried_out(
    job: Job,
    plan: Plan,
    watch: Watch | None,
    folder: RunFolder,
    initial: Weights | None,
    *,
    resume: bool,
) -> Trained:
    """The run itself; what becomes of it is noted in its folder."""
    folder.note(status="running", diagnostics=[])
    checkpoints.clear(folder.path)
    try:
        trained = _trained(job, plan, watch, folder, initial, resume=resume)
    except SpecError as error:
        told = [{"code": d.code, "message": d.message} for d in error.diagnostics]
        _noted(folder, status="failed", diagnostics=told)
        raise
    except BaseException:
        _noted(folder, status="stopped")
        raise
    folder.note(status="done", ended=_now())
    return trained


def _noted(folder: RunFolder, **changes: Any) -> None:
    """Note how a run ended, where that can be: its disk may be full."""
    try:
        folder.note(**changes)
    except SpecError:
        return


def _trained(
    job: Job,
    plan: Plan,
    watch: Watch | None,
    folder: RunFolder,
    initial: Weights | None,
    *,
    resume: bool,
) -> Trained:
    module = write_module(job.emitted, folder.path)
    start = folder.path / START
    if not resume or checkpoints.load(folder.path)[0] is None:
        weight_files.save(start, job.native(initial or initial_weights(job.training)))
    request = requested(job, plan, folder.path, module) | {
        "watch": watch and asdict(watch),
        "weights": str(start),
        "resume": resume,
    }

    boards: list[Board] = []

    def hear(event: Event) -> None:
        match event["event"]:
            case "begun" if job.board:
                boards.append(Board(folder.path / BOARD, event["step"]))
            case "progress":
                job.meanwhile(progress_of(event))
            case "epoch":
                for board in boards:
                    board.tell(event["step"], event["figures"])
                job.report(progress_of(event))

    try:
        last = followed(job.target.name, request, folder, hear)
    finally:
        start.unlink(missing_ok=True)
    if last["event"] == "astray":
        before = astray.kept(job, folder.path)
        raise astray.refusal(job, before, None if folder.temporary else folder.path, last)
    checkpoint, _ = checkpoints.load(folder.path)
    assert checkpoint is not None
    best = checkpoint.place.best_epoch if watch is not None and watch.keep else 0
    found = job.canonical(weight_files.load(folder.path / BEST) if best else checkpoint.arrays)
    weight_files.save(folder.path / FINAL, joined(found))
    return Trained(found, history(folder.path, plan), folder.path, best or None)


def _fingerprint(data: Dataset) -> dict[str, str]:
    """By column, type, shape and a checksum."""
    columns = data.arrays().items()
    return {name: f"{c.dtype}{list(c.shape)} {checksum(c):08x}" for name, c in columns}
