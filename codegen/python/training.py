"""What training programs in Python have in common: names of functions and variables, figures, what an update is over.

A generated file has functions of its own for each `train` declaration. With one declaration they have plain
names (`train_step`); with several each has the declaration's name behind it, and `--program` chooses.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from codegen.python.classes import Classes
from codegen.python.dialect import Dialect, Unsupported
from codegen.python.names import distinct, identifier
from codegen.python.plan import (
    BlockSlot,
    ChainSlot,
    ListSlot,
    Owner,
    Plan,
    Slot,
    WeightSlot,
    inside,
    owners,
    reference,
)
from codegen.python.source import (
    ClassDef,
    Dict,
    Expr,
    Expression,
    FunctionDef,
    Literal,
    Name,
    Parameter,
    Stmt,
)
from codegen.target import ProgramNames
from nnspec.catalogue.ops.recurrent import LSTM
from nnspec.graph.decay import spared
from nnspec.graph.flow import Flow, named, owner
from nnspec.graph.graph import Value, Weight
from nnspec.graph.graph import weights as weights_of
from nnspec.graph.layouts import Layouts
from nnspec.graph.training import Minimize, Training
from nnspec.graph.updates import Update

LOCALS = frozenset(
    {"args", "batches", "columns", "ctx", "held_out", "lr", "step", "steps", "trainer"}
)
"""Variables of `main`, which no network or optimizer may be called."""

LATER = "nnspec does not write it yet"

COMMON = frozenset({"main", "parse_arguments"})
"""ProgramNames that a file with programs has whatever these are called."""


@dataclass(frozen=True)
class Figure:
    """What is reported of an epoch: its name in the program's output, its value in the step, what makes it a number."""

    name: str
    value: Value
    summary: str | None = None


def losses(training: Training) -> tuple[Figure, ...]:
    """The loss of each `minimize`: `loss`, or `loss_1`, `loss_2`, or what the writer called it."""
    updates = [s for s in training.steps if isinstance(s, Minimize)]
    if len(updates) == 1:
        return (Figure("loss", updates[0].loss),)
    found: list[Figure] = []
    for number, update in enumerate(updates, 1):
        name = distinct(update.loss.name or f"loss_{number}", [f.name for f in found])
        found.append(Figure(name, update.loss))
    return tuple(found)


def figures(training: Training) -> tuple[Figure, ...]:
    """Losses, then metrics."""
    found = list(losses(training))
    for metric in training.metrics:
        name = distinct(metric.name, [f.name for f in found])
        found.append(Figure(name, metric.value, metric.summary))
    return tuple(found)


def summarized(training: Training) -> dict[str, Expr]:
    """The argument of `fit` that has, by figure, what makes a number of several means; nothing where none has."""
    made = [(Literal(f.name), Name(f.summary)) for f in figures(training) if f.summary is not None]
    return {"summaries": Dict(tuple(made))} if made else {}


def snake(name: str) -> str:
    """`DigitsCNN` as `digits_cnn`."""
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return name.lower()


def suffix(training: Training, trainings: Sequence[Training]) -> str:
    """What follows the names of a program's functions: nothing where there is only one program."""
    return "" if len(trainings) == 1 else "_" + snake(training.name)


def optimizers(training: Training) -> dict[Minimize, Minimize]:
    """For each update the first one with the same optimizer.

    Updates of other weights have an optimizer of their own: its states are a weight's, so that makes no
    difference. Raises `Unsupported` where two updates share some weights only.
    """
    flow = Flow(training)
    first: dict[Minimize, Minimize] = {}
    for update in flow.updates:
        first[update] = update
        for other in first:
            if other.update is not update.update or other is update:
                continue
            if not flow.updated(other) & flow.updated(update):
                continue
            if flow.updated(other) != flow.updated(update):
                what = "an optimizer that two updates share for a part of their weights"
                raise Unsupported(what, update.span, "nnspec", LATER)
            first[update] = first[other]
            break
    return first


def reserved(programs: Sequence[ProgramNames]) -> list[str]:
    """Names of a module that no class and no variable may take."""
    return [*COMMON, *(name for names in programs for name in names.all())]


FEW_AXES = 2
"""Biases, and scales and offsets of normalisations, have fewer axes than kernels and embeddings have."""


def counted(training: Training) -> bool:
    """Whether some update is made on some steps only."""
    return any(isinstance(s, Minimize) and s.update.period > 1 for s in training.steps)


@dataclass(frozen=True)
class Part:
    """What an update is over: an object of the generated program.

    slot: in which it stands in its class; None for a whole network, a `WeightSlot` for one weight.
    """

    expression: Expr
    slot: Slot | None = None


