"""What gradients flow through in a training program: one analysis for the compiler and every target.

A gradient goes back from a loss through every step that leads from a weight to it, into the blocks, and not
through `stop_gradient`. Weights are told by their place: the network's name, and their path in it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from nnspec.catalogue.ops.elementwise import StopGradient
from nnspec.graph.graph import Call, Node, Step, Value, Weight, weights
from nnspec.graph.training import Gradient, Minimize, Network, Training, TrainStep

Place = tuple[str, str]


@dataclass(frozen=True)
class Passage:
    """A step that a gradient goes back through, and the weights that it reaches in this step."""

    step: Step
    weights: frozenset[Place]


@dataclass(frozen=True)
class Stale:
    """A gradient that goes through a step as it was before an update of its weights.

    gradient: of an update, or a `grad`; step: what reads the weights; between: the update that came after it.
    """

    gradient: Minimize | Node
    step: Step
    between: Minimize

    @property
    def name(self) -> str:
        """Of the network, function or op that reads the weights."""
        step = self.step
        return step.op.name if isinstance(step, Node) else step.layer or step.body.name


def passages(
    steps: Sequence[TrainStep], roots: Iterable[Value], networks: Sequence[Network]
) -> list[Passage]:
    """What a gradient from the roots goes back through, in order of evaluation."""
    passed: list[Passage] = []
    wanted = set(roots)
    for step in reversed(steps):
        if not isinstance(step, (Node, Call)) or wanted.isdisjoint(step.outputs):
            continue
        inside, sources = _through(step, wanted)
        operands = {w for w in sources if isinstance(w, Weight) and w.trainable}
        places = {(owner(networks, w).name, w.path) for w in operands}
        places |= {(step.layer or "", w.path) for w in inside}
        passed.append(Passage(step, frozenset(places)))
        wanted |= sources
    return list(_leading_to_weights(reversed(passed)))


def _through(step: Step, wanted: Collection[Value]) -> tuple[set[Weight], set[Value]]:
    """Weights that a gradient of the wanted results reaches inside a step, and the inputs by which it goes on."""
    if isinstance(step, Call):
        inside = {
            v for v, own in zip(step.body.outputs, step.outputs, strict=True) if own in wanted
        }
        left = _back(step.body.steps, inside)
        while before := _step_before(step, left):
            left = _back(step.body.steps, left | before)
        entries = zip(step.inputs, step.body.inputs, strict=True)
        found = {v for v in left if isinstance(v, Weight) and v.trainable}
        return found, {own for own, v in entries if v in left}
    if isinstance(step.op, StopGradient):
        return set(), set()
    return {w for w in step.weights if w.trainable}, {v for v in step.inputs if v.type.is_float}


def _step_before(call: Call, left: Collection[Value]) -> set[Value]:
    """What came out of a loop the step before, where a gradient goes on to it and did not yet."""
    states = call.loop.states if call.loop else ()
    inputs, outputs = call.body.inputs, call.body.outputs
    return {outputs[o] for i, o in states if inputs[i] in left and outputs[o] not in left}


def _back(steps: Sequence[Step], wanted: set[Value]) -> set[Value]:
    """Everything in a body that a gradient of the wanted values reaches, weights among it."""
    for step in reversed(steps):
        if not wanted.isdisjoint(step.outputs):
            inside, sources = _through(step, wanted)
            wanted |= inside
            wanted |= sources
    return wanted


def _leading_to_weights(passed: Iterable[Passage]) -> Iterator[Passage]:
    """Without steps on the batch alone, whose gradients nobody wants."""
    led: set[Value] = set()
    for passage in passed:
        if passage.weights or not led.isdisjoint(passage.step.inputs):
            led |= set(passage.step.outputs)
            yield passage


def way_of(gradient: Gradient, before: Sequence[TrainStep]) -> Iterator[Step]:
    """The steps from the tensor of `grad(loss, x)` to its loss, of those before it."""
    wanted, back = {gradient.loss}, set[Step]()
    for step in reversed(before):
        if isinstance(step, (Node, Call)) and not wanted.isdisjoint(step.outputs):
            wanted.update(step.inputs)
            back.add(step)
    reached = {gradient.wrt}
    for step in before:
        if not isinstance(step, (Node, Call)) or step not in back:
            continue
        stops = isinstance(step, Node) and isinstance(step.op, StopGradient)
        if not stops and not reached.isdisjoint(step.inputs):
            reached.update(step.outputs)
            yield step


def owner(networks: Sequence[Network], weight: Weight) -> Network:
    """The network that a weight belongs to."""
    for network in networks:
        if any(w is weight for w in weights(network.model)):
            return network
    raise KeyError(weight.path)


def named(network: Network, path: Sequence[str]) -> tuple[Weight, ...]:
    """The weights that a path in a network leads to: all, those of a part, or one."""
    place = ".".join(path)
    return tuple(
        w
        for w in weights(network.model)
        if not place or w.path == place or w.path.startswith(place + ".")
    )


class Flow:
    """The analysis of one program; each answer is worked out once."""

    def __init__(self, training: Training) -> None:
        self.training = training
        self.updates = tuple(s for s in training.steps if isinstance(s, Minimize))

    @cached_property
    def _passages(self) -> dict[Minimize, list[Passage]]:
        steps, networks = self.training.steps, self.training.networks
        return {u: passages(steps[: steps.index(u)], [u.loss], networks) for u in self.updates}

    @cached_property
    def _back(self) -> dict[Minimize | Node, list[Passage]]:
        """What every derivative goes back through: an update's, and a `grad`'s."""
        steps, networks = self.training.steps, self.training.networks
        ways: dict[Minimize | Node, list[Passage]] = {}
        for place, step in enumerate(steps):
            if isinstance(step, Minimize):
                ways[step] = self._passages[step]
            elif isinstance(step, Gradient):
                way = set(way_of(step, steps[:place]))
                back = passages(steps[:place], [step.loss], networks)
                ways[step] = [p for p in back if p.step in way]
        return ways

    def through(self, update: Minimize) -> tuple[Step, ...]:
        """Steps that the gradient of an update goes back through, in order of evaluation."""
        return tuple(p.step for p in self._passages[update])

    def reached(self, update: Minimize) -> frozenset[Place]:
        """Weights that the loss of an update depends on."""
        return frozenset(place for p in self._passages[update] for place in p.weights)

    def updated(self, update: Minimize) -> frozenset[Place]:
        """Weights that an update is over, without the frozen ones."""
        return self.places(update.over) - self.places(self.training.frozen)

    def places(self, paths: Iterable[tuple[str, ...]]) -> frozenset[Place]:
        """Trained weights that paths lead to."""
        networks = {n.name: n for n in self.training.networks}
        return frozenset(
            (name, weight.path)
            for name, *path in paths
            for weight in named(networks[name], path)
            if weight.trainable
        )

    def again(self, update: Minimize) -> tuple[Step, ...]:
        """Steps of an update's gradient that a later one goes through too."""
        later = self.training.steps[self.training.steps.index(update) + 1 :]
        back = self._back
        shared = {p.step for other in later if other in back for p in back[other]}
        return tuple(step for step in self.through(update) if step in shared)

    def stale(self) -> Iterator[Stale]:
        """Gradients through weights as they were before an update: they are others by then."""
        steps = self.training.steps
        for gradient, passed in self._back.items():
            for passage in passed:
                start = steps.index(passage.step)
                for between in steps[start + 1 : steps.index(gradient)]:
                    if isinstance(between, Minimize) and passage.weights & self.updated(between):
                        yield Stale(gradient, passage.step, between)
