"""What the process that trains is told, and what its figures are here."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

from codegen.python.training import figures, losses
from nnspec.driver.training.folder import METRICS
from nnspec.driver.training.job import Job, Progress
from nnspec.driver.training.plan import Plan
from nnspec.driver.training.supervise import Event
from nnspec.graph.training import Minimize


def requested(job: Job, plan: Plan, folder: Path, module: Path) -> dict[str, Any]:
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


def progress_of(event: Event) -> Progress:
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
        found.append(progress_of(event))
    return found
