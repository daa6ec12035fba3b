"""Graphs as classes: one for each block, shared by all instances that differ only in numbers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

from codegen.python.containers import container, shortened
from codegen.python.dialect import ClassParts, Dialect, UnsupportedOp
from codegen.python.forward import Forward
from codegen.python.merging import (
    Draft,
    annotation,
    literal_columns,
    literals,
    skeleton,
    with_parameters,
    without_notes,
)
from codegen.python.names import attribute, distinct, identifier
from codegen.python.plan import (
    BlockSlot,
    ChainSlot,
    LayerSlot,
    ListSlot,
    Plan,
    Slot,
    WeightSlot,
    layer_reader,
    plan_graph,
    values_named,
    weight_reader,
)
from codegen.python.source import Assign, Call, Expr, Literal, Name, Parameter, Return, Stmt, Tuple
from codegen.python.source.texts import first_paragraph
from nnspec.core.names import pascal_case
from nnspec.graph.graph import Graph, Node


@dataclass
class Group:
    """Instances that share a class, numbered; the draft of each; the values of each parameter, in order."""

    name: str
    members: dict[Plan, int]
    drafts: list[Draft]
    parameters: dict[str, list[Literal]] = field(default_factory=dict)

    @property
    def is_model(self) -> bool:
        return next(iter(self.members)).graph.kind == "model"

    def default(self, name: str) -> Literal | None:
        """What a parameter is where it is not given: what some instance leaves to the target; of models, the first's."""
        column = self.parameters[name]
        left = [v for v in column if v.is_default] or (column[:1] if self.is_model else [])
        return dataclasses.replace(left[0], is_default=False) if left else None

    def signature(self) -> tuple[Parameter, ...]:
        """Parameters of the constructor, those with a default last."""
        given = [
            Parameter(name, annotation(column), self.default(name))
            for name, column in self.parameters.items()
        ]
        return tuple(sorted(given, key=lambda p: p.default is not None))

    def values(self, index: int) -> dict[str, Literal]:
        """What an instance gives, those that are the default marked."""
        column = {name: values[index] for name, values in self.parameters.items()}
        return {
            name: dataclasses.replace(value, is_default=value == self.default(name))
            for name, value in column.items()
        }


@dataclass(frozen=True)
class Classes:
    """definitions: in an order in which each class follows those it uses.
    names: class of each graph that was given; plans: where its weights live (`codegen.python.plan.owners`)."""

    definitions: tuple[Stmt, ...]
    names: dict[Graph, str]
    plans: dict[Graph, Plan]


UNNAMED = 3
"""So many sizes that a class takes can be told apart without their names."""

Describe = Callable[[Graph], str]


def shapes(graph: Graph) -> str:
    """`image: [N, 28, 28, 1] -> logits: [N, 10]`, for the docstring of a model."""
    inputs = [f"{v.name or 'x'}: {v.type}" for v in graph.inputs]
    outputs = [
        f"{name}: {v.type}" for name, v in zip(graph.output_names, graph.outputs, strict=True)
    ]
    return f"{', '.join(inputs)} -> {', '.join(outputs)}"


def build_classes(
    graphs: Sequence[Graph],
    dialect: Dialect,
    *,
    describe: Describe = shapes,
    reserved: Sequence[str] = (),
) -> Classes:
    """Classes of models and of every block in them.

    describe: the line on shapes and layouts in a model's docstring.
    reserved: names of the module that no class may take (`main`, `train_step`).
    """
    builder = _Builder(dialect, describe, {*reserved})
    plans = {graph: plan_graph(graph, dialect) for graph in graphs}
    levels: dict[int, list[Plan]] = {}
    height: dict[Plan, int] = {}

    def measure(plan: Plan) -> int:
        if plan not in height:
            height[plan] = 1 + max((measure(p) for p in plan.blocks()), default=0)
            levels.setdefault(height[plan], []).append(plan)
        return height[plan]

    for plan in plans.values():
        measure(plan)
    for level in sorted(levels):
        builder.add(levels[level])
    names = {graph: builder.name(plan) for graph, plan in plans.items()}
    order: dict[str, Stmt] = {}

    def write(plan: Plan) -> None:
        for inner in plan.blocks():
            write(inner)
        for name in dict.fromkeys((builder.groups[plan].name, builder.name(plan))):
            order.setdefault(name, builder.definitions[name])

    for plan in plans.values():
        write(plan)
    return Classes(tuple(order.values()), names, plans)


