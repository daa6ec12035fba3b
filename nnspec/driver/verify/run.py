"""Run every installed target on the same weights and inputs, and compare."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from codegen.jobs import TrainRequest, TrainResult
from codegen.onnx import reference
from codegen.target import Emitted, Target
from nnspec.core.dtypes import of_array
from nnspec.driver import worker
from nnspec.driver.verify import cases
from nnspec.driver.verify.probe import describe, probe
from nnspec.driver.verify.report import (
    BOUNDS,
    CANCELLATION,
    OUTPUTS,
    Culprit,
    Report,
    Row,
    difference,
)
from nnspec.graph.graph import Graph, Program, walk
from nnspec.graph.passes.freeze_random import freeze_graph, freeze_training, random_nodes
from nnspec.graph.training import Minimize, Training
from nnspec.graph.weight_map import Array, to_canonical, to_native
from nnspec.report.diagnostics import SpecError
from nnspec.report.source import Span

ONNX = "onnx"
STEPS = (1, 10)
Weights = Mapping[str, Mapping[str, Array]]
Results = dict[str, TrainResult]


@dataclass(frozen=True)
class Subject:
    """A model or training program with what it is run on, in the language's layout."""

    name: str
    inputs: list[Array]
    weights: dict[str, Array]
    model: Graph


def verify(
    program: Program,
    targets: Sequence[Target],
    *,
    skipped: Mapping[str, str] | None = None,
    seed: int = 0,
) -> Report:
    """Compare the targets with the ONNX reference evaluator and with each other.

    targets: Python targets that are installed; the evaluator always runs.
    skipped: targets left out, with the reason, for the report.
    """
    notes: list[str] = []
    left_out = dict(skipped or {})
    models = [m for m in program.models if not _draws(m, notes)]
    subjects = [_subject(m, seed) for m in models]
    trainings = [freeze_training(t) for t in program.trainings]
    rows: list[Row] = []
    culprits: list[Culprit] = []

    reference_outputs = {s.name: reference.outputs(s.model, s.weights, s.inputs) for s in subjects}
    step_weights = {t.name: cases.networks_weights(t, seed) for t in trainings}
    step_batches = {t.name: list(cases.batches_of(t, max(STEPS), seed + 2)) for t in trainings}
    reference_losses = {
        t.name: reference.losses(t, step_weights[t.name], step_batches[t.name][0])
        for t in trainings
    }

    single: dict[str, Results] = {t.name: {} for t in trainings}
    double: dict[str, Results] = {t.name: {} for t in trainings}
    for target in targets:
        try:
            predictions, results = _run(
                target, program, subjects, trainings, step_weights, step_batches
            )
        except SpecError as error:
            if any(d.code != "E0704" for d in error.diagnostics):
                raise
            left_out[target.name] = error.diagnostics[0].message
            continue
        for subject, found in zip(subjects, predictions, strict=True):
            fresh = list(_outputs(subject, target.name, found, reference_outputs[subject.name]))
            rows += fresh
            if not all(row.agrees for row in fresh):
                culprits += _first_difference(subject, target, program)
        for training, (first, rest) in zip(trainings, results, strict=True):
            single[training.name][target.name] = first
            double[training.name][target.name] = rest
    for training in trainings:
        rows += _losses(training, single[training.name], reference_losses[training.name])
        rows += _gradients(training, single[training.name])
        rows += _updates(training, double[training.name])
    names = (ONNX, *(t.name for t in targets if t.name not in left_out))
    return Report(program.path, names, tuple(rows), left_out, tuple(culprits), tuple(notes))


def _draws(model: Graph, notes: list[str]) -> bool:
    drawn = [n.op.name for n in random_nodes(model)]
    if drawn:
        notes.append(f"model {model.name} draws at random ({drawn[0]}): outputs not compared")
    return bool(drawn)


def _subject(model: Graph, seed: int) -> Subject:
    model = freeze_graph(model)
    sizes = cases.symbol_sizes(model.inputs)
    generator = np.random.default_rng(seed)
    inputs = cases.inputs_of(model.inputs, model.steps, sizes, generator)
    return Subject(f"model {model.name}", inputs, cases.weights_of(model, seed), model)


