"""What a target's runtime is asked to do with a generated training program, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass, field

from codegen.target import ProgramNames
from nnspec.graph.weight_map import Array

Weights = dict[str, dict[str, Array]]


@dataclass(frozen=True)
class TrainRequest:
    """What `runtime.train` is asked to do.

    functions: of the program, in the generated module.
    networks: (name in the program, class in the generated module), in order.
    columns: names of the batch's columns.
    losses: how many the program has, one for each `minimize`.
    updates: how many the first step makes (those of a loop over and over; one that is made on `every` fifth
        step waits).
    at: after which steps (from 1) the weights are returned; the last one ends the run.
    dtype: "f32" or "f64", what floats are where the generated text says nothing.
    """

    functions: ProgramNames
    networks: tuple[tuple[str, str], ...]
    columns: tuple[str, ...]
    losses: int = 1
    updates: int = 1
    at: tuple[int, ...] = (1, 10)
    dtype: str = "f32"


@dataclass(frozen=True)
class TrainResult:
    """What came of it, in native names and layouts.

    losses: for each step, the loss of each `minimize`, of a loop's last pass.
    gradients: of the first step, for each update that it makes: those of the networks that it moves.
    weights: after each step of `at` (keys are the step as text).
    """

    losses: list[list[float]]
    gradients: list[Weights]
    weights: dict[str, Weights] = field(default_factory=dict)
