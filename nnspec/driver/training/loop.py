"""The loop of a run: epochs, figures, checkpoints; the same for every framework.

What random draws depend on is set anew at each checkpoint, in a run that nothing interrupts too. So one that is
taken up from a checkpoint draws the same, and no generator has to be kept.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from codegen.running import WEIGHTS, Runner, named_weights
from nnspec.driver.training import checkpoints
from nnspec.driver.training.batches import Batch, Columns, ahead
from nnspec.driver.training.checkpoints import Checkpoint, Place
from nnspec.driver.training.folder import BEST, METRICS
from nnspec.driver.training.plan import Plan
from nnspec.driver.training.watch import Watch
from nnspec.graph.weight_map import Array
from nnspec.report.diagnostics import Diagnostic, SpecError

TELL_EVERY = 1.0
"""Seconds between two looks at the figures within an epoch: each waits for the framework to be done."""


class NotFinite(Exception):
    """A loss is no number any more, or a weight; when exactly is not known yet."""


@dataclass
class Loop:
    """A run at some place.

    folder: of the run. every: steps between checkpoints, beside those after each epoch. losses: names of figures that have to be numbers.
    watch: the figure that the run goes by, if there is one. tell: is given what happens, as the parent process reads it.
    """

    runner: Runner
    plan: Plan
    columns: Columns
    held_out: Columns | None
    folder: Path
    losses: Sequence[str]
    every: int | None
    tell: Callable[[dict[str, Any]], None]
    watch: Watch | None = None
    place: Place = Place()
    begun: float = field(default_factory=time.monotonic)

    def run(self, begin: Checkpoint | None) -> None:
        """From the beginning, or from a checkpoint, to the end; raises `NotFinite`, and `SpecError` where its folder takes no more."""
        with told_unwritable(self.folder):
            checkpoints.forget_after(self.folder, begin.place.step if begin is not None else -1)
        if begin is None:
            self._save()
        else:
            self.restore(begin)
            self.begun = time.monotonic() - self.place.seconds
        self._cut_metrics()
        while self.place.step < self.plan.steps and not self._given_up():
            self._epoch()

    def restore(self, checkpoint: Checkpoint) -> None:
        """Be where the checkpoint was written."""
        self.runner.restore(checkpoint.arrays, checkpoint.numbers)
        self.place = checkpoint.place
        self.runner.seed(self.plan.draws(self.place.step))

    def batches(self) -> Iterator[tuple[Array | slice, Batch]]:
        """What is left of the epoch that is under way, each batch with its rows."""
        return ahead(self.plan.epoch(self.place.epoch, self.place.batch), self.columns.take)

    def step(self, batch: Batch) -> None:
        """One update."""
        if self.place.batch == 0:
            self.runner.clear()
        self.runner.step(batch)
        self.place = self.place.after()

    def _epoch(self) -> None:
        length = self.plan.length(self.place.epoch)
        begun = looked = time.monotonic()
        first = self.place.batch
        for _, batch in self.batches():
            self.step(batch)
            if self.place.batch == length:
                break
            now = time.monotonic()
            if self.every and self.place.step % self.every == 0:
                self.finite_figures()
                self._save()
            elif now - looked > TELL_EVERY:
                looked = now
                self._tell("progress", self.finite_figures(), begun, first)
        figures = self.finite_figures()
        told = self._timed(begun, first)
        if self.held_out is not None:
            figures |= {f"val_{n}": f for n, f in self._checked(self.held_out).items()}
        seconds = round(time.monotonic() - self.begun, 3)
        line = {"epoch": self.place.epoch, "step": self.place.step, "seconds": seconds, **told}
        self._note(
            {**line, "figures": {n: f if math.isfinite(f) else None for n, f in figures.items()}}
        )
        self.tell({"event": "epoch", **self._whole(), **told, "figures": figures})
        self._compare(figures)
        self.place = replace(self.place, epoch=self.place.epoch + 1, batch=0)
        self._save()

    def _compare(self, figures: Mapping[str, float]) -> None:
        """Keep the weights of an epoch that is the best so far."""
        if self.watch is None or not self.watch.better(
            figure := figures[self.watch.figure], self.place.best
        ):
            return
        self.place = replace(self.place, best=figure, best_epoch=self.place.epoch)
        if self.watch.keep:
            arrays, _ = self.runner.state()
            held = {name: a for name, a in arrays.items() if name.startswith(f"{WEIGHTS}/")}
            with told_unwritable(self.folder / BEST):
                checkpoints.save_best(self.folder / BEST, held)

    def _given_up(self) -> bool:
        """Whether no epoch has been better for so long that the run ends."""
        patience = self.watch.patience if self.watch is not None else None
        done = self.place.epoch - 1
        return patience is not None and done - self.place.best_epoch >= patience

    def _checked(self, columns: Columns) -> dict[str, float]:
        """The figures of a pass over what is held out."""
        self.runner.clear()
        for _, batch in ahead(columns.parts(self.plan.batch_size), columns.take):
            self.runner.check(batch)
        return self.runner.figures()

    def finite_figures(self) -> dict[str, float]:
        """Those of the epoch so far; raises `NotFinite` where a loss is no number."""
        figures = self.runner.figures()
        if not all(math.isfinite(figures[name]) for name in self.losses):
            raise NotFinite
        return figures

    def _save(self) -> None:
        """Write a checkpoint, and begin the draws anew; raises `NotFinite` where that is none to go on from."""
        arrays, numbers = self.runner.state()
        if self.place.step and broken(arrays):
            raise NotFinite
        self.place = replace(self.place, seconds=time.monotonic() - self.begun)
        with told_unwritable(self.folder):
            checkpoints.save(self.folder, Checkpoint(self.place, arrays, numbers))
        self.runner.seed(self.plan.draws(self.place.step))

    def _note(self, line: Mapping[str, Any]) -> None:
        """Add a line to the metrics, and bring it to the disk before a checkpoint says that it is there."""
        path = self.folder / METRICS
        with told_unwritable(path), path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())
            self.place = replace(self.place, told=file.tell())

    def _cut_metrics(self) -> None:
        """Take away what was told after the checkpoint."""
        path = self.folder / METRICS
        with told_unwritable(path):
            path.touch()
            os.truncate(path, self.place.told)

    def _whole(self) -> dict[str, Any]:
        place = {"epoch": self.place.epoch, "step": self.place.step}
        return {**place, "epochs": self.plan.epochs, "steps": self.plan.steps}

    def _timed(self, begun: float, first: int) -> dict[str, float]:
        """Rows a second, of the epoch since it began here."""
        rows = min((self.place.batch - first) * self.plan.batch_size, self.plan.rows)
        return {"examples_per_second": round(rows / max(time.monotonic() - begun, 1e-9), 1)}

    def _tell(self, event: str, figures: Mapping[str, float], begun: float, first: int) -> None:
        told = self._timed(begun, first)
        self.tell({"event": event, **self._whole(), **told, "figures": figures})


@contextmanager
def told_unwritable(path: Path) -> Iterator[None]:
    """Say what the system says of a file as a diagnostic."""
    try:
        yield
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise SpecError(
            Diagnostic(
                "E0703",
                f"cannot write `{path}`: {reason}",
                notes=("the checkpoints that are there are whole",),
                helps=("make room there, then `nnspec train --resume` goes on from the last one",),
            )
        ) from None


def broken(arrays: Mapping[str, Array]) -> list[tuple[str, str]]:
    """Weights of a state that hold something infinite or NaN: their networks and native names."""
    return [
        (network, name)
        for network, held in named_weights(arrays).items()
        for name, array in held.items()
        if array.dtype.kind not in "biu" and not np.isfinite(array).all()
    ]