def _run(
    target: Target,
    program: Program,
    subjects: Sequence[Subject],
    trainings: Sequence[Training],
    weights: Mapping[str, Weights],
    batches: Mapping[str, Sequence[Sequence[Array]]],
) -> tuple[list[list[Array]], list[tuple[TrainResult, TrainResult]]]:
    """Outputs of the subjects, and the trainings' steps in f32 and f64, all from one process."""
    with tempfile.TemporaryDirectory(prefix="nnspec-") as name:
        models = _Module(
            target, replace(program, models=_models(subjects), trainings=()), name, "models"
        )
        steps = _Module(
            target, replace(program, models=(), trainings=tuple(trainings)), name, "steps"
        )
        jobs: list[worker.Job] = [models.predict(s) for s in subjects]
        for t in trainings:
            jobs.append(steps.train(t, weights[t.name], batches[t.name][:1], "f32", STEPS[:1]))
            jobs.append(steps.train(t, weights[t.name], batches[t.name], "f64", STEPS))
        results = worker.run(target.name, jobs)
        count = len(subjects)
        predictions = [models.outputs(s, r) for s, r in zip(subjects, results[:count], strict=True)]
        trained = [
            (steps.trained(t, results[i]), steps.trained(t, results[i + 1]))
            for t, i in zip(trainings, range(count, len(results), 2), strict=True)
        ]
        return predictions, trained


def _models(subjects: Sequence[Subject]) -> tuple[Graph, ...]:
    return tuple(s.model for s in subjects)


class _Module:
    """The generated module of a program, and the jobs that run it."""

    def __init__(self, target: Target, program: Program, folder: str, stem: str) -> None:
        self.emitted: Emitted = target.emit(program, stem=stem, provenance="nnspec verify")
        self.path = Path(folder) / f"{stem}_{target.name}.py"
        self.path.write_text(str(self.emitted.files[self.path.name]), encoding="utf-8")

    def predict(self, subject: Subject) -> worker.Predict:
        entry = self.emitted.models[subject.model]
        inputs = zip(subject.inputs, entry.input_layouts, strict=True)
        return worker.Predict(
            str(self.path),
            entry.class_name,
            to_native(subject.weights, entry.weight_map),
            [layout.there(a) for a, layout in inputs],
        )

    def outputs(self, subject: Subject, found: Sequence[Array]) -> list[Array]:
        layouts = self.emitted.models[subject.model].output_layouts
        return [layout.back(a) for a, layout in zip(found, layouts, strict=True)]

    def train(
        self,
        training: Training,
        weights: Mapping[str, Mapping[str, Array]],
        batches: Sequence[Sequence[Array]],
        dtype: str,
        at: tuple[int, ...],
    ) -> worker.Train:
        entries = {n.name: self.emitted.models[n.model] for n in training.networks}
        layouts = self.emitted.batch_layouts[training.name]
        request = TrainRequest(
            self.emitted.programs[training.name],
            tuple((name, e.class_name) for name, e in entries.items()),
            tuple(column.name or "x" for column in training.batch),
            sum(isinstance(s, Minimize) for s in training.steps),
            at,
            dtype,
        )

        def of_dtype(array: Array) -> Array:
            wide = dtype == "f64" and (kind := of_array(array)) is not None and kind.is_float
            return array.astype("float64") if wide else array

        return worker.Train(
            str(self.path),
            request,
            {
                name: {k: of_dtype(a) for k, a in to_native(weights[name], e.weight_map).items()}
                for name, e in entries.items()
            },
            [[of_dtype(x.there(a)) for a, x in zip(b, layouts, strict=True)] for b in batches],
        )

    def trained(self, training: Training, found: dict[str, Any]) -> TrainResult:
        maps = {n.name: self.emitted.models[n.model].weight_map for n in training.networks}

        def canonical(native: Mapping[str, Mapping[str, Array]]) -> dict[str, dict[str, Array]]:
            return {
                name: to_canonical(arrays, tuple(e for e in maps[name] if e.native in arrays))
                for name, arrays in native.items()
            }

        return TrainResult(
            found["losses"],
            [canonical(g) for g in found["gradients"]],
            {step: canonical(w) for step, w in found["weights"].items()},
        )


