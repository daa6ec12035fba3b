"""`make proof`: ONNX of every file of specs/zoo, as large as it says, beside the generated PyTorch module.

    python tests/proof/onnx_zoo.py --only unet t5

Outputs at three batch sizes and lengths, with the same weights. Each file has a process of its own, with limits. What was
found stands in a file (`--state`), so that a run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
ZOO = ROOT / "specs" / "zoo"
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

SIZES = ((1, 16, 24), (2, 33, 20), (3, 128, 96))
"""Of what is symbolic, the batch first."""

MEMORY = 10 * 2**30
PATIENCE = 900
"""Bytes and seconds that one file may take."""


def work(name: str) -> None:
    """In a worker: what came of each model's trials, and the most memory it took."""
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    from beside_pytorch import models_of, trials

    from nnspec.compiler import load

    found = [
        {"model": called, "right": trial.is_right} | asdict(trial)
        for called, model in models_of(load(ZOO / f"{name}.nn")).items()
        for trial in trials(model, SIZES)
    ]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(json.dumps({"trials": found, "gib": round(peak, 2)}))


def judged(name: str) -> dict[str, Any]:
    """What was found of a file, or what kept it back."""
    begun = time.monotonic()
    command = [sys.executable, __file__, "--worker", name]
    row: dict[str, Any] = {}
    try:
        run = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
    except subprocess.TimeoutExpired:
        row["error"] = f"it took more than {PATIENCE} s"
    else:
        lines = (run.stderr if run.returncode else run.stdout).strip().splitlines() or ["nothing"]
        row = {"error": lines[-1][:200]} if run.returncode else json.loads(lines[-1])
    return row | {"seconds": round(time.monotonic() - begun)}


def is_right(row: dict[str, Any]) -> bool:
    return "error" not in row and all(trial["right"] for trial in row["trials"])


def told(name: str, row: dict[str, Any]) -> str:
    if "error" in row:
        return f"{name}: {row['error']}"
    models: dict[str, list[str]] = {}
    for trial in row["trials"]:
        rounding = f" (rounding {trial['rounding']:.0e})" if trial["rounding"] else ""
        cell = f"{trial['apart']:.0e}{rounding} at {trial['sizes']}"
        models.setdefault(trial["model"], []).append(cell)
    cells = "; ".join(f"{called} {', '.join(cells)}" for called, cells in models.items())
    word = "agrees" if is_right(row) else "DIFFERS"
    return f"{name}: {word}; {cells}; {row['seconds']} s, {row['gib']} GiB"


def main() -> int:
    names = sorted(path.stem for path in ZOO.glob("*.nn"))
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="NAME")
    parser.add_argument("--state", type=Path, default=ROOT / "build" / "proof" / "onnx_zoo.json")
    parser.add_argument("--worker", choices=names, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        work(given.worker)
        return 0
    rows = json.loads(given.state.read_text()) if given.state.exists() else {}
    for name in given.only:
        if name not in rows or not is_right(rows[name]):
            rows[name] = judged(name)
            given.state.parent.mkdir(parents=True, exist_ok=True)
            given.state.write_text(json.dumps(rows, indent=1))
        print(told(name, rows[name]), flush=True)
    return 0 if all(is_right(rows[name]) for name in given.only) else 1


if __name__ == "__main__":
    sys.exit(main())
