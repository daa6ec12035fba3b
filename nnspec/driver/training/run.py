"""A run from its beginning, or from where it was broken off, to canonical weights."""

from __future__ import annotations

import json
import math
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from codegen.python.training import figures, losses
from codegen.running import WEIGHTS, named_weights
from codegen.target import Emitted, Target
from nnspec.catalogue.data.dataset import Dataset
from nnspec.catalogue.data.rows import checksum
from nnspec.core.files import STAGED
from nnspec.core.version import __version__
from nnspec.driver.columns import check_columns
from nnspec.driver.native import write_module
from nnspec.driver.requirements import installation
from nnspec.driver.stored import joined
from nnspec.driver.training import astray, checkpoints
from nnspec.driver.training.data import DataRequest, wanted
from nnspec.driver.training.folder import BEST, FINAL, INITIAL, METRICS, RunFolder
from nnspec.driver.training.plan import Plan, planned
from nnspec.driver.training.supervise import Event, followed
from nnspec.driver.training.tensorboard import Board
from nnspec.driver.training.watch import Watch, watched
from nnspec.graph import weight_files, weights
from nnspec.graph.graph import weights as weights_of
from nnspec.graph.training import Minimize, Training
from nnspec.graph.weight_map import Array, to_canonical, to_native
from nnspec.report.diagnostics import Diagnostic, Label, SpecError

Weights = Mapping[str, Mapping[str, Array]]
BOARD = "tensorboard"
START = f"{STAGED}start.safetensors"
"""What a run begins with in native names, until its first checkpoint has it."""


@dataclass(frozen=True)
class Progress:
    """The figures of an epoch (counted from 1), or of what is done of it.

    step, steps: updates made, and in all. rate: rows a second.
    """

    epoch: int
    epochs: int
    figures: Mapping[str, float]
    step: int = 0
    steps: int = 0
    rate: float = 0.0


@dataclass(frozen=True)
class Trained:
    """What a run ended with: canonical weights by network, the figures of each epoch, its folder if it has one.

    best: the epoch whose weights these are, where the program keeps the best.
    """

    weights: dict[str, dict[str, Array]]
    history: list[Progress] = field(default_factory=list)
    folder: Path | None = None
    best: int | None = None


def ignored(progress: Progress) -> None:
    """What hears of a run where nobody does."""


@dataclass(frozen=True)
class Job:
    """What is trained, on what, with which framework.

    root: the folder against which the data set's relative paths count.
    report: called after each epoch; meanwhile: about every second within one.
    every: steps between checkpoints, beside those after each epoch. board: whether TensorBoard is told, too.
    """

    training: Training
    target: Target
    emitted: Emitted
    root: Path
    options: Mapping[str, int] = field(default_factory=dict)
    every: int | None = None
    report: Callable[[Progress], None] = ignored
    meanwhile: Callable[[Progress], None] = ignored
    board: bool = False

    def setting(self, name: str) -> Any:
        """As the command line has it, or else the program."""
        return self.options.get(name, getattr(self.training.settings, name))

    @property
    def plan(self) -> Callable[[int], Plan]:
        """The plan for so many rows."""
        steps = None if "epochs" in self.options else self.training.settings.steps
        epochs = None if steps is not None else self.setting("epochs")
        size, seed = self.setting("batch_size"), self.setting("seed")
        return lambda rows: planned(rows, size, seed, epochs=epochs, steps=steps)

    def data(self) -> Dataset:
        """The data, held against the program; raises `SpecError`."""
        found = self.data_request().read()
        check_columns(self.training, found, self.setting("batch_size"))
        return found

    def data_request(self) -> DataRequest:
        """Where the data comes from; raises `SpecError` where nothing says so."""
        settings = self.training.settings
        if settings.data is None:
            raise SpecError(
                Diagnostic(
                    "E0507",
                    f"the program `{self.training.name}` names no data to train on",
                    Label(self.training.span) if self.training.span else None,
                    helps=("add a setting, as in `data = digits(size = 28)`",),
                )
            )
        seed, root = self.setting("seed"), str(self.root.absolute())
        return DataRequest(settings.data, settings.validation, root, seed, wanted(self.training))

    def watch(self, data: Dataset) -> Watch | None:
        """What the run goes by; raises `SpecError`."""
        columns = {c.name for c in self.training.batch}
        return watched(self.training, held_out=bool(columns & data.validation.keys()))

    def native(self, canonical: Weights) -> dict[str, Array]:
        """Weights as a state has them."""
        found: dict[str, Array] = {}
        for network in self.training.networks:
            entries = self.emitted.models[network.model].weight_map
            native = to_native(canonical[network.name], entries)
            found |= {f"{WEIGHTS}/{network.name}/{name}": a for name, a in native.items()}
        return found

    def canonical(self, state: Mapping[str, Array]) -> dict[str, dict[str, Array]]:
        """A state's weights by network."""
        held = named_weights(state)
        models = {n.name: self.emitted.models[n.model] for n in self.training.networks}
        return {name: to_canonical(held[name], m.weight_map) for name, m in models.items()}


def initial_weights(training: Training) -> dict[str, dict[str, Array]]:
    """What `nnspec init` gives each network with the program's seed."""
    begun: dict[str, dict[str, Array]] = {}
    for i, network in enumerate(training.networks):
        seed = training.settings.seed + i
        made = begun.get(network.follows or "")
        begun[network.name] = made or weights.initialize(weights_of(network.model), seed)
    return begun


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
    request = _request(job, plan, folder.path, module) | {
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
                job.meanwhile(_progress(event))
            case "epoch":
                for board in boards:
                    board.tell(event["step"], event["figures"])
                job.report(_progress(event))

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


def _request(job: Job, plan: Plan, folder: Path, module: Path) -> dict[str, Any]:
    """What the process that trains is told."""
    training = job.training
    layouts = job.emitted.batch_layouts[training.name]
    return {
        "target": job.target.name,
        "module": str(module),
        "folder": str(folder),
        "run": {
            "functions": asdict(job.emitted.programs[training.name]),
            "networks": [
                (n.name, job.emitted.models[n.model].class_name) for n in training.networks
            ],
            "accumulates": any(
                isinstance(s, Minimize) and s.update.accumulate > 1 for s in training.steps
            ),
            "summaries": {f.name: f.summary for f in figures(training) if f.summary is not None},
        },
        "columns": [
            {"name": c.name or "x", "dtype": c.type.dtype, "order": None if x.is_spec else x.order}
            for c, x in zip(training.batch, layouts, strict=True)
        ],
        "data": job.data_request().to_json(),
        "plan": asdict(plan),
        "losses": [figure.name for figure in losses(training)],
        "checkpoint_every": job.every,
    }


def _progress(event: Event) -> Progress:
    return Progress(
        event["epoch"],
        event["epochs"],
        event["figures"],
        event["step"],
        event["steps"],
        event["examples_per_second"],
    )


def history(folder: Path, plan: Plan) -> list[Progress]:
    """The figures of each epoch that a run has come through."""
    try:
        lines = (folder / METRICS).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    found: list[Progress] = []
    for line in map(json.loads, lines):
        told = {n: math.nan if f is None else f for n, f in line["figures"].items()}
        event = {**line, "figures": told, "epochs": plan.epochs, "steps": plan.steps}
        found.append(_progress(event))
    return found


def _fingerprint(data: Dataset) -> dict[str, str]:
    """By column, type, shape and a checksum."""
    columns = data.arrays().items()
    return {name: f"{c.dtype}{list(c.shape)} {checksum(c):08x}" for name, c in columns}
