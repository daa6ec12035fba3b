"""A training program, evaluated by its definition: steps, gradients, updates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from nnspec.catalogue.ops.site import Term
from nnspec.graph.derivative import gradients
from nnspec.graph.evaluate.arrays import Array, ArraySite
from nnspec.graph.evaluate.model import Interpreter
from nnspec.graph.graph import Graph, Value, Weight
from nnspec.graph.graph import weights as weights_of
from nnspec.graph.training import Minimize, Training
from nnspec.graph.updates import Schedule, Update

Place = tuple[str, str]
"""A network's name, and the path of a weight in it."""


@dataclass(frozen=True)
class Step:
    """What one step gave.

    losses: of each update, before it. gradients: for each update, of the weights that it moves.
    values: of the step's tensors, metrics among them.
    """

    losses: tuple[Array, ...]
    gradients: tuple[dict[Place, Array], ...]
    values: Mapping[Value, Array]


@dataclass
class History:
    """What an optimizer keeps of one weight: its states, and how many updates it has had."""

    states: dict[str, Array] = field(default_factory=dict)
    count: int = 0


@dataclass
class TrainingRun:
    """Weights and optimizer states, moved on by `step`.

    precision: "f64" computes all that is f32 in f64; None keeps the types as they are.
    """

    training: Training
    weights: dict[Place, Array]
    precision: str | None = None
    generator: np.random.Generator | None = None
    states: dict[tuple[Update, Place], History] = field(default_factory=dict)
    steps: int = 0

    def step(self, batch: Sequence[Array], *, training: bool = True) -> Step:
        """One step; `training = False` evaluates it instead, without updates."""
        site = ArraySite(training=training, generator=self.generator)
        interpreter = Interpreter(site, self.precision, frozen=self.training.frozen)
        interpreter.bind(self.training.batch, batch)
        places = self._bind_weights(interpreter)
        losses: list[Array] = []
        flows: list[dict[Place, Array]] = []
        self.steps += training
        for statement in self.training.steps:
            if not isinstance(statement, Minimize):
                interpreter.step(statement)
                continue
            losses.append(interpreter.terms[statement.loss].held)
            if training:
                flows.append(self._update(statement, interpreter, places))
        values = {v: t.held for v, t in interpreter.terms.items()}
        for weight, place in places.items():
            self.weights[place] = values[weight]
        return Step(tuple(losses), tuple(flows), values)

    def _bind_weights(self, interpreter: Interpreter) -> dict[Weight, Place]:
        places: dict[Weight, Place] = {}
        for network in self.training.networks:
            for weight in weights_of(network.model):
                places[weight] = network.name, weight.path
                interpreter.bind([weight], [self.weights[places[weight]]])
        return places

    def _update(
        self, update: Minimize, interpreter: Interpreter, places: Mapping[Weight, Place]
    ) -> dict[Place, Array]:
        """Move the weights that the update names; what follows sees the new ones."""
        frozen = self.training.frozen
        moved = [
            w
            for w, place in places.items()
            if w.trainable and named(update.over, place) and not named(frozen, place)
        ]
        terms = interpreter.terms
        site = interpreter.site
        flows = gradients(site, terms[update.loss], [terms[w] for w in moved])
        if self.steps % update.update.every == 0:
            for weight, flow in zip(moved, flows, strict=True):
                terms[weight] = self._moved(update.update, places[weight], terms[weight], flow)
        return {places[w]: f.held for w, f in zip(moved, flows, strict=True)}

    def _moved(self, update: Update, place: Place, weight: Term, flow: Term) -> Term:
        """The weight after an update, by the optimizer's rule."""
        rule = update.rule(weight.type)
        kept = self.states.setdefault((update, place), History())
        kept.count += 1
        # A site of its own: no later loss sends a gradient back through an update.
        inner = Interpreter(ArraySite())
        dtype = weight.held.dtype
        scheduled = [
            number(schedule_graph(update, name, weight.dtype), np.asarray(kept.count - 1, dtype))
            for name in rule.scheduled
        ]
        states = [
            kept.states.get(
                s.name, np.full(weight.held.shape if s.type.rank else (), s.initial, dtype)
            )
            for s in rule.states
        ]
        step = np.asarray(kept.count, dtype)
        inner.bind(rule.graph.inputs, [weight.held, flow.held, step, *scheduled, *states])
        for each in rule.graph.steps:
            inner.step(each)
        new, *after = (inner.terms[v].held for v in rule.graph.outputs)
        kept.states = {s.name: a for s, a in zip(rule.states, after, strict=True)}
        return Term(weight.site, weight.type, new)


def schedule_graph(update: Update, name: str, dtype: str) -> Graph:
    """The block that gives a parameter of an optimizer."""
    schedule = update.arguments[name]
    assert isinstance(schedule, Schedule)
    return schedule.graph(dtype)


def number(graph: Graph, step: Array) -> Array:
    """What a schedule gives at a step."""
    inner = Interpreter(ArraySite())
    inner.bind(graph.inputs, [step])
    for each in graph.steps:
        inner.step(each)
    result: Array = inner.terms[graph.outputs[0]].held
    return result


def named(paths: Sequence[tuple[str, ...]], place: Place) -> bool:
    """Whether one of the paths names a weight, or a part that holds it."""
    network, inside = place
    whole = (network, *inside.split("."))
    return any(whole[: len(path)] == path for path in paths)
