"""What a class holds: a slot for each layer, block, container and free weight of a graph."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Union

from codegen.python.dialect import Dialect, UnsupportedOp
from codegen.python.names import attribute, distinct, plural
from codegen.python.runs import gathered
from codegen.python.source import Expr, Name
from nnspec.core.names import snake_case
from nnspec.graph.graph import Call, Graph, Node, Step, Value, Weight


@dataclass(frozen=True)
class LayerSlot:
    """An object of the framework: a layer, or a function that stands in a chain as an object."""

    node: Node
    constructor: Expr


@dataclass(frozen=True, eq=False)
class BlockSlot:
    """An instance of a block's class."""

    plan: Plan


@dataclass(frozen=True)
class ChainSlot:
    """Objects applied one after the other, as one."""

    slots: tuple[Slot, ...]


@dataclass(frozen=True)
class ListSlot:
    """Objects kept under one name and a number."""

    slots: tuple[Slot, ...]


@dataclass(frozen=True)
class WeightSlot:
    """A free weight."""

    weight: Weight


Slot = Union[LayerSlot, BlockSlot, ChainSlot, ListSlot, WeightSlot]


@dataclass(eq=False)
class Plan:
    """One instance of a graph, ready to be written.

    steps: after activations that the target builds into layers have gone there.
    slots: by attribute, in order.
    names: of the graph's layers (`layer.3`) to the parts of an expression: ("layer", "3").
    others: further bodies of the same instance, where the block is applied more than once.
    renamed: the same as names, of layers that have a place in a container for what the spec calls them.
    """

    graph: Graph
    steps: tuple[Step, ...]
    slots: dict[str, Slot] = field(default_factory=dict)
    names: dict[str, tuple[str, ...]] = field(default_factory=dict)
    others: list[Graph] = field(default_factory=list)
    renamed: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def blocks(self) -> Iterator[Plan]:
        """Plans of the blocks that have a class of their own, directly inside."""
        for slot in self.slots.values():
            yield from _blocks(slot)


def _blocks(slot: Slot) -> Iterator[Plan]:
    match slot:
        case BlockSlot(plan):
            yield plan
        case ChainSlot(slots) | ListSlot(slots):
            for inner in slots:
                yield from _blocks(inner)


def plan_graph(graph: Graph, dialect: Dialect) -> Plan:
    """Slots and names of a graph and of everything in it."""
    if graph.kind in ("sequence", "parallel"):
        graph = unnamed(graph)
    numbered, renamed = gathered(graph)
    steps, constructors = absorb(numbered, dialect)
    plan = Plan(graph, steps)
    found: dict[str, Slot] = {}
    same: dict[str, str] = {}
    for step in steps:
        if not step.layer:
            continue
        slot = found.get(step.layer)
        if slot is None:
            made = _slot(step, dialect, constructors)
            if made is not None and (other := _alike(step, made, found)):
                same[step.layer] = other
            elif made is not None:
                found[step.layer] = made
        elif isinstance(step, Call) and isinstance(slot, BlockSlot):
            slot.plan.others.append(step.body)
        elif isinstance(step, Node) and isinstance(slot, LayerSlot) and step not in constructors:
            if dialect.constructor(step) == slot.constructor:
                continue
            reason = f"`{step.layer}` is shared between tensors of different sizes"
            raise UnsupportedOp(step, dialect.name, reason)
    _name(plan, found, dialect)
    plan.names |= {name: plan.names[other] for name, other in same.items()}
    plan.renamed |= {name: plan.names[other] for name, other in renamed.items()}
    for weight in graph.free_weights:
        plan.slots[_free(weight.role, plan, dialect)] = WeightSlot(weight)
    return plan


def _alike(step: Step, slot: Slot, found: Mapping[str, Slot]) -> str | None:
    """A layer without weights that is made in the same way: one object does for both."""
    unnamed = re.fullmatch(r"(\w+?)(_\d+)?", step.layer or "")
    if not isinstance(step, Node) or step.weights or unnamed is None:
        return None
    if unnamed[1] != snake_case(step.op.name):  # the writer gave it a name of its own
        return None
    for name, other in found.items():
        if not (isinstance(other, LayerSlot) and isinstance(slot, LayerSlot)) or "." in name:
            continue
        if not other.node.weights and other.constructor == slot.constructor:
            return name
    return None


