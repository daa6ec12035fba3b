"""Whether MXNet's backward passes move the statistics of batch norms as the language says.

It moves them in the backward pass: once for each pass that goes through an application, the last
application first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from nnspec.catalogue.ops.normalization import BatchNorm
from nnspec.graph.flow import Flow
from nnspec.graph.graph import Call, Node
from nnspec.graph.training import Training


def moves_once(training: Training) -> bool:
    """Whether every batch norm is reached by one backward pass for each of its applications, and by
    each pass for one application only."""
    flow = Flow(training)
    applied: Counter[str] = Counter()
    passed: Counter[str] = Counter()
    for step in training.steps:
        if isinstance(step, Call):
            applied.update(_norms(step))
    for update in flow.updates:
        calls = (s for s in flow.through(update) if isinstance(s, Call))
        here = Counter(norm for call in calls for norm in _norms(call))
        if any(count > 1 for count in here.values()):
            return False
        passed += here
    return applied == passed


def _norms(call: Call) -> Iterator[str]:
    for node in _applied(call):
        if isinstance(node.op, BatchNorm):
            yield f"{call.layer}.{node.weights[-1].path}"


def _applied(call: Call) -> Iterator[Node]:
    """Each node as often as it is applied; what is applied along time, twice: more than once."""
    for step in call.body.steps:
        if isinstance(step, Node):
            yield step
        else:
            for _ in range(1 if step.loop is None else 2):
                yield from _applied(step)
