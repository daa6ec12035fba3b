"""What the backward passes of a training step go through.

MXNet frees the record of a backward pass unless told to keep it, and moves the running statistics
of a batch norm in the backward pass: once for each pass that reaches it, the last application first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from nnspec.graph import Call, Node, Value, walk
from nnspec.ops.elementwise import StopGradient
from nnspec.ops.normalization import BatchNorm
from nnspec.training.program import Minimize, Training


def reached(training: Training) -> dict[Minimize, list[Node | Call]]:
    """For each update the steps that its backward pass goes through, in order of evaluation."""
    makers: dict[Value, Node | Call] = {}
    found: dict[Minimize, list[Node | Call]] = {}
    for step in training.steps:
        if not isinstance(step, Minimize):
            makers.update(dict.fromkeys(step.outputs, step))
            continue
        seen: set[Node | Call] = set()
        waiting = [step.loss]
        while waiting:
            maker = makers.get(waiting.pop())
            if maker is None or maker in seen:
                continue
            if isinstance(maker, Node) and isinstance(maker.op, StopGradient):
                continue
            seen.add(maker)
            waiting.extend(maker.inputs)
        found[step] = [s for s in training.steps if s in seen and not isinstance(s, Minimize)]
    return found


def kept_graphs(training: Training) -> set[Minimize]:
    """Updates after which a later one goes through the same steps again."""
    paths = list(reached(training).items())
    return {
        minimize
        for i, (minimize, steps) in enumerate(paths)
        if any(set(steps) & set(later) for _, later in paths[i + 1 :])
    }


def moves_once(training: Training) -> bool:
    """Whether every batch norm is reached by one backward pass for each of its applications, and by
    each pass for one application only; then MXNet moves its statistics as the language says."""
    applied: Counter[str] = Counter()
    passed: Counter[str] = Counter()
    for step in training.steps:
        if isinstance(step, Call):
            applied.update(_norms(step))
    for steps in reached(training).values():
        here = Counter(n for s in steps if isinstance(s, Call) for n in _norms(s))
        if any(count > 1 for count in here.values()):
            return False
        passed += here
    return applied == passed


def _norms(call: Call) -> Iterator[str]:
    for node in walk(call.body):
        if isinstance(node.op, BatchNorm):
            yield f"{call.layer}.{node.weights[-1].path}"
