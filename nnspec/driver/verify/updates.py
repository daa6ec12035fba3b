"""Small programs that take every update there is: optimizers, schedules, decay, clipping, accumulation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, product

from codegen.target import Target
from nnspec.compiler import compile_source
from nnspec.driver.verify.report import Report, Row
from nnspec.driver.verify.run import LONG, verify_all
from nnspec.graph.graph import Program
from nnspec.report.diagnostics import Reporter
from nnspec.report.source import Source

PROGRAM = """
model Net {{
  input x: f32[N, 4]
  output y = x -> Dense(5) -> LayerNorm -> tanh -> Dense(3)
}}

train Update {{
  net = Net()
  batch x: f32[N, 4], y: f32[N, 3]
  minimize mse(net(x), y) using {optimizer}
}}
"""

OPTIMIZERS: dict[str, tuple[float, tuple[str, ...]]] = {
    "SGD": (0.05, ("", "momentum = 0.9", "momentum = 0.9, nesterov = true")),
    "Adam": (0.01, ("",)),
    "AdamW": (0.01, ("",)),
    "Adamax": (0.01, ("",)),
    "Nadam": (0.01, ("",)),
    "RMSprop": (0.01, ("", "momentum = 0.5, centered = true, epsilon = 1e-3")),
    "Adagrad": (0.05, ("initial_accumulator = 0.1",)),
    "Adadelta": (1.0, ("",)),
    "Ftrl": (0.05, ("", "l1 = 1e-3, l2 = 1e-2, beta = 0.5")),
    "Lion": (0.002, ("",)),
    "LAMB": (0.01, ("",)),
}
"""Each optimizer of the library with a learning rate for the network above, and the uses of it that differ in kind."""

NO_DECAY = frozenset({"Ftrl"})
"""Optimizers without a `weight_decay`."""

SCHEDULES = {
    "": "{lr}",
    "Constant": "Constant({lr})",
    "StepDecay": "StepDecay({lr}, every = 20, factor = 0.5)",
    "MultiStep": "MultiStep({lr}, milestones = [5, 50], factor = 0.5)",
    "Exponential": "Exponential({lr}, factor = 0.5, every = 50)",
    "Cosine": "Cosine({lr}, steps = 90, warmup = 5, floor = 1e-4)",
    "Polynomial": "Polynomial({lr}, steps = 90, end = 1e-4, power = 2.0)",
    "OneCycle": "OneCycle({lr}, steps = 100)",
    "Warmup": "Warmup({lr}, steps = 10)",
    "InverseSqrt": "InverseSqrt({lr}, warmup = 10)",
}
"""A number, and each schedule of the library."""

DECAYS = ("", "weight_decay = 0.1", "weight_decay = 0.1, no_decay = [bias, norm]")
CLIPPING = ("", "clip_norm = 0.5", "clip_value = 0.1")
TURNS = ("", "accumulate = 3", "every = 2")


@dataclass(frozen=True)
class Case:
    """An optimizer of the library as a program uses it."""

    optimizer: str
    schedule: str
    written: str

    @property
    def text(self) -> str:
        return PROGRAM.format(optimizer=self.written)


@dataclass(frozen=True)
class Judged:
    """A case, and what its verification found."""

    case: Case
    report: Report

    def worst(self, target: str, precision: str) -> Row | None:
        """The weight after the last step that lies furthest from the definition's."""
        rows = [r for r in self.report.rows if r.target == target and r.quantity in LAST[precision]]
        return max(rows, key=lambda r: r.relative, default=None)


LAST = {"f64": ("weights after 100 steps",), "f32": ("weights after 100 steps in f32",)}
"""What tells how far a target is from the definition at the end."""


def judged(
    targets: Sequence[Target],
    chosen: Iterable[Case] | None = None,
    *,
    say: Callable[[str], None] = lambda text: None,
) -> Iterator[Judged]:
    """Cases, by default those of `cases`, on every target, weights after 1, 10 and 100 steps."""
    for name, group in groupby(cases() if chosen is None else chosen, lambda case: case.optimizer):
        own = list(group)

        def tell(text: str, name: str = name) -> None:
            say(f"{name}, {text}")

        programs = [compiled(case) for case in own]
        reports = verify_all(programs, targets, at=LONG, say=tell)
        yield from map(Judged, own, reports)


def shortest() -> list[Case]:
    """Each use of an optimizer once, and each schedule, with options of all kinds."""
    every = list(cases())
    width = len(SCHEDULES)
    return [every[row * width + row % width] for row in range(len(every) // width)]


def compiled(case: Case) -> Program:
    """Its training program alone: the network is no part of the question."""
    reporter = Reporter()
    program = compile_source(Source(case.written, case.text), reporter)
    reporter.raise_errors()
    return replace(program, models=())


def cases(*, every: bool = False) -> Iterator[Case]:
    """Each optimizer with each schedule, the other options in turn; or, with `every`, each with all others."""
    forms = [(name, lr, form) for name, (lr, each) in OPTIMIZERS.items() for form in each]
    for row, (name, lr, form) in enumerate(forms):
        decays = ("",) if name in NO_DECAY else DECAYS
        if every:
            for schedule, *options in product(SCHEDULES, decays, CLIPPING, TURNS):
                yield _case(name, lr, schedule, form, *options)
            continue
        for column, schedule in enumerate(SCHEDULES):
            options = [
                decays[(row + column) % len(decays)],
                CLIPPING[(row + 2 * column + column // 3) % len(CLIPPING)],
                TURNS[(2 * row + column + column // 3) % len(TURNS)],
            ]
            yield _case(name, lr, schedule, form, *options)


def _case(name: str, lr: float, schedule: str, *options: str) -> Case:
    given = ", ".join([SCHEDULES[schedule].format(lr=lr), *filter(None, options)])
    return Case(name, schedule, f"{name}({given})")
