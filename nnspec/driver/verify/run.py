"""Run every installed target on the same weights and inputs, and compare each with the definition."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from codegen.target import Target
from nnspec.core.files import write_files
from nnspec.driver import worker
from nnspec.driver.verify import cases, definition
from nnspec.driver.verify.bench import Bench, Course, Found, Subject
from nnspec.driver.verify.jobs import Module
from nnspec.driver.verify.probe import describe, probe
from nnspec.driver.verify.report import (
    DEFINITION,
    OUTPUTS,
    Culprit,
    Report,
    Row,
    difference,
)
from nnspec.driver.verify.rows import output_rows
from nnspec.graph.graph import Graph, Program
from nnspec.graph.passes.freeze_random import freeze_graph, freeze_training, random_nodes
from nnspec.graph.training import Training
from nnspec.graph.weight_map import Array
from nnspec.report.diagnostics import SpecError

STEPS = (1, 10)
LONG = (1, 10, 100)
Say = Callable[[str], None]


@dataclass(frozen=True)
class Trial:
    """A program with what it ought to give, and what has been found of it."""

    program: Program
    subjects: tuple[Subject, ...]
    courses: tuple[Course, ...]
    left_out: dict[str, str]
    notes: list[str]
    rows: list[Row]
    culprits: list[Culprit]

    def report(self, targets: Sequence[Target]) -> Report:
        names = (DEFINITION, *(t.name for t in targets if t.name not in self.left_out))
        return Report(
            self.program.path,
            names,
            tuple(self.rows),
            self.left_out,
            tuple(self.culprits),
            tuple(self.notes),
        )


def verify(
    program: Program,
    targets: Sequence[Target],
    *,
    skipped: Mapping[str, str] | None = None,
    seed: int = 0,
    at: tuple[int, ...] = STEPS,
    say: Say = lambda text: None,
) -> Report:
    """Compare targets with the definition.

    targets: those that are installed. skipped: targets left out, with the reason, for the report.
    at: after how many optimizer steps weights are compared; `LONG` does so in f32 too. say: told what is done next.
    """
    (report,) = verify_all([program], targets, skipped=skipped, seed=seed, at=at, say=say)
    return report


def verify_all(
    programs: Sequence[Program],
    targets: Sequence[Target],
    *,
    skipped: Mapping[str, str] | None = None,
    seed: int = 0,
    at: tuple[int, ...] = STEPS,
    say: Say = lambda text: None,
) -> list[Report]:
    """The same of many programs, in one process a target: for small ones, whose arrays are all held at once."""
    say("the definition")
    trials = [_trial(program, skipped or {}, seed, at) for program in programs]
    for target in targets:
        say(target.name)
        for trial, found in zip(trials, _found(target, trials), strict=True):
            if isinstance(found, SpecError):
                trial.left_out[target.name] = found.diagnostics[0].message
                continue
            outputs, more = found
            trial.rows.extend(more)
            for subject, arrays in zip(trial.subjects, outputs, strict=True):
                fresh = list(output_rows(subject.model, target.name, arrays, subject.outputs))
                trial.rows.extend(fresh)
                if not all(row.agrees for row in fresh):
                    say(f"{target.name}: the first node that differs in {subject.model.name}")
                    trial.culprits.extend(_first_difference(subject, target, trial.program))
            trial.notes.extend(_faults(target, trial.rows))
    return [trial.report(targets) for trial in trials]


def _trial(program: Program, skipped: Mapping[str, str], seed: int, at: tuple[int, ...]) -> Trial:
    notes: list[str] = []
    subjects = tuple(_subject(m, seed) for m in program.models if not _draws(m, notes))
    courses = tuple(_course(freeze_training(t), seed, at) for t in program.trainings)
    return Trial(program, subjects, courses, dict(skipped), notes, [], [])


def _draws(model: Graph, notes: list[str]) -> bool:
    drawn = [n.op.name for n in random_nodes(model)]
    if drawn:
        notes.append(f"model {model.name} draws at random ({drawn[0]}): outputs not compared")
    return bool(drawn)


def _faults(target: Target, rows: Sequence[Row]) -> Iterator[str]:
    """The faults of a framework for which a row had a bound of its own."""
    reasons = {reason for r in rows if r.target == target.name for reason in r.faults}
    named = [f for f in target.faults if f.reason in reasons]
    yield from dict.fromkeys(f"{target.name}: {f.reason} (bound {f.bound:.0e})" for f in named)


def _subject(model: Graph, seed: int) -> Subject:
    model = freeze_graph(model)
    sizes = cases.symbol_sizes(model.inputs, model.steps)
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


def _found(target: Target, trials: Sequence[Trial]) -> list[Found | SpecError]:
    """What a target makes of each program, or why it cannot (E0704); one process for all."""
    found: list[Found | SpecError] = []
    prepared: list[tuple[int, Bench]] = []
    with tempfile.TemporaryDirectory(prefix="nnspec-") as folder:
        for number, trial in enumerate(trials):
            own = Path(folder) / str(number)
            own.mkdir()
            try:
                if target.holds_weights:
                    found.append((_onnx(target, trial.subjects), []))
                else:
                    prepared.append(
                        (
                            number,
                            Bench(target, trial.program, trial.subjects, trial.courses, str(own)),
                        )
                    )
                    found.append(([], []))
            except SpecError as error:
                if any(d.code != "E0704" for d in error.diagnostics):
                    raise
                found.append(error)
        jobs = [job for _, bench in prepared for job in bench.jobs]
        results = iter(worker.run(target.name, jobs) if jobs else ())
    for number, bench in prepared:
        found[number] = bench.read(results)
    return found


def _onnx(target: Target, subjects: Sequence[Subject]) -> list[list[Array]]:
    """Outputs of model files with weights inside, in the runtime that users run them with."""
    from nnspec.driver import inference

    outputs: list[list[Array]] = []
    for subject in subjects:
        inside: dict[str, Any] = {"weights": {subject.model: subject.weights}}
        program = Program((subject.model,))
        emitted = target.emit(program, stem="model", provenance="nnspec verify", **inside)
        with tempfile.TemporaryDirectory(prefix="nnspec-") as folder:
            write_files({Path(folder) / name: c for name, c in emitted.files.items()})
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
