"""Work derivatives out: each `grad(loss, x)` of a training program becomes the call of a function.

For a target whose framework does not derive what it has derived. Contract: the function takes `x`, the weights of
networks on the way from it to the loss, and what else is read there; it goes that way again and back, by primitives
that are derived like any others. A step that only led to a derivative vanishes with it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace

from nnspec.catalogue.ops.base import ShapeError
from nnspec.graph.derivative import gradients
from nnspec.graph.flow import Flow, owner, way_of
from nnspec.graph.graph import Call, Graph, Node, Step, Value, Weight
from nnspec.graph.graph import weights as weights_of
from nnspec.graph.passes.drop_dead import drop_dead
from nnspec.graph.passes.fold_numbers import fold_numbers
from nnspec.graph.site import GraphSite
from nnspec.graph.training import Gradient, Minimize, Repeat, Training, TrainStep

DOC = "The derivative of a number by `x`, worked out so that it can be derived itself."


@dataclass(frozen=True)
class NotDerived(Exception):
    """A derivative that no function can stand for, with the reason."""

    gradient: Gradient
    reason: str


def derive(training: Training) -> Training:
    """The program without `Gradient`; raises `NotDerived`."""
    if not any(isinstance(step, Gradient) for step in training.steps):
        return training
    steps: list[TrainStep] = []
    led: set[Step] = set()
    for step in training.steps:
        if isinstance(step, Gradient):
            way = list(way_of(step, steps))
            _check_weights(step, way, training)
            led.update(way)
            steps.append(_call(step, way, training))
        else:
            steps.append(step)
    return replace(training, steps=tuple(_read(steps, led, training))[::-1])


def _check_weights(gradient: Gradient, way: Sequence[Step], training: Training) -> None:
    """The function reads weights where the derivative stands: they are those that the way was gone with."""
    flow, steps = Flow(training), training.steps
    for step in way:
        read = {w for w in step.inputs if isinstance(w, Weight)}
        places = {(owner(training.networks, w).name, w.path) for w in read}
        if isinstance(step, Call):
            places |= {(step.layer, w.path) for w in weights_of(step.body)}
        between = steps[_place(steps, step) : steps.index(gradient)]
        if any(isinstance(s, Minimize) and places & flow.updated(s) for s in between):
            raise NotDerived(gradient, "weights on the way to the loss are updated before it")


def _place(steps: Sequence[TrainStep], step: Step) -> int:
    """Where a step stands; a call in place of a derivative, where that stood."""
    return next(
        i for i, s in enumerate(steps) if isinstance(s, (Node, Call)) and s.outputs == step.outputs
    )


def _call(gradient: Gradient, way: Sequence[Step], training: Training) -> Call:
    for node, path in (each for step in way for each in _nodes(step, ())):
        is_frozen = any(path[: len(part)] == part for part in training.frozen)
        if node.op.stochastic and not (node.op.modal and is_frozen):
            raise NotDerived(
                gradient,
                f"`{node.op.name}` on the way to the loss draws anew when it is gone again",
            )
        if node.op.modal and not is_frozen:
            raise NotDerived(
                gradient,
                f"`{node.op.name}` on the way to the loss means something else in evaluation",
            )
    function = _Function(gradient)
    try:
        body = function.body(way)
    except (
        ShapeError
    ):  # an op's expansion, or a cell along time, needs a number where a size is symbolic
        raise NotDerived(
            gradient, "a step on the way to the loss needs sizes that are numbers"
        ) from None
    return Call(body, tuple(function.given), (gradient.output,), "", gradient.span, gradient.doc)


def _nodes(step: Step, path: tuple[str, ...]) -> Iterator[tuple[Node, tuple[str, ...]]]:
    """The nodes of a step, each with its place in the networks of the program."""
    path = (*path, *(step.layer or "").split("."))
    if isinstance(step, Node):
        yield step, path
    else:
        for inner in step.body.steps:
            yield from _nodes(inner, path)


@dataclass
class _Function:
    """given: for what the caller hands over, the parameter that takes it."""

    gradient: Gradient
    given: dict[Value, Value] = field(default_factory=dict)
    site: GraphSite = field(default_factory=GraphSite)

    def body(self, way: Sequence[Step]) -> Graph:
        wrt = self.gradient.wrt
        self.take(wrt, "x")
        made = {v for step in way for v in step.outputs}
        networks = list(dict.fromkeys(s.layer for s in way if isinstance(s, Call) and s.layer))
        for step in way:
            for value in step.inputs:
                if value not in made:
                    self.take(value, value.path if isinstance(value, Weight) else value.name)
            for weight in weights_of(step.body) if isinstance(step, Call) else ():
                self.take(weight, f"{step.layer}.{weight.path}" if networks[1:] else weight.path)
            self.site.replay(step)
        (flow,) = gradients(self.site, self.site.term(self.gradient.loss), [self.site.term(wrt)])
        graph = Graph(
            name="_".join([*map(str.lower, networks), "derivative"]),
            inputs=tuple(self.given.values()),
            steps=tuple(self.site.steps),
            outputs=(self.site.value(flow),),
            output_names=("y",),
            kind="function",
            span=self.gradient.span,
            doc=DOC,
        )
        return self.without_unread(drop_dead(fold_numbers(graph)))

    def take(self, value: Value, name: str | None) -> None:
        """Have the caller hand a value over."""
        if value not in self.given:
            named = name and name.replace(".", "_")
            self.given[value] = parameter = Value(value.type, named, value.span)
            self.site.bind(value, self.site.term(parameter))

    def without_unread(self, graph: Graph) -> Graph:
        """The function without weights that it does not need."""
        read = {v for step in graph.steps for v in step.inputs}
        self.given = {v: p for v, p in self.given.items() if p in read or not isinstance(v, Weight)}
        return replace(graph, inputs=tuple(self.given.values()))


def _read(
    steps: Sequence[TrainStep], led: Collection[Step], training: Training
) -> Iterator[TrainStep]:
    """The steps, last first, without those that led to derivatives and to nothing else."""
    wanted = {m.value for m in training.metrics}
    for step in reversed(steps):
        if isinstance(step, Minimize):
            wanted.add(step.loss)
        elif isinstance(step, Repeat):
            pass
        elif step in led and wanted.isdisjoint(step.outputs):
            continue
        else:
            wanted.update(step.inputs)
        yield step
