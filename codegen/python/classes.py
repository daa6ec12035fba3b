"""Graphs as classes: one for each block, shared by all instances that differ only in numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from codegen.python.containers import container, shortened, told
from codegen.python.dialect import ClassParts, Dialect, UnsupportedOp
from codegen.python.docs import doc_of
from codegen.python.forward import Forward
from codegen.python.merging import (
    Draft,
    literal_columns,
    literals,
    replaced,
    same_argument,
    skeleton,
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
from codegen.python.sharing import Naming, Shared, Sizes, Told, tell
from codegen.python.sizes import shapes_of
from codegen.python.source import Assign, Call, Expr, Name, Return, Stmt, Tuple
from codegen.python.source.tree import names
from nnspec.core.names import pascal_case
from nnspec.graph.graph import Graph, walk


@dataclass(eq=False)
class Group(Shared):
    """Instances that share a class, numbered, and the draft of each."""

    name: str = ""
    members: dict[Plan, int] = field(default_factory=dict)
    drafts: list[Draft] = field(default_factory=list)

    @property
    def is_model(self) -> bool:
        return next(iter(self.members)).graph.kind == "model"


@dataclass(frozen=True)
class Classes:
    """definitions: in an order in which each class follows those it uses.
    names: class of each graph that was given; plans: where its weights live (`codegen.python.plan.owners`)."""

    definitions: tuple[Stmt, ...]
    names: dict[Graph, str]
    plans: dict[Graph, Plan]


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
    dialect.standing_in.learn(graphs, dialect)
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
            group = found.setdefault(key, Group())
            group.members[plan] = len(group.members)
            group.drafts.append(draft)
            self.groups[plan] = group
        named: dict[str, list[Group]] = {}
        for group in found.values():
            own = next(iter(group.members)).graph.name
            alike = named.setdefault(own, [])
            others = [plan for other in alike for plan in other.members]
            wanted = own + (difference(list(group.members), others) if alike else "")
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
            told = difference([plan], others)
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
                between = (
                    "tensors of different sizes"
                    if len(other.inputs) == len(plan.graph.inputs)
                    else "uses with an input and without it"
                )
                raise UnsupportedOp(
                    next(walk(other)),
                    self.dialect.name,
                    f"one `{plan.graph.name}` is shared between {between}, and its code depends on that",
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

    def constructor(self, slot: Slot, *, whole: bool = False) -> Expr:
        match slot:
            case LayerSlot(_, expression):
                return expression
            case WeightSlot(weight):
                assert self.dialect.weight is not None
                return self.dialect.weight(weight)
            case BlockSlot(plan):
                return self.instance(plan, whole=whole)
            case ChainSlot(slots):
                assert self.dialect.sequence is not None
                return self.dialect.sequence(shortened(tuple(map(self.constructor, slots))))
            case ListSlot(slots):
                built = tuple(map(self.constructor, slots))
                if told(built) is None:
                    # With defaults written out, what differs may be a progression.
                    full = tuple(self.constructor(slot, whole=True) for slot in slots)
                    built = full if told(full) is not None else built
                return container(built, self.dialect.container, self.dialect.loop)

    def instance(self, plan: Plan, *, whole: bool) -> Expr:
        """`Residual(64, stride=2)`; whole: with what is the default."""
        group = self.groups[plan]
        given, named = group.given(group.members[plan], whole=whole)
        return Call(Name(group.name), given, tuple(named.items()))

    def merge(self, group: Group) -> ClassParts:
        first, draft = next(iter(group.members)), group.drafts[0]
        init, forward, kept = draft.init, draft.forward, list[str]()
        if len(group.drafts) > 1:
            offset = len(literals(draft.init))
            told = self.told(group, offset)
            init = replaced(init, {i: at.write("") for i, at in told.items() if i < offset})
            later = {i - offset: at for i, at in told.items() if i >= offset}
            forward = replaced(forward, {i: at.write("self.") for i, at in later.items()})
            forward = (*group.prologue, *forward)
            kept = [later[i].parameter for i in sorted(later)]
        own = tuple(Assign(Name(f"self.{n}"), Name(n)) for n in dict.fromkeys(kept) if n)
        if len(group.members) > 1:
            forward = without_notes(forward)
        model = first.graph.kind == "model"
        lines = [doc_of([plan.graph for plan in group.members], group.parameters)]
        if model:
            lines = [first.graph.doc, self.describe(first.graph)]
        return ClassParts(
            name=group.name,
            doc="\n\n".join(line for line in lines if line) or None,
            parameters=group.signature(typed=True),
            init=(*own, *init),
            forward=forward,
            inputs=draft.inputs,
            results=draft.results,
            graph=first.graph,
            model=model,
        )

    def told(self, group: Group, offset: int) -> dict[int, Told]:
        """What stands in each place where instances differ; the first of the forward pass is `offset`."""
        plans = list(group.members)
        graphs = [plan.graph for plan in plans]
        slots = set().union(*(plan.slots for plan in plans))
        used = {*slots, *self.taken, *self.reserved, *self.dialect.forward_names}

        def free(wanted: str) -> str:
            name = identifier(attribute(wanted, self.dialect.reserved_attributes))
            return distinct(name, used.union(group.parameters))

        draft = group.drafts[0]
        local = {*draft.inputs, *self.dialect.forward_names, *names(*draft.forward)}
        # Applied anew, an instance may meet other sizes.
        once = {} if any(p.others for p in plans) else shapes_of(draft.inputs, graphs)
        naming = Naming(
            lambda column: same_argument(column, [g.arguments for g in graphs]),
            free,
            lambda wanted: distinct(identifier(wanted, self.reserved), {*local, *group.held}),
            Sizes(self.dialect, draft.forward, once, offset),
        )
        trees = [(d.init, d.forward) for d in group.drafts]
        return tell(literal_columns(trees), group, naming)


def difference(plans: Sequence[Plan], others: Sequence[Plan]) -> str:
    """`Stride2`: the argument that tells these instances of a block from those of other structure."""
    given = plans[0].graph.arguments.items()
    for name, value in sorted(given, key=lambda item: item[1] is not True):
        own = all(plan.graph.arguments.get(name) == value for plan in plans)
        if not own or value in [plan.graph.arguments.get(name) for plan in others]:
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
