"""What a target has to do to be compared with the definition, and what its results say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from codegen.target import Target
from nnspec.driver import worker
from nnspec.driver.verify.definition import Derived, Trained
from nnspec.driver.verify.jobs import Module
from nnspec.driver.verify.report import Row
from nnspec.driver.verify.rows import derived_rows, loss_rows, single_rows, step_rows
from nnspec.graph.graph import Graph, Program
from nnspec.graph.training import Training
from nnspec.graph.weight_map import Array

SINGLE_STEP = (1,)
LONG = 100


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


def _in_f32(course: Course) -> tuple[int, ...]:
    """After how many steps a course is looked at in f32: for its loss, and where it is long for its weights."""
    return SINGLE_STEP if max(course.at) < LONG else (max(course.at),)


Found = tuple[list[list[Array]], list[Row]]
"""Outputs of the subjects in f32, and rows on all that is compared in f64."""


class Bench:
    """What a target has to do for one program, in files of a folder, and how its results are read."""

    def __init__(
        self,
        target: Target,
        program: Program,
        subjects: Sequence[Subject],
        courses: Sequence[Course],
        folder: str,
    ) -> None:
        self.target, self.subjects, self.courses = target, subjects, courses
        models = replace(program, models=tuple(s.model for s in subjects), trainings=())
        steps = replace(program, models=(), trainings=tuple(c.training for c in courses))
        self.jobs: list[worker.Job] = []
        if subjects:
            self.module = Module(target, models, folder, "models")
            self.exact = Module(target, models, folder, "exact_models", exact=True)
            self.jobs += [self.module.predict(s.model, s.weights, s.inputs) for s in subjects]
            self.jobs += [
                self.exact.differentiate(s.model, s.weights, s.inputs, s.projections)
                for s in subjects
                if s.derived
            ]
        if courses:
            self.programs = Module(target, steps, folder, "steps")
            self.exact_programs = Module(target, steps, folder, "exact_steps", exact=True)
            for c in courses:
                single = self.programs.train(c.training, c.weights, c.batches, _in_f32(c))
                exact = self.exact_programs.train(c.training, c.weights, c.batches, c.at)
                self.jobs += [single, exact]

    def read(self, results: Iterator[Any]) -> Found:
        """What the jobs gave, in order; results of other jobs may follow."""
        subjects, target = self.subjects, self.target
        outputs = [self.module.outputs(s.model, next(results)) for s in subjects]
        rows: list[Row] = []
        for s in subjects:
            if s.derived:
                derived = self.exact.derived(s.model, next(results))
                rows += derived_rows(s.model, target, derived, s.derived)
        for c in self.courses:
            single = self.programs.trained(c.training, next(results))
            trained = self.exact_programs.trained(c.training, next(results))
            rows += loss_rows(c.training, target.name, single.losses[0], c.expected)
            rows += step_rows(c.training, target, trained, c.expected)
            if _in_f32(c) != SINGLE_STEP:
                rows += single_rows(c.training, target, single, c.expected)
        return outputs, rows