class _Builder:
    def __init__(self, dialect: Dialect, describe: Describe, taken: set[str]) -> None:
        self.dialect, self.describe = dialect, describe
        self.reserved = {*taken, *dialect.imports, *dialect.helpers, *dialect.reserved}
        self.taken: set[str] = set()
        self.groups: dict[Plan, Group] = {}
        self.variants: dict[Plan, str] = {}
        self.definitions: dict[str, Stmt] = {}

    def add(self, plans: Sequence[Plan]) -> None:
        """Plans whose blocks all have their class already."""
        found: dict[object, Group] = {}
        for plan in plans:
            draft = self.draft(plan)
            outside = tuple(v.type for v in plan.graph.inputs) if plan.graph.kind == "model" else ()
            key = (plan.graph.name, plan.graph.kind, skeleton(draft), outside)
            group = found.setdefault(key, Group("", {}, []))
            group.members[plan] = len(group.members)
            group.drafts.append(draft)
            self.groups[plan] = group
        named: dict[str, list[Group]] = {}
        for group in found.values():
            own = next(iter(group.members)).graph.name
            alike = named.setdefault(own, [])
            wanted = own + (difference(group, alike) if alike else "")
            group.name = distinct_class(identifier(wanted, self.reserved), self.taken)
            self.taken.add(group.name)
            alike.append(group)
        for group in found.values():
            self.definitions[group.name] = self.dialect.frame(self.merge(group))
            if group.is_model:
                self.vary(group)

    def name(self, plan: Plan) -> str:
        """The class that is made without arguments, for a model; else the one that instances share."""
        return self.variants.get(plan, self.groups[plan].name)

    def vary(self, group: Group) -> None:
        """Models that differ from the first in numbers are made of its class."""
        for plan, index in group.members.items():
            values = {n: v for n, v in group.values(index).items() if not v.is_default}
            if not values:
                continue
            alike = [p for p, i in group.members.items() if group.values(i) == group.values(index)]
            if alike[0] is not plan:
                self.variants[plan] = self.variants[alike[0]]
                continue
            others = [p for p in group.members if p not in alike]
            told = difference(Group("", {plan: 0}, []), [Group("", dict.fromkeys(others, 0), [])])
            wanted = identifier(plan.graph.name + told, self.reserved)
            name = self.variants[plan] = distinct_class(wanted, self.taken)
            self.taken.add(name)
            self.definitions[name] = self.dialect.variant(
                name, group.name, values, self.describe(plan.graph)
            )

    def draft(self, plan: Plan) -> Draft:
        init = tuple(
            Assign(Name(f"self.{name}"), self.constructor(slot))
            for name, slot in plan.slots.items()
            if not (isinstance(slot, WeightSlot) and self.dialect.weight is None)
        )
        draft = Draft(init, *self.forward(plan, plan.graph, plan.steps))
        for other in plan.others:
            again = plan_graph(other, self.dialect)
            if self.forward(plan, again.graph, again.steps) != (
                draft.forward,
                draft.inputs,
                draft.results,
            ):
                node = next(s for s in other.steps if isinstance(s, Node))
                raise UnsupportedOp(
                    node,
                    self.dialect.name,
                    f"`{plan.graph.name}` is shared between tensors of different sizes, and its code "
                    "depends on them",
                )
        return draft

    def forward(
        self, plan: Plan, graph: Graph, steps: Sequence[Any]
    ) -> tuple[tuple[Stmt, ...], tuple[str, ...], int]:
        dialect = self.dialect
        reserved = {*dialect.imports, *dialect.helpers, *dialect.reserved, *dialect.forward_names}
        named: list[str] = []
        for wanted in values_named(graph).values():
            named.append(distinct(identifier(wanted, reserved), named))
        forward = Forward(
            dialect,
            tuple(zip(graph.inputs, named, strict=True)),
            steps,
            graph.outputs,
            layer=layer_reader(plan),
            weight=weight_reader(plan, dialect),
        )
        forward.run()
        results = tuple(map(forward.result, graph.outputs))
        value = results[0] if len(results) == 1 else Tuple(results)
        return (*forward.body(), Return(value)), tuple(named), len(results)

    def constructor(self, slot: Slot) -> Expr:
        match slot:
            case LayerSlot(_, expression):
                return expression
            case WeightSlot(weight):
                assert self.dialect.weight is not None
                return self.dialect.weight(weight)
            case BlockSlot(plan):
                return self.instance(plan)
            case ChainSlot(slots):
                assert self.dialect.sequence is not None
                return self.dialect.sequence(shortened(tuple(map(self.constructor, slots))))
            case ListSlot(slots):
                built = tuple(map(self.constructor, slots))
                return container(built, self.dialect.container, self.dialect.loop)

    def instance(self, plan: Plan) -> Expr:
        """`Residual(64, stride=2)`: a few sizes that have no default need no name, nor does the only argument."""
        group = self.groups[plan]
        values = group.values(group.members[plan])
        needed = [name for name in values if group.default(name) is None]
        first = list(takewhile(lambda name: values[name].is_size, needed))
        if len(first) > UNNAMED:
            first = []
        elif len(values) == 1:
            first = [name for name, value in values.items() if not value.is_default]
        given = tuple(dataclasses.replace(values.pop(name), hint=name) for name in first)
        return Call(Name(group.name), given, tuple(values.items()))

    def merge(self, group: Group) -> ClassParts:
        first, draft = next(iter(group.members)), group.drafts[0]
        init, forward, kept = draft.init, draft.forward, list[str]()
        if len(group.drafts) > 1:
            columns = literal_columns(group.drafts)
            slots = set().union(*(plan.slots for plan in group.members))
            named = self.parameters(group, columns, slots)
            init = with_parameters(draft.init, named)
            offset = len(literals(draft.init))
            forward = with_parameters(draft.forward, named, "self.", offset)
            kept = [n for i, n in sorted(named.items()) if i >= offset]
        own = tuple(Assign(Name(f"self.{n}"), Name(n)) for n in dict.fromkeys(kept))
        if len(group.members) > 1:
            forward = without_notes(forward)
        model = first.graph.kind == "model"
        doc = first.graph.doc or ""
        lines = [doc, self.describe(first.graph)] if model else [first_paragraph(doc)]
        return ClassParts(
            name=group.name,
            doc="\n\n".join(line for line in lines if line) or None,
            parameters=group.signature(),
            init=(*own, *init),
            forward=forward,
            inputs=draft.inputs,
            results=draft.results,
            graph=first.graph,
            model=model,
        )

    def parameters(
        self, group: Group, columns: list[tuple[list[Literal], str | None]], slots: set[str]
    ) -> dict[int, str]:
        """The name of the parameter at each place where instances differ."""
        named: dict[int, str] = {}
        for place, (column, hint) in enumerate(columns):
            if all(value == column[0] for value in column):
                continue
            same = [n for n, values in group.parameters.items() if values == column]
            if not same:
                wanted = self.argument(group, column) or hint or "size"
                free = attribute(wanted, self.dialect.reserved_attributes)
                used = {*group.parameters, *slots, *self.taken, *self.reserved}
                same = [distinct(identifier(free), used.union(self.dialect.forward_names))]
                group.parameters[same[0]] = column
            named[place] = same[0]
        return named

    def argument(self, group: Group, column: list[Literal]) -> str | None:
        """The block's own parameter that has these values."""
        wanted = [v.value for v in column]
        for name in next(iter(group.members)).graph.arguments:
            given = [plan.graph.arguments.get(name) for plan in group.members]
            if given == wanted and list(map(type, given)) == list(map(type, wanted)):
                return name
        return None


def difference(group: Group, others: Sequence[Group]) -> str:
    """`Stride2`: the argument that tells these instances of a block from those of other structure."""
    first = next(iter(group.members)).graph
    for name, value in first.arguments.items():
        own = all(plan.graph.arguments.get(name) == value for plan in group.members)
        elsewhere = [p.graph.arguments.get(name) for g in others for p in g.members]
        if not own or value in elsewhere:
            continue
        if value is True:
            return pascal_case(name)
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return f"{pascal_case(name)}{value}"
        if isinstance(value, str) and value.isidentifier():
            return pascal_case(value)
    return ""


def distinct_class(name: str, taken: set[str]) -> str:
    """`Residual`, `Residual2`, `Residual3`, ..."""
    number, candidate = 2, name
    while candidate in taken:
        candidate, number = f"{name}{number}", number + 1
    return candidate
