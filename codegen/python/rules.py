"""Optimizers that a target has no class for: their blocks, written as classes of the generated file.

A class has the block as its method `rule`, from a weight, its gradient, the step and the states to the new
weight and states, and a method for each schedule. What surrounds a rule is fixed text of the target
(`WrittenOptimizer`): where gradients come from, and where states are kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from codegen.python.dialect import Dialect, Result, Unsupported
from codegen.python.docs import paragraphs
from codegen.python.forward import Forward
from codegen.python.names import distinct, identifier
from codegen.python.optimizers import RATE, NativeOptimizer, entry_of
from codegen.python.source import (
    Assign,
    ClassDef,
    Complement,
    Expr,
    FunctionDef,
    Literal,
    Name,
    Parameter,
    Return,
    Stmt,
    Tuple,
    lift,
)
from nnspec.catalogue.ops.elementwise import Constant
from nnspec.core.types import TensorType
from nnspec.graph.flow import named
from nnspec.graph.graph import Graph, Node
from nnspec.graph.passes.legalize import legalize
from nnspec.graph.training import Minimize, Training
from nnspec.graph.updates import Rule, Schedule, Update

BASE = Name("WrittenOptimizer")
DECAY = "weight_decay"


def written(
    trainings: Iterable[Training],
    dialect: Dialect,
    native: Sequence[NativeOptimizer],
    taken: Sequence[str],
) -> Mapping[Update, ClassDef]:
    """A class for each optimizer that the target has none for.

    native: the classes that it has; taken: names of the file.
    """
    classes: dict[Update, ClassDef] = {}
    reserved = {*dialect.imports, *dialect.helpers, *dialect.reserved}
    for training in trainings:
        for step in training.steps:
            if not isinstance(step, Minimize):
                continue
            update = step.update
            if entry_of(native, update) is not None:
                continue
            prefix = "Scheduled" if update.scheduled and update.shipped else ""
            wanted = f"{prefix}{update.block}"
            used = [*taken, *(c.name for u, c in classes.items() if u is not update)]
            body = _class(distinct(identifier(wanted, reserved), used), step, training, dialect)
            if classes.setdefault(update, body) != body:
                raise _differs(step, dialect)
    return classes


def _types(step: Minimize, training: Training) -> list[TensorType]:
    """Types of the weights that an update moves, one of each element type and number of axes.

    A rule that reads alike for all numbers of axes does for a scalar, whose states look like numbers.
    """
    networks = {n.name: n for n in training.networks}
    moved = (w.type for network, *path in step.over for w in named(networks[network], path))
    kinds = {(t.dtype, t.rank): t for t in moved if t.is_float}
    several = {dtype for dtype, rank in kinds if rank}
    return [t for t in kinds.values() if t.rank or t.dtype not in several]


def _class(name: str, step: Minimize, training: Training, dialect: Dialect) -> ClassDef:
    update = step.update
    bodies = [_body(update, kind, dialect) for kind in _types(step, training)]
    if any(body != bodies[0] for body in bodies[1:]):
        raise _differs(step, dialect)
    rule = update.rule(_types(step, training)[0])
    said = paragraphs(rule.graph.doc or "")[0]
    shown = ", ".join(f"{n} = {_shown(a)}" for n, a in update.arguments.items())
    doc = "\n\n".join(text for text in (said, f"{update.block}({shown})") if text)
    return ClassDef(name, (BASE,), bodies[0], doc=doc)


def _differs(step: Minimize, dialect: Dialect) -> Unsupported:
    reason = "its rule reads differently for weights of other shapes"
    return Unsupported(f"`{step.update.block}`", step.span, dialect.name, reason)


def _shown(argument: object) -> str:
    if isinstance(argument, Schedule):
        inner = ", ".join(f"{n} = {_shown(a)}" for n, a in argument.arguments.items())
        return f"{argument.block}({inner})"
    return str(argument)


def _body(update: Update, kind: TensorType, dialect: Dialect) -> tuple[Stmt, ...]:
    rule = update.rule(kind)
    states = tuple((s.name, s.initial) for s in rule.states if s.type.rank)
    numbers = tuple((s.name, s.initial) for s in rule.states if not s.type.rank)
    decay = update.arguments[DECAY] if DECAY in rule.given and update.no_decay else 0
    # A schedule's value is multiplied with it.
    decay = 1.0 if isinstance(decay, Schedule) else decay
    attributes = [("states", states), ("numbers", numbers), ("decay", decay)]
    scheduled = [n for n in rule.given if isinstance(update.arguments[n], Schedule)]
    return (
        *(Assign(Name(name), lift(held)) for name, held in attributes if held),
        *(_schedule(update, name, kind.dtype, dialect, "self") for name in scheduled),
        _rule(rule, scheduled, bool(decay), dialect),
    )


def rates(
    trainings: Iterable[Training],
    dialect: Dialect,
    native: Sequence[NativeOptimizer],
    taken: Sequence[str],
) -> Mapping[Update, FunctionDef]:
    """For each optimizer with a class of the target's and a schedule, the learning rate as a function of the step.

    dialect: in which the functions are written; taken: names of the file.
    """
    functions: dict[Update, FunctionDef] = {}
    used = [*taken, *dialect.helpers, *dialect.imports, *dialect.reserved]
    for training in trainings:
        for step in training.steps:
            if not isinstance(step, Minimize) or RATE not in step.update.scheduled:
                continue
            if step.update in functions or entry_of(native, step.update) is None:
                continue
            made = _schedule(step.update, RATE, "f32", dialect)
            shown = _shown(step.update.arguments[RATE])
            doc = "\n\n".join(text for text in (made.doc, shown) if text)
            made = replace(made, doc=doc)
            alike = (f for f in functions.values() if replace(f, name=made.name) == made)
            same = next(alike, None)
            name = same.name if same else distinct("learning_rate", used)
            used.append(name)
            functions[step.update] = replace(made, name=name)
    return functions


def _schedule(update: Update, name: str, dtype: str, dialect: Dialect, *own: str) -> FunctionDef:
    """`lr_at(self, step)`, from a step that is counted from 0."""
    schedule = update.arguments[name]
    assert isinstance(schedule, Schedule)
    graph = legalize(schedule.graph(dtype), dialect.legality)
    names, body, (result,) = _written(graph, dialect)
    given = tuple(map(Parameter, (*own, *names)))
    doc = paragraphs(graph.doc)[0] if graph.doc else None
    return FunctionDef(f"{name}_at", given, (*body, Return(result)), doc=doc)


def _rule(rule: Rule, scheduled: Sequence[str], spares: bool, dialect: Dialect) -> FunctionDef:
    """`rule(self, w, g, step, m, v)`; where some weights are spared, with `weight_decay` behind the states."""
    # In the order of the class: states of a weight's shape, then numbers.
    names, body, results = _written(legalize(rule.graph, dialect.legality), dialect)
    weight, gradient, step, *others = names
    count = len(rule.given)
    order = sorted(range(len(rule.states)), key=lambda i: not rule.states[i].type.rank)
    states = [others[count + i] for i in order]
    new, *after = results
    variables = dict(zip(rule.given, others, strict=False))
    rates: list[Stmt] = []
    for name in scheduled:
        rate: Expr = Name(f"self.{name}_at")(Name(step) - 1)
        if spares and name == DECAY:
            rate = Name(variables[name]) * rate
        rates.append(Assign(Name(variables[name]), rate))
    returned = Return(Tuple((new, *(after[i] for i in order))))
    decay = [variables[DECAY]] if spares else []
    given = tuple(map(Parameter, ("self", weight, gradient, step, *states, *decay)))
    return FunctionDef("rule", given, (*rates, *body, returned))


def _written(
    graph: Graph, dialect: Dialect
) -> tuple[list[str], tuple[Stmt, ...], tuple[Expr, ...]]:
    """Names of the inputs, the statements, and the results."""
    plain = dialect.functions[Constant]

    def constant(node: Node, operands: tuple[Expr, ...], forward: Forward) -> Result:
        written = plain(node, operands, forward)
        return _complement(written.value) if isinstance(written, Literal) else written

    dialect = replace(dialect, functions={**dialect.functions, Constant: constant})
    reserved = {*dialect.imports, *dialect.helpers, *dialect.reserved, "self"}
    names: list[str] = []
    for value in graph.inputs:
        names.append(distinct(identifier(value.name or "x", reserved), names))
    forward = Forward(
        dialect,
        list(zip(graph.inputs, names, strict=True)),
        graph.steps,
        graph.outputs,
        layer=lambda name: Name(name),
    )
    forward.run()
    results = tuple(map(forward.result, graph.outputs))
    return names, forward.body(), results


LONG = 12
"""A number of more characters is one that nobody wrote."""


def _complement(number: object) -> Expr:
    """`1 - 0.9` for the number that this comes to, which is 0.09999999999999998."""
    if isinstance(number, float) and len(repr(number)) > LONG:
        rest = round(1 - number, LONG)
        if 1 - rest == number:
            return Complement(number, rest=rest)
    return lift(number)
