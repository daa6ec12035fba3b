"""Runs generated programs, each target in a process of its own.

`run(target, jobs)` starts `python -m nnspec.driver.worker TARGET DIRECTORY`, which imports that target's
`runtime` (and so its framework) and does the jobs in order. Requests and results are JSON beside one
`.npz`, so that nothing is ever unpickled, and no framework is imported into the caller.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from codegen.jobs import TrainRequest, TrainResult, Weights
from codegen.target import ProgramNames
from nnspec.core.arrays import write_npz
from nnspec.core.dtypes import DTYPES
from nnspec.driver.generated import load_module
from nnspec.graph.weight_map import Array
from nnspec.report.diagnostics import Diagnostic, SpecError

BF16 = DTYPES["bf16"].numpy
"""Not of NumPy itself: an `.npz` would keep it as two bytes of nothing."""


class WorkerError(SpecError):
    """A worker that did not come to its end; `output` is what it printed, `status` how it ended."""

    def __init__(self, target: str, output: str, status: int = 1) -> None:
        self.target, self.output, self.status = target, output, status
        super().__init__(
            Diagnostic(
                "E0708",
                f"the {target} process failed: {_reason(output, status)}",
                helps=("`nnspec --debug ...` shows all that it printed",) if output else (),
            )
        )


_RAISED = re.compile(
    r"(?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*(?:Error|Exception|Exit|Interrupt)\b(?:: .+)?"
)


def _reason(output: str, status: int) -> str:
    """What a process died of, in one line."""
    if status < 0:
        name = signal.Signals(-status).name
        memory = ", as the system does when there is no memory left" if -status == 9 else ""
        return f"it was stopped by {name}{memory}"
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    if "Traceback (most recent call last):" in lines:
        # Some frameworks print a stack of their own below the exception.
        lines = [line for line in lines if _RAISED.fullmatch(line)] or lines
    return lines[-1][:300] if lines else f"it ended with status {status}, and printed nothing"


@dataclass(frozen=True)
class Predict:
    """Apply a model: weights and inputs in native names and layouts; the result is a list of arrays."""

    module: str
    class_name: str
    weights: dict[str, Array]
    inputs: list[Array]
    training: bool = False


@dataclass(frozen=True)
class Differentiate:
    """Apply a model in training mode and differentiate the sum of its outputs times `projections`.

    The result is a dict: "outputs"; "weights", gradients by native name; "inputs", one gradient each or None;
    "state", all weights afterwards (running statistics among them).
    """

    module: str
    class_name: str
    weights: dict[str, Array]
    inputs: list[Array]
    projections: list[Array]


@dataclass(frozen=True)
class Train:
    """Take training steps with the generated program; `batches[step][column]`."""

    module: str
    request: TrainRequest
    weights: Weights
    batches: list[list[Array]]


@dataclass(frozen=True)
class SaveNative:
    """Write weights in the target's own file format."""

    module: str
    class_name: str
    weights: dict[str, Array]
    path: str


@dataclass(frozen=True)
class LoadNative:
    """Read the target's own file format; the result is a dict of native names."""

    module: str
    class_name: str
    path: str


Job = Predict | Differentiate | Train | SaveNative | LoadNative
JOBS: dict[str, type[Any]] = {
    c.__name__: c for c in (Predict, Differentiate, Train, SaveNative, LoadNative)
}


def run(target: str, jobs: Sequence[Job], *, timeout: float = 1800) -> list[Any]:
    """Results of the jobs, in order; raises `WorkerError` when the process fails."""
    with tempfile.TemporaryDirectory(prefix="nnspec-") as folder:
        _write(Path(folder), "request", [{"job": type(j).__name__, **_fields(j)} for j in jobs])
        try:
            process = subprocess.run(
                [sys.executable, "-m", "nnspec.driver.worker", target, folder],
                capture_output=True,
                text=True,
                errors="replace",
                timeout=timeout,
                env=environment(),
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise WorkerError(target, f"it took longer than {timeout:.0f} s") from None
        if process.returncode:
            raise WorkerError(target, process.stderr or process.stdout, process.returncode)
        results: list[Any] = _read(Path(folder), "result")
        return results


def environment() -> dict[str, str]:
    """This process's environment, with our packages importable and nothing of the current folder."""
    root = str(Path(__file__).resolve().parent.parent.parent)
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONSAFEPATH": "1"}


def _fields(job: Job) -> dict[str, Any]:
    return {f.name: getattr(job, f.name) for f in dataclasses.fields(job)}


def _write(folder: Path, stem: str, payload: object) -> None:
    arrays: list[Array] = []

    def pack(value: Any) -> Any:
        match value:
            case np.ndarray() if value.dtype == BF16:
                arrays.append(value.view(np.uint16))
                return {"$array": len(arrays) - 1, "bf16": True}
            case np.ndarray():
                arrays.append(value)
                return {"$array": len(arrays) - 1}
            case np.generic():
                return value.item()
            case dict():
                return {str(k): pack(v) for k, v in value.items()}
            case list() | tuple():
                return [pack(v) for v in value]
            case TrainRequest() | TrainResult() | ProgramNames():
                return pack({f.name: getattr(value, f.name) for f in dataclasses.fields(value)})
            case _:
                return value

    text = json.dumps(pack(payload))
    write_npz(folder / f"{stem}.npz", {f"a{i}": a for i, a in enumerate(arrays)})
    (folder / f"{stem}.json").write_text(text)


def _read(folder: Path, stem: str) -> Any:
    with np.load(folder / f"{stem}.npz", allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}

    def unpack(value: Any) -> Any:
        match value:
            case {"$array": index, "bf16": True}:
                return arrays[f"a{index}"].view(BF16)
            case {"$array": index}:
                return arrays[f"a{index}"]
            case dict():
                return {k: unpack(v) for k, v in value.items()}
            case list():
                return [unpack(v) for v in value]
            case _:
                return value

    return unpack(json.loads((folder / f"{stem}.json").read_text()))


def _perform(runtime: Any, job: dict[str, Any]) -> Any:
    kind = JOBS[job.pop("job")]
    if kind is Train:
        request = job["request"]
        job["request"] = TrainRequest(
            ProgramNames(**{**request["functions"], "more": tuple(request["functions"]["more"])}),
            tuple((name, cls) for name, cls in request["networks"]),
            tuple(request["columns"]),
            request["losses"],
            request["updates"],
            tuple(request["at"]),
            request["dtype"],
        )
    task = kind(**job)
    module = load_module(Path(task.module))
    match task:
        case Predict():
            return runtime.predict(
                module, task.class_name, task.weights, task.inputs, training=task.training
            )
        case Differentiate():
            return runtime.differentiate(
                module, task.class_name, task.weights, task.inputs, task.projections
            )
        case Train():
            return runtime.train(module, task.request, task.weights, task.batches)
        case SaveNative():
            return runtime.save_native(module, task.class_name, task.weights, Path(task.path))
        case LoadNative():
            return runtime.load_native(module, task.class_name, Path(task.path))


def main(arguments: Sequence[str]) -> None:
    target, folder = arguments
    runtime = importlib.import_module(f"codegen.{target}.runtime")
    results = [_perform(runtime, job) for job in _read(Path(folder), "request")]
    _write(Path(folder), "result", results)


if __name__ == "__main__":
    # Under its importable name, so that its classes are the ones that runtimes use.
    importlib.import_module("nnspec.driver.worker").main(sys.argv[1:])
