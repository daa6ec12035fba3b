"""A training program, evaluated by its definition: steps, gradients, updates."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from nnspec.catalogue.ops.site import Term
from nnspec.graph.decay import spared
from nnspec.graph.derivative import gradients
from nnspec.graph.evaluate.arrays import Array, ArraySite
from nnspec.graph.evaluate.cost import Forecast
from nnspec.graph.evaluate.interpreter import Interpreter
from nnspec.graph.flow import Flow, owner
from nnspec.graph.graph import Call, Node, Value, Weight
from nnspec.graph.graph import weights as weights_of
from nnspec.graph.training import Minimize, Network, Training, performed
from nnspec.graph.updates import Schedule, Update

Place = tuple[str, str]
"""A network's name, and the path of a weight in it."""


@dataclass(frozen=True)
class Step:
    """What one step gave.

    losses: of each `minimize`, before it; in a loop, of its last pass.
    gradients: for each update that this step makes, of what it moves: as the rule has them, clipped.
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
    noise: what each gradient is moved by, as a share of the largest of its update: it shows what rounding can do.
    """

    training: Training
    weights: dict[Place, Array]
    precision: str | None = None
    generator: np.random.Generator | None = None
    noise: float = 0.0
    states: dict[tuple[Update, Place], History] = field(default_factory=dict)
    sums: dict[Minimize, dict[Place, Array]] = field(default_factory=dict)
    steps: int = 0
    bearable: set[tuple[bool, tuple[tuple[int, ...], ...]]] = field(default_factory=set)
    """Shapes of batches whose steps, with or without updates, are known to take no more than the bounds."""

    def step(self, batch: Sequence[Array], *, training: bool = True) -> Step:
        """One step; `training = False` evaluates it instead, without updates.

        Raises `SpecError` (E0803) before it begins, where it would take too much.
        """
        self._foresee(batch, training)
        site = ArraySite(training=training, generator=self.generator)
        interpreter = Interpreter(site, self.precision, frozen=self.training.frozen)
        interpreter.bind(self.training.batch, batch)
        held = self._held(interpreter)
        losses: dict[Minimize, Array] = {}
        flows: list[dict[Place, Array]] = []
        self.steps += training
        for statement in performed(self.training.steps):
            if not isinstance(statement, Minimize):
                self._apply(statement, interpreter, held)
                continue
            losses[statement] = interpreter.terms[statement.loss].held
            if training:
                flows += self._updated(statement, interpreter, held)
        values = {v: t.held for v, t in interpreter.terms.items()}
        for place, term in held.items():
            self.weights[place] = term.held
        return Step(tuple(losses.values()), tuple(flows), values)

    @cached_property
    def _flow(self) -> Flow:
        return Flow(self.training)

    def _foresee(self, batch: Sequence[Array], training: bool) -> None:
        """What a step takes but for its updates, which take some elements for each of a weight."""
        shapes = training, tuple(a.shape for a in batch)
        if shapes in self.bearable:
            return
        forecast = Forecast(training=training, floats=self.precision, frozen=self.training.frozen)
        forecast.bind(self.training.batch, batch)
        held = self._held(forecast)
        for statement in performed(self.training.steps):
            if not isinstance(statement, Minimize):
                self._apply(statement, forecast, held)
            elif training:
                moved = [held[place] for place in self._moved_by(statement)]
                gradients(forecast.site, forecast.terms[statement.loss], moved)
        self.bearable.add(shapes)

    def _held(self, interpreter: Interpreter) -> dict[Place, Term]:
        """The weights of each network, which may be one of several of a model."""
        held: dict[Place, Term] = {}
        for network in self.training.networks:
            for weight in weights_of(network.model):
                place = network.name, weight.path
                interpreter.bind([weight], [self.weights[place]])
                held[place] = interpreter.terms[weight]
        return held

    def _apply(self, step: Node | Call, interpreter: Interpreter, held: dict[Place, Term]) -> None:
        """A step of the program; a network is applied with its own weights."""
        if not isinstance(step, Call) or step.layer not in {n.name for n in self.training.networks}:
            for value in step.inputs:
                if isinstance(value, Weight):
                    network = owner(self.training.networks, value)
                    interpreter.terms[value] = held[network.name, value.path]
            interpreter.step(step)
            return
        for weight in weights_of(step.body):
            interpreter.terms[weight] = held[step.layer, weight.path]
        interpreter.step(step)
        for weight in weights_of(step.body):
            held[step.layer, weight.path] = interpreter.terms[weight]

    def _updated(
        self, minimize: Minimize, interpreter: Interpreter, held: dict[Place, Term]
    ) -> list[dict[Place, Array]]:
        """Move the weights that an update names, where it is made on this step; the gradients that it used.

        What follows sees the new weights.
        """
        update = minimize.update
        turn = self.steps % update.period == 0
        if not turn and update.accumulate == 1:
            return []
        moved = self._moved_by(minimize)
        site = interpreter.site
        flows = gradients(site, interpreter.terms[minimize.loss], [held[p] for p in moved])
        if self.noise:
            flows = self._noisy(flows)
        found = {place: flow.held for place, flow in zip(moved, flows, strict=True)}
        if update.accumulate > 1:
            found = self._mean(minimize, found)
        if not turn:
            return []
        # What a loss does not depend on stays as it is, whatever the optimizer.
        reached = self._flow.reached(minimize)
        found |= clipped(update, {p: a for p, a in found.items() if p in reached})
        for place in moved:
            if place in reached:
                held[place] = self._moved(update, place, held[place], found[place])
        for network in self.training.followers(minimize):
            self._follow(network, held)
        return [found]

    def _follow(self, network: Network, held: dict[Place, Term]) -> None:
        """A step of an average towards the network that it follows."""
        assert network.follows is not None
        for weight in weights_of(network.model):
            old, new = held[network.name, weight.path], held[network.follows, weight.path]
            mean = network.decay * old.held + (1 - network.decay) * new.held
            held[network.name, weight.path] = Term(old.site, old.type, mean.astype(old.held.dtype))

    def _mean(self, minimize: Minimize, found: dict[Place, Array]) -> dict[Place, Array]:
        """The mean of the gradients since the last update, these included."""
        number = (self.steps - 1) % minimize.update.accumulate + 1
        last = self.sums.get(minimize, {}) if number > 1 else {}
        sums = {p: last[p] + a if last else a for p, a in found.items()}
        self.sums[minimize] = sums
        return {p: (a / number).astype(a.dtype) for p, a in sums.items()}

    def _noisy(self, flows: Sequence[Term]) -> tuple[Term, ...]:
        chance = np.random.default_rng(self.steps)
        size = self.noise * max((float(np.abs(f.held).max(initial=0)) for f in flows), default=0)
        return tuple(
            f.site.term(f.held + size * chance.standard_normal(f.held.shape)) for f in flows
        )

    def _moved_by(self, update: Minimize) -> list[Place]:
        """The weights that an update names."""
        frozen = self.training.frozen
        trained = {
            (n.name, w.path): w
            for n in self.training.networks
            for w in weights_of(n.model)
            if w.trainable
        }
        return [p for p in trained if named(update.over, p) and not named(frozen, p)]

    def _moved(self, update: Update, place: Place, weight: Term, flow: Array) -> Term:
        """The weight after an update, by the optimizer's rule."""
        rule = update.rule(weight.type)
        kept = self.states.setdefault((update, place), History())
        kept.count += 1
        # A site of its own: no later loss sends a gradient back through an update.
        inner = Interpreter(ArraySite())
        dtype = weight.held.dtype
        given = [
            self._given(update, name, place, weight.dtype, np.asarray(kept.count - 1, dtype))
            for name in rule.given
        ]
        states = [
            kept.states.get(
                s.name, np.full(weight.held.shape if s.type.rank else (), s.initial, dtype)
            )
            for s in rule.states
        ]
        step = np.asarray(kept.count, dtype)
        inner.bind(rule.graph.inputs, [weight.held, flow, step, *given, *states])
        for each in rule.graph.steps:
            inner.step(each)
        new, *after = (inner.terms[v].held for v in rule.graph.outputs)
        kept.states = {s.name: a for s, a in zip(rule.states, after, strict=True)}
        return Term(weight.site, weight.type, new)

    def _given(self, update: Update, name: str, place: Place, dtype: str, step: Array) -> Array:
        """What a parameter is for a weight, at a step."""
        network = next(n for n in self.training.networks if n.name == place[0])
        if name == "weight_decay" and place[1] in spared(update.no_decay, network):
            return np.zeros_like(step)
        match update.arguments[name]:
            case Schedule() as schedule:
                return number(schedule, dtype, int(step), step.dtype)
            case plain:
                return np.asarray(plain, step.dtype)