def _slot(
    step: Step, dialect: Dialect, constructors: dict[Node, Expr]
) -> LayerSlot | BlockSlot | ChainSlot | None:
    if isinstance(step, Node):
        if step in constructors:
            return LayerSlot(step, constructors[step])
        return (
            LayerSlot(step, dialect.constructor(step)) if type(step.op) in dialect.layers else None
        )
    if step.body.kind == "sequence" and (chain := _chain(step.body, dialect)):
        return chain
    return BlockSlot(plan_graph(step.body, dialect))


def _chain(graph: Graph, dialect: Dialect) -> ChainSlot | None:
    """A bound composition as one object, where each of its steps is an object and feeds the next."""
    if dialect.sequence is None or len(graph.inputs) != 1 or len(graph.outputs) != 1:
        return None
    steps, constructors = absorb(graph, dialect)
    slots: list[Slot] = []
    value = graph.inputs[0]
    layers = [s.layer for s in steps if s.layer]
    if len(set(layers)) != len(layers) or graph.free_weights:
        return None
    for step in steps:
        if step.inputs != (value,) or len(step.outputs) != 1:
            return None
        slot: Slot | None = None
        if isinstance(step, Call):
            slot = _slot(step, dialect, constructors)
        elif step in constructors:
            slot = LayerSlot(step, constructors[step])
        elif (kind := type(step.op)) in dialect.modules:
            made = dialect.modules[kind](step)
            slot = None if made is None else LayerSlot(step, dialect.typed(made, step))
        elif kind in dialect.layers and kind not in dialect.functions:
            slot = LayerSlot(step, dialect.constructor(step))
        if slot is None:
            return None
        slots.append(slot)
        value = step.outputs[0]
    return ChainSlot(tuple(slots)) if graph.outputs == (value,) and slots else None


def unnamed(graph: Graph) -> Graph:
    """A composition without names of values: those are of the place where it was first applied."""
    known: dict[Value, Value] = {}

    def plain(values: tuple[Value, ...]) -> tuple[Value, ...]:
        for value in values:
            if not isinstance(value, Weight):
                known.setdefault(value, dataclasses.replace(value, name=None))
        return tuple(known.get(value, value) for value in values)

    inputs = plain(graph.inputs)
    steps = tuple(
        dataclasses.replace(s, inputs=plain(s.inputs), outputs=plain(s.outputs))
        for s in graph.steps
    )
    return dataclasses.replace(graph, inputs=inputs, steps=steps, outputs=plain(graph.outputs))


def absorb(graph: Graph, dialect: Dialect) -> tuple[tuple[Step, ...], dict[Node, Expr]]:
    """The steps with activations built into layers where the target does that, and those constructors."""
    if dialect.absorb is None:
        return graph.steps, {}
    uses = Counter(v for s in graph.steps for v in s.inputs) + Counter(graph.outputs)
    applied = Counter(s.layer for s in graph.steps if s.layer)
    steps: list[Step] = []
    constructors: dict[Node, Expr] = {}
    for step in graph.steps:
        before = steps[-1] if steps else None
        if (
            isinstance(step, Node)
            and isinstance(before, Node)
            and before.layer is not None
            and applied[before.layer] == 1
            and before not in constructors
            and step.inputs == before.outputs
            and uses[step.inputs[0]] == 1
            and (made := dialect.absorb(before, step)) is not None
        ):
            steps[-1] = dataclasses.replace(before, outputs=step.outputs)
            constructors[steps[-1]] = dialect.typed(made, before)  # type: ignore[index]
        else:
            steps.append(step)
    return tuple(steps), constructors


def _free(wanted: str, plan: Plan, dialect: Dialect) -> str:
    return distinct(attribute(wanted, dialect.reserved_attributes), plan.slots)


def _name(plan: Plan, found: dict[str, Slot], dialect: Dialect) -> None:
    """Give every layer its attribute; names with numbers share a container."""
    groups: dict[str, dict[str, Slot]] = {}
    for name, slot in found.items():
        groups.setdefault(name.partition(".")[0], {})[name] = slot
    for first, members in groups.items():
        several = plural(first)
        if len(members) == 1 and first in members or several in dialect.reserved_attributes:
            several = first
        own = _free(several, plan, dialect)
        plan.slots[own] = _gather(members, own, plan, depth=1)
    for name in found:
        container = name
        while "." in container:
            container = container.rpartition(".")[0]
            plan.names.setdefault(container, plan.names[name][: container.count(".") + 1])


