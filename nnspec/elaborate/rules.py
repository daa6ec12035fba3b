"""Optimizers and schedules: blocks without weights, worked out as graphs by themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from nnspec.catalogue.ops.elementwise import Constant
from nnspec.core.types import TensorType
from nnspec.elaborate.blocks import instance
from nnspec.elaborate.builder import Builder
from nnspec.elaborate.errors import error
from nnspec.elaborate.expressions import evaluate
from nnspec.elaborate.library import is_shipped
from nnspec.elaborate.optimizers import DECAY
from nnspec.elaborate.session import Body, Session
from nnspec.elaborate.simplify import simplified
from nnspec.elaborate.statements import tensor_type
from nnspec.elaborate.values import (
    BlockReference,
    OptimizerValue,
    Poisoned,
    ScheduleValue,
    describe,
    is_number,
)
from nnspec.graph.graph import Graph, Node, Value
from nnspec.graph.updates import Argument, Rule, Schedule, State, Update
from nnspec.report.diagnostics import Label, Reporter
from nnspec.report.source import Span
from nnspec.syntax import tree

WEIGHT, GRADIENT, STEP = "w", "g", "step"


@dataclass
class Supply:
    """What the inputs of a rule are, by name; numbers become scalars of its element type."""

    dtype: str
    values: dict[str, Value]
    states: dict[str, State] = field(default_factory=dict)
    weight: TensorType | None = None

    def take(self, body: Body, written: tree.TypedName) -> Value:
        name = written.name.text
        if name in self.values and written.initial is None:
            return self.values[name]
        if written.initial is None or self.weight is None:
            known = ", ".join(f"`{n}`" for n in self.values)
            raise error(
                "E0314",
                f"nobody gives `{name}` to `{body.name}`",
                written.span,
                "",
                helps=(f"it is given {known}; a state has an initial value: `{name} = 0`",),
            )
        if name in self.values:
            raise error(
                "E0314",
                f"`{name}` is given to an optimizer, and can be no state of it",
                written.span,
                "begins with a number of its own",
                helps=("give the state another name",),
            )
        initial = evaluate(body, written.initial)
        if not is_number(initial):
            raise error(
                "E0301",
                "a state begins as a number",
                written.initial.span,
                f"found {describe(initial)}",
            )
        kind = self.weight
        if written.type is not None:
            kind = tensor_type(body, written.type, False)
            if kind.is_float:
                kind = TensorType(self.dtype, kind.shape)
        self.states[name] = State(name, kind, float(initial))
        return Value(kind, name, written.name.span)

    def scalar(self, body: Body, number: float, item: tree.NamedExpr) -> Value:
        return body.builder.scalar(number, self.dtype, item.span)


def update(session: Session, value: OptimizerValue, sample: TensorType) -> Update:
    """The optimizer of a program, worked out for one weight, to see that it can be."""
    value = replace(value, arguments={n: _plain(session, v) for n, v in value.arguments.items()})
    _, parameters = _rule(session, value, sample)
    making, given = value.making, _arguments(session, parameters | value.arguments)
    spares = bool(making.no_decay and given[DECAY])

    @cache
    def rule(weight: TensorType) -> Rule:
        return _rule(session, value, weight, spares)[0]

    return Update(
        value.block.name,
        is_shipped(value.block),
        given,
        rule,
        making.every or 1,
        making.accumulate or 1,
        making.clip_norm,
        making.clip_value,
        making.no_decay if spares else (),
    )


def _plain(session: Session, value: Any) -> Any:
    """A schedule that gives the same number at every step is that number."""
    if isinstance(value, ScheduleValue):
        match schedule(session, value).graph("f64"):
            case Graph(steps=(Node(op=Constant(value=number)) as node,), outputs=outputs) if (
                node.outputs == outputs
            ):
                return float(number)
    return value


def _arguments(session: Session, values: Mapping[str, Any]) -> dict[str, Argument]:
    return {
        n: schedule(session, v) if isinstance(v, ScheduleValue) else v for n, v in values.items()
    }


def schedule(session: Session, value: ScheduleValue) -> Schedule:
    """A schedule of a program, worked out once, to see that it can be."""

    @cache
    def graph(dtype: str) -> Graph:
        return _schedule(session, value, dtype)[0]

    _, parameters = _schedule(session, value, "f32")
    given = _arguments(session, parameters | value.arguments)
    return Schedule(value.block.name, is_shipped(value.block), given, graph)


def _rule(
    session: Session, value: OptimizerValue, weight: TensorType, spares: bool = False
) -> tuple[Rule, dict[str, Any]]:
    block, scalar = value.block, TensorType(weight.dtype, ())
    supply = Supply(
        weight.dtype,
        {
            WEIGHT: Value(weight, WEIGHT),
            GRADIENT: Value(weight, GRADIENT),
            STEP: Value(scalar, STEP),
        },
        weight=weight,
    )
    changing = {n for n, v in value.arguments.items() if isinstance(v, ScheduleValue)}
    changing |= {DECAY} if spares else set()
    given = {
        p.name.text: Value(scalar, p.name.text)
        for p in block.declaration.parameters
        if p.name.text in changing
    }
    body, builder = _run(session, block, value.arguments | given, supply, value.span)
    places = {v.name: v for v in body.inputs}
    outputs = _outputs(body, block.declaration, supply)
    states = tuple((s, places[s.name], outputs[s.name]) for s in supply.states.values())
    steps, result, kept = simplified(builder, outputs[WEIGHT], states)
    graph = Graph(
        block.name,
        (*supply.values.values(), *given.values(), *(place for _, place, _ in kept)),
        steps,
        (result, *(new for _, _, new in kept)),
        (WEIGHT, *(state.name for state, _, _ in kept)),
        "block",
        span=block.declaration.name.span,
        doc=block.declaration.doc,
    )
    rule = Rule(graph, tuple(given), tuple(state for state, _, _ in kept))
    return rule, _parameters(body, block.declaration)


def _outputs(body: Body, declaration: tree.Block, supply: Supply) -> dict[str, Value]:
    """The new weight and the new states by name; a state that is not put out stays as it is."""
    found: dict[str, Value] = {v.name: v for v in body.inputs if v.name in supply.states}
    for name, value, span in body.outputs:
        if name != WEIGHT and name not in supply.states:
            raise error(
                "E0314",
                f"an optimizer puts out the new `w` and its states, and `{name}` is neither",
                span,
                "",
                helps=(f"an input with an initial value is a state: `input w, g, {name} = 0`",),
            )
        wanted = supply.weight if name == WEIGHT else supply.states[name].type
        if value.type != wanted:
            raise error(
                "E0402",
                f"`{name}` goes in as {wanted} and comes out as {value.type}",
                span,
                f"found {value.type}",
            )
        found[name] = value
    if WEIGHT not in found:
        raise error(
            "E0314",
            f"optimizer `{declaration.name.text}` puts out no `w`",
            declaration.name.span,
            "",
            helps=("end it with `output w = ...` and its states",),
        )
    return found


def _schedule(session: Session, value: ScheduleValue, dtype: str) -> tuple[Graph, dict[str, Any]]:
    block = value.block
    step = Value(TensorType(dtype, ()), STEP)
    body, builder = _run(session, block, value.arguments, Supply(dtype, {STEP: step}), value.span)
    name, result, span = body.outputs[0]
    if len(body.outputs) == 1 and result.type.rank == 0 and result.type != step.type:
        raise error(
            "E0402",
            f"`step` goes in as {step.type} and schedule `{block.name}` comes out as {result.type}",
            span,
            f"found {result.type}",
            helps=("a schedule serves weights of every type: write `cast(..., step.dtype)`",),
        )
    if len(body.outputs) > 1 or result.type.rank:
        raise error(
            "E0314",
            f"schedule `{block.name}` puts out one number",
            body.outputs[-1][2],
            f"found {body.outputs[-1][1].type}",
        )
    steps, result, _ = simplified(builder, result, ())
    graph = Graph(
        block.name, (step,), steps, (result,), (name,), "block",
        span=block.declaration.name.span, doc=block.declaration.doc,
    )  # fmt: skip
    return graph, _parameters(body, block.declaration)


def _run(
    session: Session, block: BlockReference, given: Mapping[str, Any], supply: Supply, span: Span
) -> tuple[Body, Builder]:
    """Work out a block by itself; what is wrong in it is raised."""
    reporter = Reporter()
    chain = [*session.chain, (block.name, span)]
    alone = replace(session, reporter=reporter, chain=chain, seen=set())
    builder = Builder("", session.budget, {}, flat=True)
    body = _worked_out(alone, block, builder, given, supply)
    for diagnostic in reporter.diagnostics:
        session.reporter.report(diagnostic)
    layer = next((s for s in builder.steps if s.layer), None)
    if layer is not None:
        raise error(
            "E0314",
            f"`{block.name}` holds a layer",
            layer.span,
            f"`{layer.layer}`",
            (Label(block.declaration.name.span, "an optimizer or schedule is made of functions"),),
        )
    return body, builder


def _worked_out(
    session: Session,
    block: BlockReference,
    builder: Builder,
    given: Mapping[str, Any],
    supply: Supply,
) -> Body:
    values = {
        n: _inner(session, builder, v, supply) if isinstance(v, ScheduleValue) else v
        for n, v in given.items()
    }
    body = instance(session, block, builder, values, supply)
    session.reporter.raise_errors()
    if body.failed:
        raise Poisoned
    return body


def _inner(session: Session, builder: Builder, value: ScheduleValue, supply: Supply) -> Value:
    """What a schedule that is given to a schedule is at this step."""
    supply = Supply(supply.dtype, {STEP: supply.values[STEP]})
    body = _worked_out(session, value.block, builder, value.arguments, supply)
    result: Value = body.outputs[0][1]
    return result


def _parameters(body: Body, declaration: tree.Block) -> dict[str, Any]:
    return {p.name.text: body.scope.bindings[p.name.text].value for p in declaration.parameters}