def clipped(update: Update, flows: Mapping[Place, Array]) -> Mapping[Place, Array]:
    """The gradients as the optimizer's rule has them."""
    if (most := update.clip_value) is not None:
        return {p: np.clip(a, -most, most) for p, a in flows.items()}
    if (limit := update.clip_norm) is not None:
        norm = math.sqrt(sum(float(np.square(a, dtype=float).sum()) for a in flows.values()))
        scale = limit / max(norm, limit)
        return {p: (a * scale).astype(a.dtype) for p, a in flows.items()}
    return flows


@lru_cache(maxsize=64)
def number(schedule: Schedule, dtype: str, step: int, precision: np.dtype[Any]) -> Array:
    """What a schedule for weights of a type gives at a step: the same for all of them."""
    graph = schedule.graph(dtype)
    inner = Interpreter(ArraySite())
    inner.bind(graph.inputs, [np.asarray(step, precision)])
    for each in graph.steps:
        inner.step(each)
    result: Array = inner.terms[graph.outputs[0]].held
    return result


def named(paths: Sequence[tuple[str, ...]], place: Place) -> bool:
    """Whether one of the paths names a weight, or a part that holds it."""
    network, inside = place
    whole = (network, *inside.split("."))
    return any(whole[: len(path)] == path for path in paths)