def _gather(
    members: dict[str, Slot], own: str, plan: Plan, depth: int, at: tuple[str, ...] = ()
) -> Slot:
    """The slot of an attribute: the layer itself, or a container of those with further numbers."""
    here = (own, *at)
    if len(members) == 1 and next(iter(members)).count(".") == depth - 1:
        ((name, slot),) = members.items()
        plan.names[name] = here
        return slot
    inside: dict[str, dict[str, Slot]] = {}
    for name, slot in members.items():
        inside.setdefault(name.split(".")[depth], {})[name] = slot
    slots = []
    for index, key in enumerate(sorted(inside, key=lambda k: (len(k), k))):
        inner = inside[key]
        slots.append(_gather(inner, own, plan, depth + 1, (*at, str(index))))
    return ListSlot(tuple(slots))


def reference(base: str, parts: tuple[str, ...]) -> Expr:
    """`self.layer[3].dense` from ("layer", "3", "dense")."""
    expression: Expr = Name(base)
    for part in parts:
        if part.isdigit():
            expression = expression[int(part)]
        elif isinstance(expression, Name):
            expression = Name(f"{expression.text}.{part}")
        else:
            expression = expression.attr(part)
    return expression


def inside(plan: Plan, parts: tuple[str, ...], members: str | None) -> tuple[str, ...]:
    """The way to an object of a plan, through the attribute that holds the members of a chain, where it needs one."""
    way: list[str] = []
    slot: Slot = BlockSlot(plan)
    for part in parts if members is not None else ():
        if isinstance(slot, ChainSlot) and members is not None:
            way.append(members)
        if isinstance(slot, BlockSlot):
            slot = slot.plan.slots[part]
        elif isinstance(slot, (ChainSlot, ListSlot)):
            slot = slot.slots[int(part)]
        way.append(part)
    return tuple(way) if members is not None else parts


@dataclass(frozen=True)
class Owner:
    """Where a weight lives: the attributes and numbers that lead to its object, and the layer's node
    (None for a free weight, whose last part is its own attribute)."""

    weight: Weight
    node: Node | None
    path: tuple[str, ...]


def owners(plan: Plan, at: tuple[str, ...] = ()) -> Iterator[Owner]:
    """Every weight of a graph with its place, in order; a weight that is shared comes once."""
    for name, slot in plan.slots.items():
        yield from _owners(slot, (*at, name))


def _owners(slot: Slot, at: tuple[str, ...]) -> Iterator[Owner]:
    match slot:
        case LayerSlot(node):
            for weight in node.weights:
                yield Owner(weight, node, at)
        case WeightSlot(weight):
            yield Owner(weight, None, at)
        case BlockSlot(plan):
            yield from owners(plan, at)
        case ChainSlot(slots) | ListSlot(slots):
            for index, inner in enumerate(slots):
                yield from _owners(inner, (*at, str(index)))


def weight_reader(plan: Plan, dialect: Dialect) -> Callable[[Weight], Expr]:
    """How the forward pass of a graph reads a weight that it uses as an operand."""

    def read(weight: Weight) -> Expr:
        for owner in owners(plan):
            if owner.weight is weight or owner.weight.path == weight.path:
                path = owner.path if owner.node else owner.path[:-1]
                way = inside(plan, path, dialect.chain_members)
                return dialect.weight_ref(weight, reference("self", way), owner.node)
        raise KeyError(weight.path)

    return read


def layer_reader(plan: Plan) -> Callable[[str], Expr]:
    """How the forward pass of a graph reads a layer or container by its name in the graph."""
    return lambda name: reference("self", plan.names[name])


def values_named(graph: Graph) -> dict[Value, str]:
    """Inputs of a graph with what to call them."""
    return {
        v: v.name or ("x" if len(graph.inputs) == 1 else f"x_{i}")
        for i, v in enumerate(graph.inputs, 1)
    }
