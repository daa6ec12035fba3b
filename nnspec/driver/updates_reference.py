"""Optimizers and schedules on the targets: which class stands for each, and how far it was from the definition."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache

from codegen import TARGETS
from codegen.target import Target
from nnspec.driver.deviations import FOLDER
from nnspec.driver.verify.updates import OPTIMIZERS, SCHEDULES, Case, cases, compiled
from nnspec.graph.training import Minimize
from nnspec.graph.updates import Update

PATH = FOLDER / "updates.json"
TITLES = {"pytorch": "PyTorch", "keras": "Keras", "gluon": "Gluon"}
WRITTEN = "from the block"


@cache
def recorded() -> Mapping[str, Mapping[str, Mapping[str, float]]]:
    """By a case as it is written, a target and a precision: the deviation after a hundred steps."""
    found: dict[str, dict[str, dict[str, float]]] = json.loads(PATH.read_text())
    return found


def page(head: str) -> str:
    """Of the documentation."""
    every = [(case, update_of(case)) for case in cases()]
    lines = [
        head, "", "# Optimizers and schedules on the targets", "",
        "Which class stands for an optimizer in each framework (the framework's own, or a class of the generated file"
        " that repairs what the framework means otherwise), or that it is written from the block; then the greatest"
        " deviation of a weight, of its scale, after 100 steps of a small network, in f64 and in f32. Each optimizer"
        " runs with each schedule; decay, clipping, accumulation and `every` change from run to run (`nnspec verify"
        " --train`).", "",
        f"| optimizer | {' | '.join(TITLES.values())} |", f"| --- |{' --- |' * len(TITLES)}",
    ]  # fmt: skip
    for name in OPTIMIZERS:
        own = [(case, update) for case, update in every if case.optimizer == name]
        lines.append(f"| `{name}` | {' | '.join(_cell(own, t) for t in TITLES)} |")
    lines += [
        "", "A schedule of the learning rate is a function of the step, which the framework's class is told; where"
        " another parameter changes, or the framework's velocities hold the rates of their steps, the optimizer is"
        " written from its block. The greatest deviation with each schedule:", "",
        f"| schedule | {' | '.join(TITLES.values())} |", f"| --- |{' --- |' * len(TITLES)}",
    ]  # fmt: skip
    for name in filter(None, SCHEDULES):
        own = [(case, update) for case, update in every if case.schedule == name]
        lines.append(f"| `{name}` | {' | '.join(_deviation(own, t) for t in TITLES)} |")
    lines += ["", "Where a figure in f64 is above 1e-9, the framework is the cause:", ""]
    lines += dict.fromkeys(
        f"- {f.reason}." for t in TITLES for f in TARGETS[t].faults if isinstance(f.of, str)
    )
    return "\n".join([*lines, ""])


def update_of(case: Case) -> Update:
    """The optimizer of a case's program."""
    (training,) = compiled(case).trainings
    return next(s.update for s in training.steps if isinstance(s, Minimize))


Own = Iterable[tuple[Case, Update]]


def _cell(own: Own, target: str) -> str:
    own = list(own)
    classes = dict.fromkeys(_class(TARGETS[target], update) for _, update in own)
    return f"{', '.join(classes)}<br>{_deviation(own, target)}"


def _class(target: Target, update: Update) -> str:
    call = target.native_optimizer(update)
    return WRITTEN if call is None else f"`{call}`"


def _deviation(own: Own, target: str) -> str:
    rows = [recorded()[case.written][target] for case, _ in own]
    return ", ".join(f"{max(row[p] for row in rows):.0e}" for p in ("f64", "f32"))