def _outputs(
    subject: Subject, target: str, found: Sequence[Array], expected: Sequence[Array]
) -> Iterator[Row]:
    names = subject.model.output_names
    bound = OUTPUTS[cases.precision(subject.model)]
    for name, value, a, b in zip(names, subject.model.outputs, found, expected, strict=True):
        row = _row(subject.name, "outputs", name, target, ONNX, a, b, value.span)
        yield replace(row, bound=bound)


def _losses(
    training: Training, results: Mapping[str, TrainResult], expected: Sequence[Array]
) -> Iterator[Row]:
    """The first loss against the evaluator; the first step's other losses come after an update."""
    subject = f"train {training.name}"
    minimizes = [s for s in training.steps if isinstance(s, Minimize)]
    for target, result in results.items():
        for i, minimize in enumerate(minimizes):
            name = f"loss {i + 1}" if len(minimizes) > 1 else "loss"
            if i == 0:
                pair = np.array(result.losses[0][0]), np.array(expected[0])
                yield _row(subject, "loss", name, target, ONNX, *pair, minimize.span)
            elif target != next(iter(results)):
                other = next(iter(results))
                pair = np.array(result.losses[0][i]), np.array(results[other].losses[0][i])
                yield _row(subject, "loss", name, target, other, *pair, minimize.span)


def _gradients(training: Training, results: Results) -> Iterator[Row]:
    """Gradients of the first step, each target against the first."""
    for target, other, reference_result in _pairs(results):
        pairs = zip(other.gradients, reference_result.gradients, strict=True)
        for found, expected in pairs:
            for network, arrays in expected.items():
                largest = max(
                    (float(np.abs(a).max(initial=0.0)) for a in arrays.values()), default=0.0
                )
                yield from _rows(
                    training,
                    "gradients",
                    target,
                    next(iter(results)),
                    network,
                    found[network],
                    arrays,
                    CANCELLATION * largest,
                )


def _updates(training: Training, results: Results) -> Iterator[Row]:
    """Updated weights, each target against the first."""
    for target, other, reference_result in _pairs(results):
        for step in STEPS:
            quantity = f"weights after {step} step{'s' if step > 1 else ''}"
            for network, arrays in reference_result.weights[str(step)].items():
                found = other.weights[str(step)][network]
                yield from _rows(
                    training, quantity, target, next(iter(results)), network, found, arrays, 0.0
                )


def _pairs(results: Results) -> Iterator[tuple[str, TrainResult, TrainResult]]:
    """Every target but the first, with the first."""
    names = list(results)
    for name in names[1:]:
        yield name, results[name], results[names[0]]


def _rows(
    training: Training,
    quantity: str,
    target: str,
    other: str,
    network: str,
    found: Mapping[str, Array],
    expected: Mapping[str, Array],
    least: float,
) -> Iterator[Row]:
    spans = {
        w.path: node.span
        for n in training.networks
        if n.name == network
        for node in walk(n.model)
        for w in node.weights
    }
    prefix = f"{network}." if len(training.networks) > 1 else ""
    for path, b in expected.items():
        absolute, relative = difference(np.asarray(found[path]), np.asarray(b), least)
        yield Row(
            f"train {training.name}",
            quantity,
            prefix + path,
            target,
            other,
            absolute,
            relative,
            BOUNDS[quantity],
            spans.get(path),
        )


def _row(
    subject: str,
    quantity: str,
    tensor: str,
    target: str,
    other: str,
    a: Array,
    b: Array,
    span: Span | None,
) -> Row:
    absolute, relative = difference(np.asarray(a), np.asarray(b))
    return Row(subject, quantity, tensor, target, other, absolute, relative, BOUNDS[quantity], span)


def _first_difference(subject: Subject, target: Target, program: Program) -> Iterator[Culprit]:
    """Run the model again with every value as an output, in the order of evaluation."""
    probing, nodes = probe(subject.model)
    probed = replace(subject, model=probing)
    expected = reference.outputs(probing, subject.weights, subject.inputs)
    (found,), _ = _run(target, program, [probed], [], {}, {})
    for node, a, b in zip(nodes, found, expected, strict=True):
        _, relative = difference(a, b)
        if relative > OUTPUTS[cases.precision(subject.model)]:
            yield Culprit(subject.name, target.name, describe(node), relative, node.span)
            return
