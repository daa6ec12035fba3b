"""`grad(loss, x)` where a framework derives by tensors that it was told of before they were used."""

from __future__ import annotations

from dataclasses import replace

from nnspec.catalogue.ops.base import Operand
from nnspec.catalogue.ops.forms import Elementwise
from nnspec.core.declare import declaration
from nnspec.core.fields import internal
from nnspec.core.types import TensorType
from nnspec.graph.flow import way_of
from nnspec.graph.graph import Node, Value
from nnspec.graph.training import Derivative, Gradient, Minimize, Repeat, Training, TrainStep

TAPE = "inner"


@declaration
class Watched(Elementwise):
    """A tensor itself; what is made from it can be derived by it.

    tapes: names of those that note what is made from it, where a framework has such things.
    """

    name = "watched"
    hidden = True
    operands = (Operand("x"),)
    tapes: tuple[str, ...] = internal(default=())

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        return (inputs[0],)


@declaration
class Taped(Derivative):
    """A derivative that is read from a tape."""

    tape: str = internal(default="")


def watching(training: Training) -> Training:
    """The program with every tensor that is derived by watched from where its way to the loss begins."""
    gradients = [step for step in training.steps if isinstance(step, Gradient)]
    tapes = {g: f"{TAPE}_{i}" if i > 1 else TAPE for i, g in enumerate(gradients, 1)}
    begins: dict[TrainStep, list[Gradient]] = {}
    for gradient in gradients:
        begins.setdefault(_begin(training, gradient), []).append(gradient)
    known: dict[Value, Value] = {}
    steps: list[TrainStep] = []
    for step in training.steps:
        for wrt in dict.fromkeys(g.wrt for g in begins.get(step, ())):
            found = [g for g in begins[step] if g.wrt is wrt]
            watched = Value(wrt.type, None, wrt.span)
            op = Watched(tuple(tapes[g] for g in found))
            steps.append(Node(op, (known.get(wrt, wrt),), (watched,), span=found[0].span))
            known[wrt] = watched
        if isinstance(step, Repeat):
            steps.append(step)
            continue
        if isinstance(step, Minimize):
            steps.append(replace(step, loss=known.get(step.loss, step.loss)))
            continue
        changed = replace(step, inputs=tuple(known.get(v, v) for v in step.inputs))
        if isinstance(step, Gradient) and isinstance(changed, Gradient):
            changed = replace(changed, op=Taped(tapes[step]))
        steps.append(changed)
    metrics = tuple(replace(m, value=known.get(m.value, m.value)) for m in training.metrics)
    return replace(training, steps=tuple(steps), metrics=metrics) if gradients else training


def _begin(training: Training, gradient: Gradient) -> TrainStep:
    """The first step on the way from a tensor to the loss that is derived by it."""
    before = training.steps[: training.steps.index(gradient)]
    return next(way_of(gradient, before), gradient)
