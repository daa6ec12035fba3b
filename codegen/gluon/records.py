"""What the backward passes of a training step go through.

MXNet frees the record of a backward pass unless told to keep it; it complains about weights that an
update has no gradient for; and it moves the running statistics of a batch norm in the backward
pass: once for each pass that reaches it, the last application first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from codegen.python.dialect import Unsupported
from nnspec.catalogue.ops.elementwise import StopGradient
from nnspec.catalogue.ops.normalization import BatchNorm
from nnspec.graph.graph import Call, Node, Value, Weight, walk
from nnspec.graph.graph import weights as weights_of
from nnspec.graph.training import Minimize, Training, TrainStep


def reached(training: Training) -> dict[Minimize, list[Node | Call]]:
    """For each update the steps that its backward pass goes through, in order of evaluation."""
    found: dict[Minimize, list[Node | Call]] = {}
    for i, step in enumerate(training.steps):
        if isinstance(step, Minimize):
            found[step] = _back(training.steps[:i], {step.loss})[0]
    return found


def _back(
    steps: Sequence[TrainStep], wanted: set[Value]
) -> tuple[list[Node | Call], set[str], set[Value]]:
    """Steps on the way back from values, weights there (a network's name first), values at the start."""
    passed: list[Node | Call] = []
    weights: set[str] = set()
    wanted = set(wanted)
    for step in reversed(steps):
        if isinstance(step, Minimize) or not wanted.intersection(step.outputs):
            continue
        if isinstance(step, Node):
            if isinstance(step.op, StopGradient):
                continue
            weights |= {w.path for w in step.weights}
            weights |= {v.path for v in step.inputs if isinstance(v, Weight)}
            wanted.update(step.inputs)
        else:
            inside = {v for v, outer in zip(step.body.outputs, step.outputs) if outer in wanted}
            _, held, starts = _back(step.body.steps, inside)
            prefix = f"{step.layer}." if step.body.kind == "model" and not step.body.path else ""
            weights |= {prefix + path for path in held}
            wanted |= {v for v, inner in zip(step.inputs, step.body.inputs) if inner in starts}
        passed.append(step)
    return passed[::-1], weights, wanted


def some_unreached(training: Training, update: Minimize) -> bool:
    """Whether an update is over weights that its loss does not depend on."""
    before = training.steps[: training.steps.index(update)]
    _, found, _ = _back(before, {update.loss})
    networks = {n.name: n.model for n in training.networks}
    for name, *inner in update.over:
        place = ".".join(inner)
        for weight in weights_of(networks[name]):
            within = not inner or weight.path == place or weight.path.startswith(place + ".")
            if weight.trainable and within and f"{name}.{weight.path}" not in found:
                return True
    return False


def kept_graphs(training: Training) -> set[Minimize]:
    """Updates after which a later one goes through the same steps again."""
    paths = list(reached(training).items())
    return {
        minimize
        for i, (minimize, steps) in enumerate(paths)
        if any(set(steps) & set(later) for _, later in paths[i + 1 :])
    }


def refuse_stale_weights(training: Training) -> None:
    """A backward pass through a network that has been updated since would use the new weights."""
    for update, passed in reached(training).items():
        end = training.steps.index(update)
        for call in passed:
            between = training.steps[training.steps.index(call) + 1 : end]
            for other in between:
                if isinstance(other, Minimize) and call.layer in {path[0] for path in other.over}:
                    raise Unsupported(
                        f"a gradient through `{call.layer}` as it was before an update of it",
                        update.span,
                        "Gluon",
                        "its weights change in place; apply the network again after the update",
                    )


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
