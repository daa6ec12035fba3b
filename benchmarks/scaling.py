"""Check and build of 10 to 100,000 layers, in process and as a command: `python benchmarks/scaling.py`.

Linear means that the time for one layer stops changing as the layers grow.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from interleave import main, median_of

SIZES = (10, 100, 1_000, 10_000)
LARGEST = 100_000
"""Of a check and of one target: the others follow."""


def spec(layers: int) -> str:
    """A model of `layers` Dense layers, one statement each."""
    lines = "\n".join(f"  x{i + 1} = x{i} -> Dense(8, activation = relu)" for i in range(layers))
    return f"model Deep {{\n  input x0: f32[N, 8]\n{lines}\n  output y = x{layers}\n}}\n"


def in_process(task: str, layers: int) -> dict[str, Any]:
    import nnspec

    text = spec(layers)
    tasks: dict[str, Callable[[], object]] = {
        "check": lambda: nnspec.load(text),
        **{
            t: partial(lambda t: nnspec.load(text).build(t), t)
            for t in ("onnx", "pytorch", "keras", "gluon")
        },
    }
    return {"seconds": median_of(tasks[task], 3 if layers > 1_000 else 7, 1)}


def command(task: str, layers: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "deep.nn"
        path.write_text(spec(layers))
        arguments = {
            "check": ["check", str(path)],
            "build": ["build", str(path), "--target", "all", "-o", f"{folder}/out"],
        }[task]

        def call() -> None:
            subprocess.run(
                [sys.executable, "-m", "nnspec", *arguments], check=True, capture_output=True
            )

        return {"seconds": median_of(call, 1 if layers > 1_000 else 3, 0)}


CASES: dict[str, Callable[[], dict[str, Any]]] = {
    f"{kind} {task} {n}": partial(function, task, n)
    for kind, function, names in (
        ("in process", in_process, ("check", "onnx", "pytorch", "keras", "gluon")),
        ("command", command, ("check", "build")),
    )
    for task in names
    for n in SIZES
} | {
    f"in process {task} {LARGEST}": partial(in_process, task, LARGEST)
    for task in ("check", "pytorch")
}

if __name__ == "__main__":
    results = main(__file__, CASES, 2)
    for name, result in (results or {}).items():
        layers = int(name.split()[-1])
        seconds = result["seconds"]
        print(f"{name:<28} {seconds * 1000:9.1f} ms   {seconds / layers * 1e6:9.1f} us a layer")
