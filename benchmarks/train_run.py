"""`nnspec train` beside the generated script alone: `python benchmarks/train_run.py`.

An epoch of `specs/digits_cnn.nn`, validation included, of the run its checkpoint too (8 MB, brought to the disk). The two take
turns; start-up and the first epochs, in which frameworks compile, are left out.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent
SPEC = ROOT / "specs" / "digits_cnn.nn"
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": str(ROOT),
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "PYTHONUNBUFFERED": "1",
}
WARM = 2
"""Epochs that do not count."""


def nnspec(*words: object) -> None:
    command = [sys.executable, "-m", "nnspec", *map(str, words)]
    subprocess.run(command, env=ENVIRONMENT, check=True, capture_output=True)


def between(moments: Sequence[float]) -> list[float]:
    counted = moments[WARM - 1 :]
    return [end - begin for begin, end in zip(counted, counted[1:])]


def by_script(folder: Path, target: str, epochs: int) -> list[float]:
    script, data = folder / f"digits_cnn_{target}.py", folder / "digits.npz"
    command = [sys.executable, script, "--data", data, "--epochs", str(epochs)]
    process = subprocess.Popen(
        command, env=ENVIRONMENT, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout is not None
    return between([time.monotonic() for line in process.stdout if "val_loss" in line])


def by_run(folder: Path, target: str, epochs: int, number: int) -> list[float]:
    run = folder / f"{target}-{number}"
    nnspec(
        "train",
        SPEC,
        "-t",
        target,
        "--epochs",
        epochs,
        "--run",
        run,
        "-o",
        folder / "w.safetensors",
    )
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return between([json.loads(line)["seconds"] for line in lines])


def main(targets: Sequence[str], turns: int = 5, epochs: int = 12) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        nnspec("data", "digits", "--size", 28, "-o", folder / "digits.npz")
        for target in targets or ("pytorch", "keras", "gluon"):
            nnspec("build", SPEC, "--target", target, "-o", folder)
            script: list[float] = []
            run: list[float] = []
            for number in range(turns):
                script += by_script(folder, target, epochs)
                run += by_run(folder, target, epochs, number)
            one, other = statistics.median(script), statistics.median(run)
            print(
                f"{target}: script {one:.3f} s an epoch (best {min(script):.3f}), "
                f"run {other:.3f} s (best {min(run):.3f}): {other / one:.2f} times",
                flush=True,
            )


if __name__ == "__main__":
    main(sys.argv[1:])
