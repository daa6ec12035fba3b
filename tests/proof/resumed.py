"""Runs that are killed (SIGKILL) at random moments and taken up again, against one that nothing disturbs.

    python tests/proof/resumed.py --times 20 --targets pytorch

The same network learns each time: dropout, noise, a batch norm, an LSTM, a schedule, gradients of two steps. A run is killed
once or several times, now its first process alone, now all of them; then it is resumed to its end. Weights and the
figures of every epoch have to be those of the undisturbed run, bit for bit.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
SPEC = """\
model Net {
  input x: f32[N, 5, 6]
  output y = x -> LSTM(24, returns = "last") -> Dense(32) -> BatchNorm -> relu -> Dropout(0.3) -> Dense(3)
}

train T {
  net = Net()
  batch x: f32[N, 5, 6], y: i64[N]
  logits = net(x + 0.1 * random_normal([N, 5, 6]))
  minimize cross_entropy(logits, y) using AdamW(lr = Cosine(0.01, steps = 400), clip_norm = 1.0)
  metric accuracy(logits, y)
  data = npz("data.npz")
  accumulate = 2
  epochs = 6
  batch_size = 16
}
"""


def begun(folder: Path, *words: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "nnspec", "train", *map(str, words)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def ended(process: subprocess.Popen[bytes]) -> None:
    _, errors = process.communicate()
    if process.returncode:
        raise SystemExit(errors.decode())


def outcome(run: Path) -> tuple[bytes, list[object]]:
    lines = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    figures = [(line["epoch"], line["step"], line["figures"]) for line in lines]
    return (run / "weights.safetensors").read_bytes(), list(figures)


def killed(process: subprocess.Popen[bytes], run: Path, step: int, chance: random.Random) -> bool:
    """Kill it a moment after the first checkpoint at or behind a step; whether it was still there."""
    while process.poll() is None and last(run) < step:
        time.sleep(0.002)
    time.sleep(chance.uniform(0, 0.1))
    if process.poll() is not None:
        process.communicate()
        return False
    if chance.random() < 0.5:
        os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.communicate()
    return True


def last(run: Path) -> int:
    """Where a run will go on; -1 where it has no checkpoint yet."""
    names = (p.name.removeprefix("checkpoint-") for p in run.glob("checkpoint-*"))
    return max(map(int, names), default=-1)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--targets", nargs="+", default=["pytorch", "keras", "gluon"])
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    chance, faults = random.Random(given.seed), 0
    for target in given.targets:
        with tempfile.TemporaryDirectory() as name:
            faults += _tried(Path(name), target, given.times, chance)
    return 1 if faults else 0


def _tried(folder: Path, target: str, times: int, chance: random.Random) -> int:
    _prepare(folder)
    words = (folder / "t.nn", "-t", target, "--checkpoint-every", 7, "-o", folder / "w.safetensors")
    whole = folder / "whole"
    ended(begun(folder, *words, "--run", whole))
    steps = last(whole)
    number = faults = 0
    while number < times:
        run = folder / "run"
        shutil.rmtree(run, ignore_errors=True)
        process, places = begun(folder, *words, "--run", run), []
        for step in sorted(chance.choices(range(-1, steps), k=chance.choice((1, 1, 2)))):
            if not killed(process, run, step, chance):
                break
            places.append(last(run))
            again = ("--resume", run) if (run / "run.json").exists() else (*words, "--run", run)
            process = begun(folder, *again)
        if process.returncode is None:
            ended(process)
        if not places:
            continue
        number += 1
        same = outcome(run) == outcome(whole)
        faults += not same
        print(f"  killed behind {places} of {steps}: {'same' if same else 'OTHER'}", flush=True)
    print(f"{target}: {times - faults} of {times} the same", flush=True)
    return faults


def _prepare(folder: Path) -> None:
    import numpy as np

    (folder / "t.nn").write_text(SPEC)
    draw = np.random.default_rng(0)
    x, y = draw.normal(size=(500, 5, 6)).astype("f4"), draw.integers(0, 3, 500)
    np.savez(folder / "data.npz", x=x, y=y, validation_x=x[:90], validation_y=y[:90])


if __name__ == "__main__":
    sys.exit(main())
