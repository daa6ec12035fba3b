"""`make proof`: commands that write, killed at a hundred moments of their writing.

    python tests/proof/kills.py --moments 100 --commands init build

A run that nobody disturbs shows how long it is from the first trace of an output to the last; the others are killed
(SIGKILL) at moments spread over that time. Each finds older files under the names of its outputs. What stands there
afterwards is the old file or the new one, whole.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
SPEC = """
model Wide {
  input x: i64[N]
  output y = x -> Embedding(1_000_000, 4) -> Dense(3)
}

train Fit {
  data = npz("rows.npz")
  net = Wide()
  batch x: i64[N], y: i64[N]
  minimize cross_entropy(net(x), y) using SGD(lr = 0.1)
  epochs = 1
  batch_size = 64
}
"""
COMMANDS = {
    "init": ["init", "{spec}", "--model", "Wide", "-o", "{out}/w.safetensors"],
    "build": ["build", "{spec}", "--target", "onnx", "--target", "pytorch", "-o", "{out}"],
    "convert": ["weights", "convert", "{spec}", "{weights}", "--model", "Wide"]
    + ["-o", "{out}/w.safetensors"],
}
NATIVE = {"pytorch": ".safetensors", "keras": ".weights.h5", "gluon": ".params"}
for target, suffix in NATIVE.items():
    given = ["{spec}", "{weights}", "--model", "Wide", "--to", target]
    COMMANDS[f"convert-{target}"] = ["weights", "convert", *given, "-o", f"{{out}}/w{suffix}"]
    given = ["{spec}", "--target", target]
    output = ["-o", "{out}/w.safetensors", "--run", "{run}"]
    COMMANDS[f"train-{target}"] = ["train", *given, *output]
OLD = b"what stood there before"


class Runs:
    """The runs of one command. whole: the digests of its outputs; seconds: from their first trace to the last."""

    def __init__(self, command: str, folder: Path) -> None:
        places = {
            "spec": folder / "wide.nn",
            "weights": folder / "w.safetensors",
            "out": folder / "out",
            "run": folder / "run",
        }
        self.words = [word.format(**places) for word in COMMANDS[command]]
        self.folder, self.out = folder, folder / "out"
        self.whole: dict[str, str] = {}
        self.seconds = 0.0
        # Once for the names, and once with files under them, for the time.
        for _ in range(2):
            process = self.begun()
            begin = time.monotonic()
            while process.poll() is None and self.staged():
                time.sleep(0.001)
            self.seconds = time.monotonic() - begin
            if process.wait():
                raise SystemExit(f"`{command}` ended with {process.returncode}")
            self.whole = dict(self.contents())

    def begun(self) -> subprocess.Popen[bytes]:
        """A run that has begun to write, over older files."""
        self.out.mkdir(exist_ok=True)
        shutil.rmtree(self.folder / "run", ignore_errors=True)
        for path in self.out.iterdir():
            path.unlink()
        for name in self.whole:
            (self.out / name).write_bytes(OLD)
        process = subprocess.Popen(
            [sys.executable, "-m", "nnspec", *self.words],
            cwd=ROOT,
            env={**os.environ, "TMPDIR": str(self.folder), "OMP_NUM_THREADS": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        while process.poll() is None and not self.staged() and set(self.names()) == set(self.whole):
            time.sleep(0.001)
        return process

    def names(self) -> Iterator[str]:
        """What stands under a name that a user would read."""
        return (name for name in os.listdir(self.out) if not name.startswith("."))

    def staged(self) -> list[str]:
        """What is beside it."""
        return [name for name in os.listdir(self.out) if name.startswith(".")]

    def contents(self) -> Iterator[tuple[str, str]]:
        for name in sorted(self.names()):
            with (self.out / name).open("rb") as file:
                yield name, hashlib.file_digest(file, "sha256").hexdigest()

    def killed(self, wait: float) -> tuple[str, int]:
        """What a killed run left: "old", "new", "some" new ones, or "half", which is the fault; and files beside."""
        process = self.begun()
        time.sleep(wait)
        process.kill()
        process.wait()
        with suppress(ProcessLookupError):  # frameworks of its own
            os.killpg(process.pid, signal.SIGKILL)
        old = hashlib.sha256(OLD).hexdigest()
        left = dict(self.contents())
        if left == self.whole:
            return "new", len(self.staged())
        if set(left.values()) == {old}:
            return "old", len(self.staged())
        right = left.keys() == self.whole.keys()
        right = right and all(left[name] in (old, self.whole[name]) for name in left)
        return "some" if right else "half", len(self.staged())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--moments", type=int, default=100)
    parser.add_argument("--commands", nargs="+", choices=COMMANDS, default=list(COMMANDS))
    given = parser.parse_args()
    faults = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "wide.nn").write_text(SPEC)
        _prepare(folder)
        for command in given.commands:
            runs = Runs(command, folder)
            found: Counter[str] = Counter()
            beside = 0
            for i in range(given.moments):
                state, staged = runs.killed(runs.seconds * i / given.moments)
                found[state] += 1
                beside += staged > 0
            told = ", ".join(f"{state} {count}" for state, count in sorted(found.items()))
            print(
                f"{command}: writes {len(runs.whole)} files in {runs.seconds:.2f} s; killed: {told}; "
                f"{beside} times with something beside them",
                flush=True,
            )
            faults += found["half"]
    return 1 if faults else 0


def _prepare(folder: Path) -> None:
    import numpy as np

    rows = np.arange(64)
    np.savez(folder / "rows.npz", x=rows, y=rows % 3)
    words = ["init", str(folder / "wide.nn"), "--model", "Wide", "--seed", "7"]
    command = [sys.executable, "-m", "nnspec", *words, "-o", str(folder / "w.safetensors")]
    subprocess.run(command, cwd=ROOT, check=True, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    sys.exit(main())