@dataclass(frozen=True)
class Source:
    """What the statements of one program are made from.

    training: with the networks' graphs as they are written; declared: as the language has it.
    trainings: all programs of the file. layouts: of the batch's columns.
    rules: classes of optimizers that the target has not. rates: functions that give the learning rates of others.
    """

    training: Training
    declared: Training
    trainings: Sequence[Training]
    named: ProgramNames
    classes: Classes
    layouts: Layouts
    dialect: Dialect
    rules: Mapping[Update, ClassDef] = field(default_factory=dict)
    rates: Mapping[Update, FunctionDef] = field(default_factory=dict)

    @cached_property
    def flow(self) -> Flow:
        return Flow(self.training)

    @property
    def updates(self) -> tuple[Minimize, ...]:
        return self.flow.updates

    def rate(self, update: Update) -> Expr | None:
        """The function that gives its learning rate at a step, counted from 0."""
        return Name(self.rates[update].name) if update in self.rates else None

    @property
    def definitions(self) -> tuple[Stmt, ...]:
        """The classes and functions of its optimizers, each once."""
        return tuple(dict.fromkeys((*self.rates.values(), *self.rules.values())))

    @cached_property
    def names(self) -> Mapping[object, str]:
        """Of a step's parameters: networks by name, columns by value, optimizers by their `Minimize`."""
        dialect = self.dialect
        taken = {*dialect.imports, *dialect.helpers, *dialect.reserved, *LOCALS}
        taken |= {*COMMON, *self.named.all()}
        taken |= {f.name for f in self.rates.values()} | {c.name for c in self.rules.values()}
        found: dict[object, str] = {}

        def name(key: object, wanted: str) -> None:
            found[key] = distinct(identifier(wanted, taken), found.values())

        for network in self.training.networks:
            name(network.name, network.name)
        for column in self.training.batch:
            name(column, column.name or "x")
        for update, first in optimizers(self.training).items():
            of = "_".join("_".join(path).replace(".", "_") for path in update.over)
            if first is update:
                name(update, "optimizer" if self.single else f"optimizer_{of}")
            else:
                found[update] = found[first]
        return found

    @property
    def networks(self) -> dict[str, str]:
        """Variables of the networks, by the networks' names."""
        return {n.name: self.names[n.name] for n in self.training.networks}

    @cached_property
    def making(self) -> dict[str, Minimize]:
        """Variables of the optimizers, each with the first of its updates."""
        return {self.names[u]: u for u, first in optimizers(self.training).items() if u is first}

    @cached_property
    def optimizers(self) -> tuple[str, ...]:
        return tuple(self.making)

    @cached_property
    def single(self) -> bool:
        """Whether there is one optimizer."""
        return len(set(optimizers(self.training).values())) == 1

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self.names[column] for column in self.training.batch)

    @property
    def learning_rate(self) -> float | None:
        """What `--lr` is by default: of the only optimizer of the only program."""
        update = self.updates[0].update
        if not self.single or len(self.trainings) != 1 or update in self.rules:
            return None
        rate = update.arguments.get("lr")
        return rate if isinstance(rate, (int, float)) else None

    def averages(self, update: Minimize, base: Callable[[str], str]) -> Iterator[Stmt]:
        """`average(teacher, net, 0.99)` for each network that follows what an update moves."""
        for network in self.training.followers(update):
            follower, net = Name(base(network.name)), Name(base(network.follows or ""))
            yield Expression(Name("average")(follower, net, network.decay))

    def plan(self, network: str) -> Plan:
        model = next(n.model for n in self.training.networks if n.name == network)
        return self.classes.plans[model]

    def weight(self, wanted: Weight, base: Callable[[str], str]) -> Expr:
        """How a step reads a weight of a network; `base` gives the networks' expressions."""
        network = owner(self.training.networks, wanted).name
        own = next(o for o in owners(self.plan(network)) if o.weight.path == wanted.path)
        return self.dialect.weight_ref(own.weight, self._at(own, network, base), own.node)

    def holder(self, wanted: Sequence[Weight], base: Callable[[str], str]) -> Part | None:
        """The object that holds just these trained weights, where there is one and nothing is frozen."""
        if self.training.frozen or not wanted:
            return None
        network = owner(self.training.networks, wanted[0])
        path: list[str] = []
        for names in zip(*(w.path.split(".") for w in wanted), strict=False):
            if {w for w in named(network, path) if w.trainable} == set(wanted):
                break
            if len(set(names)) > 1:
                return None
            path.append(names[0])
        if {w for w in named(network, path) if w.trainable} != set(wanted):
            return None
        parts = list(self._parts(((network.name, *path),), base))
        return parts[0] if len(parts) == 1 and not isinstance(parts[0].slot, WeightSlot) else None

    def _at(self, own: Owner, network: str, base: Callable[[str], str]) -> Expr:
        """What holds a weight in a network: its layer, or the block whose own it is."""
        return self._placed(network, own.path if own.node else own.path[:-1], base)

    def _placed(self, network: str, place: tuple[str, ...], base: Callable[[str], str]) -> Expr:
        way = inside(self.plan(network), place, self.dialect.chain_members)
        return reference(base(network), way)

    def _alone(self, own: Owner, network: str, base: Callable[[str], str]) -> Part:
        """A weight as an object that an update moves."""
        hold = self.dialect.weight_holder or self.dialect.weight_ref
        at = self._at(own, network, base)
        return Part(hold(own.weight, at, own.node), WeightSlot(own.weight))

    def parts(self, update: Minimize, base: Callable[[str], str]) -> Iterator[Part]:
        """The objects that an update is over."""
        return self._parts(update.over, base)

    def reached(self, update: Minimize, base: Callable[[str], str]) -> Iterator[Part]:
        """The same without what the loss does not depend on, as far as that has objects of its own."""
        reached = self.flow.reached(update)
        frozen = self.flow.places(self.training.frozen)
        for path in update.over:
            places = self.flow.places((path,)) - frozen
            plan = self.plan(path[0])
            held = {(path[0], own.weight.path): own for own in owners(plan)}
            split = all(_whole(held[place]) for place in places)
            if places <= reached or (places & reached and not split):
                yield from self._parts((path,), base)
                continue
            for place in sorted(places & reached):
                yield self._alone(held[place], path[0], base)

    def spared(
        self, update: Minimize, base: Callable[[str], str]
    ) -> tuple[bool, tuple[Part, ...]] | None:
        """What does not decay: whether all weights of few axes, and which parts; None where all decay."""
        selection = update.update.no_decay
        if not selection:
            return None
        paths = tuple(sorted({path for path in selection if not isinstance(path, str)}))
        chosen, parts = (
            {(n.name, path) for n in self.declared.networks for path in spared(names, n)}
            for names in (selection, paths)
        )
        moved = self.flow.places(update.over)
        ranks = {
            (n.name, w.path): w.type.rank
            for n in self.training.networks
            for w in weights_of(n.model)
        }
        small = {place for place in moved if ranks[place] < FEW_AXES}
        few = small <= chosen
        others = (chosen & moved) - parts - (small if few else set())
        held = {(n, own.weight.path): own for n in self.networks for own in owners(self.plan(n))}
        weights = dict.fromkeys(self._alone(held[p], p[0], base) for p in sorted(others))
        return few, (*self._parts(paths, base), *weights)

    def frozen(self, base: Callable[[str], str]) -> Iterator[Part]:
        """The objects that are applied as in evaluation, and not updated."""
        weights = {w.path for n in self.training.networks for w in weights_of(n.model)}
        for path in self.training.frozen:
            parts = list(self._parts((path,), base))
            loose = any(isinstance(part.slot, WeightSlot) for part in parts)
            if loose and ".".join(path[1:]) not in weights:
                what = f"`frozen` for `{'.'.join(path)}`, which is no object of its own"
                raise Unsupported(what, self.training.span, self.dialect.name, LATER)
            yield from parts

    def _parts(
        self, paths: Sequence[tuple[str, ...]], base: Callable[[str], str]
    ) -> Iterator[Part]:
        for network, *path in paths:
            plan = self.plan(network)
            if not path:
                yield Part(Name(base(network)))
            elif (found := _slot_at(plan, path)) is not None:
                place, slot = found
                yield Part(self._placed(network, place, base), slot)
            else:
                yield from self._weights(network, base, ".".join(path))

    def _weights(self, network: str, base: Callable[[str], str], path: str) -> Iterator[Part]:
        """Weight by weight, where no object holds just these."""
        for own in owners(self.plan(network)):
            inside = own.weight.path == path or own.weight.path.startswith(path + ".")
            if inside and own.weight.trainable:
                yield self._alone(own, network, base)

    def refuse_stale(self, target: str) -> None:
        """For targets whose weights change in place: their old values are gone when a gradient wants them."""
        for stale in self.flow.stale():
            raise Unsupported(
                f"a gradient through `{stale.name}` as it was before an update of it",
                stale.gradient.span,
                target,
                "weights change in place; write what reads them again after the update",
            )


def _whole(own: Owner) -> bool:
    """Whether a weight is one attribute of its object."""
    return own.node is None or not isinstance(own.node.op, LSTM)


def _slot_at(plan: Plan, path: Sequence[str]) -> tuple[tuple[str, ...], Slot] | None:
    """The attributes that lead to a layer, block or container, and its slot."""
    for length in range(len(path), 0, -1):
        name = ".".join(path[:length])
        place = plan.renamed.get(name) or plan.names.get(name)
        if place is None:
            continue
        slot, rest = _slot(plan, place), path[length:]
        if not rest:
            return place, slot
        inner = _slot_at(slot.plan, rest) if isinstance(slot, BlockSlot) else None
        return None if inner is None else ((*place, *inner[0]), inner[1])
    return None


def _slot(plan: Plan, place: Sequence[str]) -> Slot:
    slot = plan.slots[place[0]]
    for part in place[1:]:
        assert isinstance(slot, (ListSlot, ChainSlot))
        slot = slot.slots[int(part)]
    return slot


def parameters(names: Sequence[str], annotation: str | None = None) -> tuple[Parameter, ...]:
    """Parameters of a function, all of one type."""
    kind = None if annotation is None else Name(annotation)
    return tuple(Parameter(name, kind) for name in names)
