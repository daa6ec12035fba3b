"""Run every installed target on the same weights and inputs, and compare each with the definition."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from codegen.target import Target
from nnspec.driver import worker
from nnspec.driver.verify import cases, definition
from nnspec.driver.verify.definition import Derived, Trained
from nnspec.driver.verify.jobs import Module
from nnspec.driver.verify.probe import describe, probe
from nnspec.driver.verify.report import (
    BOUNDS,
    DEFINITION,
    OUTPUTS,
    Culprit,
    Report,
    Row,
    difference,
)
from nnspec.driver.verify.rows import derived_rows, loss_rows, output_rows, step_rows
from nnspec.graph.graph import Graph, Program
from nnspec.graph.passes.freeze_random import freeze_graph, freeze_training, random_nodes
from nnspec.graph.training import Training
from nnspec.graph.weight_map import Array
from nnspec.report.diagnostics import SpecError

STEPS = (1, 10)
QUICK_STEPS = (1,)
Say = Callable[[str], None]


@dataclass(frozen=True)
class Subject:
    """A model with what it is run on, in the language's order of axes, and what it ought to give.

    projections: factors of its outputs, whose sum is differentiated. derived: None for a model of halves,
        whose gradients no two frameworks round alike.
    """

    model: Graph
    weights: dict[str, Array]
    inputs: list[Array]
    outputs: list[Array]
    projections: list[Array]
    derived: Derived | None


@dataclass(frozen=True)
class Course:
    """A training program with weights and batches, and what its steps ought to give."""

    training: Training
    weights: dict[str, dict[str, Array]]
    batches: list[list[Array]]
    at: tuple[int, ...]
    expected: Trained


def verify(
    program: Program,
    targets: Sequence[Target],
    *,
    skipped: Mapping[str, str] | None = None,
    seed: int = 0,
    quick: bool = False,
    say: Say = lambda text: None,
) -> Report:
    """Compare targets with the definition.

    targets: those that are installed. skipped: targets left out, with the reason, for the report.
    quick: one optimizer step instead of ten. say: told what is done next.
    """
    notes: list[str] = []
    left_out = dict(skipped or {})
    say("the definition")
    subjects = [_subject(m, seed) for m in program.models if not _draws(m, notes)]
    at = QUICK_STEPS if quick else STEPS
    courses = [_course(freeze_training(t), seed, at) for t in program.trainings]
    rows: list[Row] = []
    culprits: list[Culprit] = []
    for target in targets:
        say(target.name)
        try:
            if target.holds_weights:
                outputs = _onnx(target, subjects)
            else:
                outputs, more = _run(target, program, subjects, courses)
                rows += more
        except SpecError as error:
            if any(d.code != "E0704" for d in error.diagnostics):
                raise
            left_out[target.name] = error.diagnostics[0].message
            continue
        for subject, arrays in zip(subjects, outputs, strict=True):
            fresh = list(output_rows(subject.model, target.name, arrays, subject.outputs))
            rows += fresh
            if not all(row.agrees for row in fresh):
                say(f"{target.name}: the first node that differs in {subject.model.name}")
                culprits += _first_difference(subject, target, program)
        notes += _faults(target, rows)
    names = (DEFINITION, *(t.name for t in targets if t.name not in left_out))
    return Report(program.path, names, tuple(rows), left_out, tuple(culprits), tuple(notes))


def _draws(model: Graph, notes: list[str]) -> bool:
    drawn = [n.op.name for n in random_nodes(model)]
    if drawn:
        notes.append(f"model {model.name} draws at random ({drawn[0]}): outputs not compared")
    return bool(drawn)


def _faults(target: Target, rows: Sequence[Row]) -> Iterator[str]:
    """The faults of a framework for which a row had a bound of its own."""
    own = [r for r in rows if r.target == target.name and r.bound > BOUNDS[r.quantity][1]]
    for fault in target.faults:
        if any(r.quantity in fault.quantities and r.bound == fault.bound for r in own):
            yield f"{target.name}: {fault.reason} (bound {fault.bound:.0e})"


def _subject(model: Graph, seed: int) -> Subject:
    model = freeze_graph(model)
    sizes = cases.symbol_sizes(model.inputs)
    generator = np.random.default_rng(seed)
    inputs = cases.inputs_of(model.inputs, model.steps, sizes, generator)
    weights = cases.weights_of(model, seed)
    outputs = definition.outputs(model, weights, inputs)
    projections = definition.projections(model, outputs, seed + 3)
    derived = None
    if cases.precision(model) in ("f32", "f64"):
        derived = definition.derived(model, weights, inputs, projections)
    return Subject(model, weights, inputs, outputs, projections, derived)


def _course(training: Training, seed: int, at: tuple[int, ...]) -> Course:
    weights = cases.networks_weights(training, seed)
    batches = list(cases.batches_of(training, max(at), seed + 2))
    return Course(
        training, weights, batches, at, definition.trained(training, weights, batches, at)
    )


def _run(
    target: Target, program: Program, subjects: Sequence[Subject], courses: Sequence[Course]
) -> tuple[list[list[Array]], list[Row]]:
    """Outputs of the subjects in f32, and rows on all that is compared in f64; one process for all."""
    models = replace(program, models=tuple(s.model for s in subjects), trainings=())
    steps = replace(program, models=(), trainings=tuple(c.training for c in courses))
    with tempfile.TemporaryDirectory(prefix="nnspec-") as folder:
        jobs: list[worker.Job] = []
        if subjects:
            module = Module(target, models, folder, "models")
            exact = Module(target, models, folder, "exact_models", exact=True)
            jobs += [module.predict(s.model, s.weights, s.inputs) for s in subjects]
            jobs += [
                exact.differentiate(s.model, s.weights, s.inputs, s.projections)
                for s in subjects
                if s.derived
            ]
        if courses:
            programs = Module(target, steps, folder, "steps")
            exact_programs = Module(target, steps, folder, "exact_steps", exact=True)
            for c in courses:
                single = programs.train(c.training, c.weights, c.batches[:1], QUICK_STEPS)
                jobs += [single, exact_programs.train(c.training, c.weights, c.batches, c.at)]
        results = iter(worker.run(target.name, jobs))
    outputs = [module.outputs(s.model, next(results)) for s in subjects]
    rows: list[Row] = []
    for s in subjects:
        if s.derived:
            found = exact.derived(s.model, next(results))
            rows += derived_rows(s.model, target, found, s.derived)
    for c in courses:
        single_result = programs.trained(c.training, next(results))
        result = exact_programs.trained(c.training, next(results))
        rows += loss_rows(c.training, target.name, single_result.losses[0], c.expected)
        rows += step_rows(c.training, target, result, c.expected)
    return outputs, rows


def _onnx(target: Target, subjects: Sequence[Subject]) -> list[list[Array]]:
    """Outputs of model files with weights inside, in the runtime that users run them with."""
    from nnspec.driver import inference

    outputs: list[list[Array]] = []
    with tempfile.TemporaryDirectory(prefix="nnspec-") as folder:
        for subject in subjects:
            inside: dict[str, Any] = {"weights": {subject.model: subject.weights}}
            program = Program((subject.model,))
            emitted = target.emit(program, stem="model", provenance="nnspec verify", **inside)
            for name, content in emitted.files.items():
                assert isinstance(content, bytes)
                (Path(folder) / name).write_bytes(content)
            engine = inference.load(Path(folder) / "model.onnx", "cpu")
            entry = emitted.models[subject.model]
            given = zip(engine.inputs, subject.inputs, entry.input_layouts, strict=True)
            results = engine.run({i.name: layout.there(a) for i, a, layout in given})
            layouts = entry.output_layouts
            outputs.append([x.back(a) for a, x in zip(results.values(), layouts, strict=True)])
    return outputs


def _first_difference(subject: Subject, target: Target, program: Program) -> Iterator[Culprit]:
    """Run the model again with every value as an output, in the order of evaluation."""
    probing, nodes = probe(subject.model)
    expected = definition.outputs(probing, subject.weights, subject.inputs)
    probed = replace(subject, model=probing, outputs=expected)
    if target.holds_weights:
        (found,) = _onnx(target, [probed])
    else:
        with tempfile.TemporaryDirectory(prefix="nnspec-") as folder:
            module = Module(target, replace(program, models=(probing,), trainings=()), folder, "m")
            (result,) = worker.run(
                target.name, [module.predict(probing, subject.weights, subject.inputs)]
            )
        found = module.outputs(probing, result)
    for node, a, b in zip(nodes, found, expected, strict=True):
        _, relative = difference(a, b)
        if relative > OUTPUTS[cases.precision(subject.model)]:
            yield Culprit(
                f"model {subject.model.name}", target.name, describe(node), relative, node.span
            )
            return
