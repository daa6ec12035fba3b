"""What is said of a run that left the finite numbers: the step, its rows, and where in the spec it begins."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nnspec.driver.stored import joined
from nnspec.driver.training.failure import BEFORE
from nnspec.graph import weight_files
from nnspec.graph.evaluate.training import TrainingRun
from nnspec.graph.graph import Value
from nnspec.graph.graph import weights as weights_of
from nnspec.graph.weight_map import Array
from nnspec.report.diagnostics import Diagnostic, Label, SpecError

if TYPE_CHECKING:
    from nnspec.driver.training.job import Job, Weights

SHOWN = 8
"""Rows of the batch that a message lists."""


def refusal(
    job: Job, weights: Weights | None, folder: Path | None, event: dict[str, Any]
) -> SpecError:
    """The diagnostic (E0605). weights: before the step, where it is known; folder: where they are kept."""
    training = job.training
    helps = ("a lower learning rate, or data that is scaled, may help",)
    at = Label(training.span) if training.span else None
    if event["step"] is None or weights is None:
        what = f"figures or weights became infinite or NaN in epoch {event['epoch']}"
        again = "when that epoch was gone through again, they did not: the run is not determined"
        return SpecError(Diagnostic("E0605", what, at, (again,), helps))
    when = f"at step {event['step']}, in epoch {event['epoch']}"
    if event["loss"]:
        what = f"`{event['loss']}` is {event['value']} {when}"
    else:
        network, name = event["weights"][0]
        what = f"the update {when} makes `{name}` of `{network}` infinite or NaN"
    rows: list[int] = event["rows"]
    notes = [f"its batch holds {_listed(rows)} of the data, counted from 0"]
    if folder is not None:
        notes.append(f"the weights before it are in `{folder / BEFORE}`")
    first = _first(job, weights, rows)
    if first is not None and first.span is not None:
        at = Label(first.span, "the first numbers that are not finite come from here")
    return SpecError(Diagnostic("E0605", what, at, tuple(notes), helps))


def kept(job: Job, folder: Path) -> Weights | None:
    """Canonical weights before the step, written in the place of the native ones; None where there are none."""
    path = folder / BEFORE
    if not path.exists():
        return None
    found = job.canonical(weight_files.load(path))
    path.unlink()
    weight_files.save(path, joined(found))
    return found


def _listed(rows: Sequence[int]) -> str:
    shown = ", ".join(map(str, rows[:SHOWN]))
    return f"rows {shown}" + (f" and {len(rows) - SHOWN} more" if len(rows) > SHOWN else "")


def _first(job: Job, weights: Weights, rows: Sequence[int]) -> Value | None:
    """The first value of the step that is not finite, by the definition; None where it has none, or takes too much."""
    data = job.data().train
    batch = [data[c.name or "x"][np.asarray(rows)] for c in job.training.batch]
    places = {(n, path): a for n, arrays in weights.items() for path, a in arrays.items()}
    run = TrainingRun(job.training, places, generator=np.random.default_rng(0))
    try:
        with np.errstate(all="ignore"):
            step = run.step(batch)
    except SpecError:
        return None
    # In the order in which they were made; of what is given the new ones are no values of the step.
    given = {*job.training.batch, *(w for n in job.training.networks for w in weights_of(n.model))}
    return next((v for v, a in step.values.items() if v not in given and not _finite(a)), None)


def _finite(array: Array) -> bool:
    return array.dtype.kind in "biu" or bool(np.isfinite(array).all())
