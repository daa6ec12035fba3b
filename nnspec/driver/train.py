"""`nnspec train`: run the generated program of a target, and end with canonical weights."""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from codegen.target import Emitted, Target
from nnspec.catalogue.data.dataset import Dataset
from nnspec.catalogue.data.dataset import load as load_data
from nnspec.core.arrays import write_npz
from nnspec.driver import worker
from nnspec.driver.columns import check_columns
from nnspec.driver.native import NativeFile, network_path, write_module
from nnspec.graph import weights
from nnspec.graph.graph import weights as weights_of
from nnspec.graph.training import Training
from nnspec.graph.weight_map import Array
from nnspec.report.diagnostics import Diagnostic, Label, SpecError

_EPOCH = re.compile(r"epoch (\d+)/(\d+)", re.IGNORECASE)
_FIGURE = re.compile(r"([A-Za-z]\w*): ([-+]?\d[\d.]*(?:e[-+]?\d+)?|nan|[-+]?inf)\b")


@dataclass(frozen=True)
class Progress:
    """The figures that the program printed after an epoch (counted from 1)."""

    epoch: int
    epochs: int
    figures: Mapping[str, float]


@dataclass(frozen=True)
class Trained:
    """What a run ended with: canonical weights by network, and the figures of each epoch."""

    weights: dict[str, dict[str, Array]]
    history: list[Progress] = field(default_factory=list)


def initial_weights(training: Training) -> dict[str, dict[str, Array]]:
    """What `nnspec init` gives each network with the program's seed."""
    begun: dict[str, dict[str, Array]] = {}
    for i, network in enumerate(training.networks):
        seed = training.settings.seed + i
        made = begun.get(network.follows or "")
        begun[network.name] = made or weights.initialize(weights_of(network.model), seed)
    return begun


def train(
    training: Training,
    target: Target,
    emitted: Emitted,
    *,
    root: Path,
    initial: Mapping[str, Mapping[str, Array]] | None = None,
    options: Mapping[str, int] | None = None,
    report: Callable[[Progress], None] = lambda progress: None,
) -> Trained:
    """Run the generated program in a process of its own.

    root: the folder against which the data set's relative paths count.
    initial: canonical weights by network, `initial_weights` by default.
    options: `epochs`, `batch_size`, `seed` in place of the spec's.
    report: called after each epoch.
    """
    settings = training.settings
    if settings.data is None:
        raise SpecError(
            Diagnostic(
                "E0507",
                f"the program `{training.name}` names no data to train on",
                Label(training.span) if training.span else None,
                helps=("add a setting, as in `data = digits(size = 28)`",),
            )
        )
    options = dict(options or {})
    dataset = load_data(settings.data, root)
    if settings.validation is not None:
        dataset = Dataset(dataset.train, load_data(settings.validation, root).train)
    check_columns(training, dataset, options.get("batch_size", settings.batch_size))
    start = initial or initial_weights(training)
    with tempfile.TemporaryDirectory(prefix="nnspec-") as name:
        folder = Path(name)
        write_npz(folder / "data.npz", dataset.arrays())
        module = write_module(emitted, folder)
        before, after = (folder / f"{part}{target.suffix}" for part in ("initial", "trained"))
        several = len(training.networks) > 1

        def files(path: Path) -> list[NativeFile]:
            return [
                NativeFile(n.model, emitted, module, network_path(path, n.name, several))
                for n in training.networks
            ]

        names = [n.name for n in training.networks]
        saves = [f.save(start[n]) for n, f in zip(names, files(before), strict=True)]
        worker.run(target.name, saves)
        flags = ["--data", folder / "data.npz", "--weights", before, "--save", after]
        for option, value in options.items():
            flags += ["--" + option.replace("_", "-"), value]
        command = [sys.executable, module, *flags]
        history = list(_follow(target.name, [str(part) for part in command], report))
        loaded = worker.run(target.name, [f.load() for f in files(after)])
        canonical = [f.canonical(w) for f, w in zip(files(after), loaded, strict=True)]
        found = dict(zip(names, canonical, strict=True))
        _check_finite(training, found, history)
        return Trained(found, history)


def _check_finite(
    training: Training, found: Mapping[str, Mapping[str, Array]], history: Sequence[Progress]
) -> None:
    """Raise `SpecError` (E0605) where a run has gone astray, so that nothing is written."""
    broken = [
        f"`{path}` of `{name}`"
        for name, arrays in found.items()
        for path, array in arrays.items()
        if not np.isfinite(array.astype(np.float64)).all()
    ]
    if broken:
        epochs = (p.epoch for p in history if not all(map(math.isfinite, p.figures.values())))
        first = next(epochs, None)
        when = (f"the figures of epoch {first} are the first that are not finite",) if first else ()
        raise SpecError(
            Diagnostic(
                "E0605",
                f"{broken[0]} holds infinite numbers or NaN after training; nothing was written",
                Label(training.span) if training.span else None,
                when,
                ("a lower learning rate, or data that is scaled, may help",),
            )
        )


def _follow(
    target: str, command: list[str], report: Callable[[Progress], None]
) -> Iterator[Progress]:
    """Run the program; one `Progress` for each line of figures that it prints."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    epoch = epochs = 1  # Keras does not say it where there is only one
    printed: list[str] = []
    with tempfile.TemporaryFile("w+", errors="replace") as errors:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment
        )
        assert process.stdout is not None
        try:
            for line in process.stdout:
                printed.append(line)
                if match := _EPOCH.search(line):
                    epoch, epochs = int(match[1]), int(match[2])
                figures = {name: float(value) for name, value in _FIGURE.findall(line)}
                if figures:
                    progress = Progress(epoch, epochs, figures)
                    report(progress)
                    yield progress
            status = process.wait()
        finally:
            # Whoever stops this process stops the one that it started.
            process.kill()
            process.wait()
            process.stdout.close()
        if status:
            errors.seek(0)
            raise worker.WorkerError(target, errors.read() or "".join(printed), status)
