"""Models of others: a spec with their weights, what was put into theirs, and what came out; and how our targets run it."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from codegen import TARGETS
from nnspec import Spec
from nnspec.driver import inference, worker
from nnspec.driver.verify.jobs import Module
from nnspec.graph.evaluate import evaluate_model
from nnspec.graph.graph import Graph, Program
from nnspec.graph.weight_map import Array

BOUND = 1e-5
"""Of the largest element of an output."""

RUNNERS = ("definition", "onnx", *(t for t in TARGETS if t != "onnx"))


@dataclass(frozen=True)
class Case:
    """`inputs` in the order of the model's, in the language's order of axes; `expected` by the name of the output."""

    name: str
    model: Graph
    weights: Mapping[str, Array]
    inputs: list[Array]
    expected: Mapping[str, Array]

    def distances(self, found: Sequence[Array]) -> dict[str, float]:
        """How far each output is from theirs, of its largest element."""
        named = dict(zip(self.model.output_names, found, strict=True))
        return {n: distance(named[n], theirs) for n, theirs in self.expected.items()}


def distance(ours: Array, theirs: Array) -> float:
    if ours.shape != theirs.shape:
        return float("inf")
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


def case(
    name: str,
    spec: Spec,
    source: Path,
    inputs: Mapping[str, Array],
    expected: Mapping[str, Array],
    table: Path | None = None,
) -> Case:
    """Their weights, all of them found."""
    found = spec.import_weights(source, table=table).whole()
    model = spec.models[0].graph
    given = [inputs[str(v.name)] for v in model.inputs]
    return Case(name, model, dict(found.weights), given, expected)


def outputs(runner: str, cases: Sequence[Case]) -> list[list[Array]]:
    """What each model gives, by the definition or a target; one process for all."""
    if runner == "definition":
        return [list(evaluate_model(c.model, c.inputs, c.weights).outputs) for c in cases]
    with tempfile.TemporaryDirectory(prefix="nnspec-") as folder:
        if runner == "onnx":
            return [_by_onnxruntime(c, Path(folder)) for c in cases]
        target = TARGETS[runner]
        modules = [
            Module(target, Program((c.model,)), folder, f"m{i}") for i, c in enumerate(cases)
        ]
        jobs = [m.predict(c.model, c.weights, c.inputs) for m, c in zip(modules, cases)]
        results = worker.run(runner, jobs)
        return [m.outputs(c.model, r) for m, c, r in zip(modules, cases, results, strict=True)]


def _by_onnxruntime(case: Case, folder: Path) -> list[Array]:
    inside = {"weights": {case.model: case.weights}}
    emitted = TARGETS["onnx"].emit(Program((case.model,)), stem=case.name, provenance="t", **inside)
    engine = inference.load_files(emitted.files, "cpu")
    entry = emitted.models[case.model]
    given = zip(engine.inputs, case.inputs, entry.input_layouts, strict=True)
    found = engine.run({i.name: layout.there(a) for i, a, layout in given})
    return [x.back(a) for a, x in zip(found.values(), entry.output_layouts, strict=True)]
