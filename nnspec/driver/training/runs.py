"""The runs below a folder: how far they are, what their figures are, in what they differ."""

from __future__ import annotations

import fcntl
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnspec.driver.training.folder import ABOUT, LOCK, METRICS, read_about
from nnspec.report.diagnostics import SpecError

LEFT = "stopped"
"""What becomes of a run whose process was killed before it could say anything."""


@dataclass(frozen=True)
class Run:
    """One of them. lines: of `metrics.jsonl`, one for each epoch. settings: what it was made with, flat."""

    path: Path
    status: str
    about: Mapping[str, Any]
    lines: Sequence[Mapping[str, Any]]

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def epoch(self) -> int:
        """The last one that it came through."""
        return int(self.lines[-1]["epoch"]) if self.lines else 0

    @property
    def epochs(self) -> int:
        plan = self.about["plan"]
        batches = -(-plan["rows"] // plan["batch_size"])
        return int(-(-plan["steps"] // batches))

    @property
    def figures(self) -> Mapping[str, float | None]:
        """Of the last epoch."""
        return self.lines[-1]["figures"] if self.lines else {}

    @property
    def settings(self) -> dict[str, Any]:
        about = self.about
        spec = about["spec"]
        found = {"spec": Path(spec["path"]).name, "program": about["program"]}
        found |= {"target": about["target"], **about["settings"], **spec["parameters"]}
        texts = [file["sha256"] for file in spec["files"]]
        found["text"] = "".join(texts)[:8]
        return found | {f"version of {m}": v for m, v in about["versions"].items()}

    def points(self) -> dict[str, list[tuple[float, float]]]:
        """Each figure over the epochs."""
        found: dict[str, list[tuple[float, float]]] = {}
        for line in self.lines:
            for name, figure in line["figures"].items():
                told = math.nan if figure is None else figure
                found.setdefault(name, []).append((line["epoch"], told))
        return found

    def told(self) -> dict[str, Any]:
        """All of it, for `--format json`."""
        return {
            "run": str(self.path),
            "status": self.status,
            "epoch": self.epoch,
            "epochs": self.epochs,
            "figures": dict(self.figures),
            "settings": self.settings,
            "begun": self.about.get("begun"),
            "diagnostics": self.about.get("diagnostics", []),
        }


def listed(folder: Path) -> list[Run]:
    """The run in a folder, or those in the folders below it, in the order in which they began."""
    places = (
        [folder]
        if (folder / ABOUT).exists()
        else sorted(p.parent for p in folder.glob(f"*/{ABOUT}"))
    )
    found: list[Run] = []
    for path in places:
        try:
            found.append(_read(path))
        except SpecError:
            if path == folder:
                raise
    return sorted(found, key=lambda run: (run.about.get("begun", ""), run.name))


def _read(path: Path) -> Run:
    about = read_about(path)
    status = about.get("status", LEFT)
    if status == "running" and not _held(path):
        status = LEFT
    try:
        lines = [json.loads(line) for line in (path / METRICS).read_text("utf-8").splitlines()]
    except (OSError, ValueError):
        lines = []
    return Run(path, status, about, lines)


def _held(path: Path) -> bool:
    """Whether a process works in the folder."""
    try:
        with (path / LOCK).open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def differing(runs: Sequence[Run]) -> list[str]:
    """The settings in which runs differ."""
    names = dict.fromkeys(name for run in runs for name in run.settings)
    return [n for n in names if len({json.dumps(r.settings.get(n)) for r in runs}) > 1]
