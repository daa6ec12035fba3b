"""Statements of a body, one after the other; a statement that fails does not stop the rest."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from nnspec.catalogue.initializers import Initializer
from nnspec.core.dims import Dim, symbol
from nnspec.core.dtypes import DTYPES
from nnspec.core.types import TensorType
from nnspec.elaborate import arguments, layers, operators
from nnspec.elaborate.builder import Builder
from nnspec.elaborate.builtins import show
from nnspec.elaborate.errors import error, located
from nnspec.elaborate.expressions import evaluate, size
from nnspec.elaborate.limits import OutOfBudget, check_axes
from nnspec.elaborate.session import Body
from nnspec.elaborate.unify import match, mismatch
from nnspec.elaborate.values import (
    POISON,
    BlockFunction,
    BlockLayer,
    FunctionLayer,
    Layer,
    Poisoned,
    Reference,
    clone,
    describe,
    is_number,
)
from nnspec.graph.graph import Value, Weight
from nnspec.report.diagnostics import Label, SpecError, did_you_mean
from nnspec.report.source import Span
from nnspec.syntax import tree


def run(body: Body, statements: Sequence[tree.Statement]) -> None:
    """Carry out statements, reporting what fails."""
    for statement in statements:
        try:
            execute(body, statement)
        except OutOfBudget as failure:
            body.fail(failure)
            raise
        except SpecError as failure:
            body.fail(located(failure, statement.span))
            _poison(body, statement)
        except Poisoned:
            body.failed = True
            _poison(body, statement)


def execute(body: Body, statement: tree.Statement) -> None:
    """Carry out one statement."""
    body.builder.doc = statement.doc
    match statement:
        case tree.Assign():
            _assign(body, statement)
        case tree.Input():
            for name in statement.names:
                _input(body, name)
        case tree.Output():
            for item in statement.values:
                _output(body, item)
        case tree.Weight():
            _weight(body, statement)
        case tree.For():
            _for(body, statement)
        case tree.If():
            chosen = operators.truth(evaluate(body, statement.condition), statement.condition.span)
            run(body, statement.then if chosen else statement.otherwise)
        case tree.Assert():
            _assert(body, statement)
        case _:
            body.extra.execute(body, statement)


def bound_names(statements: Sequence[tree.Statement]) -> Iterator[tree.Identifier]:
    """Every name that the statements give a value, loops and branches entered."""
    for statement in statements:
        match statement:
            case tree.Assign(targets=targets):
                yield from targets
            case tree.Input(names=names) | tree.Batch(names=names):
                yield from (n.name for n in names)
            case tree.Weight(name=name):
                yield name
            case tree.For(targets=targets, body=inner):
                yield from targets
                yield from bound_names(inner)
            case tree.If(then=then, otherwise=otherwise):
                yield from bound_names(then)
                yield from bound_names(otherwise)
            case tree.Output(values=values):
                yield from (v.name for v in values if v.name is not None)


def _poison(body: Body, statement: tree.Statement) -> None:
    names = [*bound_names([statement]), *_named_stages(statement)]
    for name in names:
        body.scope.bind(name.text, POISON, name.span)
        body.scope.read.add(name.text)
    if isinstance(statement, tree.Output):
        have = len(body.outputs)
        body.outputs += [
            (f"failed_{have + i}", POISON, v.span) for i, v in enumerate(statement.values)
        ]


def _named_stages(statement: tree.Statement) -> Iterator[tree.Identifier]:
    """What `as` would have named in the pipes of a statement."""
    match statement:
        case tree.Assign(values=values):
            pipes = list(values)
        case tree.Output(values=named):
            pipes = [v.value for v in named]
        case _:
            pipes = []
    for pipe in pipes:
        while isinstance(pipe, tree.Pipe):
            if isinstance(pipe.function, tree.Named):
                yield pipe.function.name
            pipe = pipe.value


# --- assignment -----------------------------------------------------------------------------------


def _assign(body: Body, statement: tree.Assign) -> None:
    values = [evaluate(body, e) for e in statement.values]
    targets = statement.targets
    if len(values) == 1 and len(targets) > 1:
        (value,) = values
        if not isinstance(value, (tuple, list, range)):
            raise error(
                "E0307",
                f"{len(targets)} names need as many values",
                statement.values[0].span,
                f"found {describe(value)}",
            )
        values = list(value)
    if len(values) != len(targets):
        names = ", ".join(f"`{t.text}`" for t in targets)
        raise error(
            "E0307",
            f"{len(targets)} name{'s' if len(targets) > 1 else ''} ({names}) for {len(values)}"
            f" value{'s' if len(values) != 1 else ''}",
            statement.values[0].span.to(statement.values[-1].span),
            f"gives {len(values)}",
        )
    for target, value in zip(targets, values, strict=True):
        if target.text != "_":
            bind(body, target, value)


def bind(body: Body, target: tree.Identifier, value: Any) -> None:
    """Bind a name; a tensor or layer that has no name yet takes this one."""
    if body.extra is not None:
        value = body.extra.bound(body, target, value)
    _name(body.builder, target.text, value)
    body.scope.bind(target.text, value, target.span)


def _name(builder: Builder, name: str, value: Any) -> None:
    match value:
        case Weight():
            pass
        case Value(name=None):
            # The value is still in the making: its graph has not been closed.
            object.__setattr__(value, "name", name)
        case FunctionLayer() | BlockFunction():
            pass
        case Layer():
            layers.bind(builder, value, name)
        case list():
            found = [v for v in value if isinstance(v, Layer) and v.owner is None]
            if found and len(found) == len(value):
                local = builder.namer.claim(name)
                for i, layer in enumerate(value):
                    layer.owner, layer.local = builder.path, f"{local}.{i}"
                    layer.bound = layer.local
        case _:
            pass


# --- inputs, outputs, weights ---------------------------------------------------------------------


def tensor_type(body: Body, written: tree.TensorType, declare: bool) -> TensorType:
    """A written type; with `declare`, names without a value become symbolic sizes."""
    dtype = written.dtype.text
    if dtype not in DTYPES:
        raise error(
            "E0403",
            f"there is no dtype `{dtype}`",
            written.dtype.span,
            "unknown",
            helps=did_you_mean(dtype, DTYPES) or (f"dtypes are {', '.join(DTYPES)}",),
        )
    check_axes(len(written.shape), written.span)
    shape = []
    for dim in written.shape:
        if isinstance(dim, tree.Name) and declare:
            if dim.text == "_":
                shape.append(symbol(_anonymous(body)))
                continue
            if _is_new(body, dim):
                body.sizes[dim.text] = symbol(dim.text)
                body.scope.sizes[dim.text] = dim.span
        shape.append(size(body, dim))
    return TensorType(dtype, tuple(shape))


def _is_new(body: Body, dim: tree.Name) -> bool:
    """Whether nothing gives the name of a size a meaning yet."""
    here = dim.text in body.scope.bindings or dim.text in body.sizes
    return not here and body.module.find(dim.text) is None and dim.text not in body.module.constants


def _anonymous(body: Body) -> str:
    count = 1
    while f"_{count}" in body.sizes:
        count += 1
    body.sizes[f"_{count}"] = symbol(f"_{count}")
    return f"_{count}"


def _input(body: Body, written: tree.TypedName) -> None:
    name = written.name.text
    if body.kind == "train":
        raise error(
            "E0505",
            "a training program reads a batch, not inputs",
            written.span,
            helps=("write `batch` in place of `input`",),
        )
    if written.is_optional and body.given is None:
        raise error(
            "E0313",
            f"`{name}` may be left out where a block is applied, and nobody applies this {body.kind}",
            written.span,
            "no input of a block that stands in a pipe",
            helps=(f"leave `= none` out: `{name}` is given then",),
        )
    if written.is_state and body.supply is None and body.keeping is None:
        raise error(
            "E0313",
            f"`{name}` is a state, and a {body.kind} keeps none",
            written.span,
            "an input with an initial value",
            helps=("blocks with states are applied by `minimize ... using` and by `scan` alone",),
        )
    if name in body.scope.bindings:
        raise error(
            "E0203",
            f"`{name}` has a value already",
            written.name.span,
            "declared again here",
            (Label(body.scope.bindings[name].span, "first here"),),
        )
    if body.supply is not None:
        value = body.supply.take(body, written)
    elif body.given is None:
        if written.type is None:
            raise error(
                "E0402",
                f"input `{name}` of a model needs a type",
                written.name.span,
                "no type",
                helps=(f"write, for example, `{name}: f32[N, 28, 28, 1]`",),
            )
        value = Value(tensor_type(body, written.type, True), name, written.name.span)
    else:
        given = _given(body, written)
        if given is None:
            body.scope.bind(name, None, written.name.span, is_parameter=True)
            return
        value = given
        if written.is_state and written.initial is not None and body.keeping is not None:
            initial = evaluate(body, written.initial)
            if not is_number(initial):
                found = f"found {describe(initial)}"
                raise error("E0301", "a state begins as a number", written.initial.span, found)
            body.keeping.types[name] = value.type
            body.keeping.numbers[name] = initial
    body.inputs.append(value)
    body.scope.bind(name, value, written.name.span, is_parameter=True)


def _given(body: Body, written: tree.TypedName) -> Value | None:
    """An input of a block that is being applied: the next of what it is given; None where it is left out."""
    assert body.given is not None
    if body.taken >= len(body.given):
        raise Poisoned  # the count has been reported by the caller
    value = body.given[body.taken]
    body.taken += 1
    if value is None and written.is_optional:
        return None
    if value is None:
        assert written.type is not None
        return Value(tensor_type(body, written.type, True), written.name.text, written.name.span)
    named = Value(value.type, written.name.text, written.name.span)
    if written.type is not None:
        # Sizes that this type is the first to name are those of the tensor that is given.
        fresh = [
            d.text for d in written.type.shape if isinstance(d, tree.Name) and _is_new(body, d)
        ]
        declared = tensor_type(body, written.type, True)
        learned: dict[str, Dim] = {}
        fits = match(declared, value.type, learned)
        body.sizes |= {name: learned[name] for name in fresh if name in learned}
        if not fits:
            raise mismatch(
                body.name,
                written.name.text,
                declared,
                written.span,
                value,
                body.session.chain[-1][1],
            )
    return named


def _output(body: Body, item: tree.NamedExpr) -> None:
    if body.kind == "train":
        raise error(
            "E0505",
            "a training program has no outputs",
            item.span,
            helps=("report a number with `metric name = ...`",),
        )
    value = evaluate(body, item.value)
    values = value if isinstance(value, tuple) and item.name is None else (value,)
    for one in values:
        if body.supply is not None and is_number(one):
            one = body.supply.scalar(body, one, item)
        if not isinstance(one, Value):
            names = (
                ", ".join(f"y{i + 1}" for i in range(len(one))) if isinstance(one, tuple) else ""
            )
            raise error(
                "E0308",
                "an output is a tensor",
                item.value.span,
                f"found {describe(one)}",
                helps=(f"take it apart first: `{names} = ...`",) if names else (),
            )
        name = _output_name(body, item, one)
        if name in body.put_out:
            raise error(
                "E0203",
                f"there are two outputs `{name}`",
                item.span,
                "again here",
                (Label(body.put_out[name], "first here"),),
            )
        body.put_out[name] = item.span
        if one.name is None and not isinstance(one, Weight):
            object.__setattr__(one, "name", name)
        body.outputs.append((name, one, item.span))
        if item.name is not None:
            body.scope.bind(name, one, item.name.span)
            body.scope.read.add(name)


def _output_name(body: Body, item: tree.NamedExpr, value: Value) -> str:
    if item.name is not None:
        return item.name.text
    if isinstance(item.value, tree.Name):
        return item.value.text
    if value.name is not None:
        return value.name
    count = 1
    while (name := "output" if count == 1 else f"output_{count}") in body.put_out:
        count += 1
    return name


def _weight(body: Body, statement: tree.Weight) -> None:
    name = statement.name.text
    kind = tensor_type(body, statement.type, False)
    if not all(isinstance(d, int) for d in kind.shape):
        raise error("E0403", "a weight's sizes are numbers", statement.type.span, f"found {kind}")
    if not kind.is_float:
        raise error(
            "E0403", f"a weight is of floats, found {kind.dtype}", statement.type.dtype.span
        )
    initializer = evaluate(body, statement.initializer)
    initializer = _initializer(initializer, statement)
    local = body.builder.namer.claim(name)
    path = f"{body.builder.path}.{local}" if body.builder.path else local
    made = Weight(kind, name, statement.name.span, path, local, initializer)
    weight = body.builder.weight(path, made, statement.span)
    body.builder.free_weights.append(weight)
    body.scope.bind(name, weight, statement.name.span)


def _initializer(value: Any, statement: tree.Weight) -> Initializer:
    at = statement.initializer.span
    if isinstance(value, Reference) and value.kind == "initializer":
        made: Initializer = arguments.construct(value.target, (), {}, at)
        return made
    if not isinstance(value, Initializer):
        raise error(
            "E0301",
            "a weight begins with an initialiser",
            at,
            f"found {describe(value)}",
            helps=("write, for example, `normal(0.02)` or `zeros`",),
        )
    return value


# --- loops and assertions -------------------------------------------------------------------------


def _for(body: Body, statement: tree.For) -> None:
    values = evaluate(body, statement.iterable)
    if not isinstance(values, (list, tuple, range)):
        raise error(
            "E0305", "`for` runs over a list", statement.iterable.span, f"found {describe(values)}"
        )
    body.session.budget.spend(len(values), statement.iterable.span, f"{len(values)} rounds")
    targets = statement.targets
    failed, body.failed = body.failed, False
    for value in values:
        if body.failed:
            return  # the next round would only say the same
        parts = [value]
        if len(targets) > 1:
            if not isinstance(value, (tuple, list)) or len(value) != len(targets):
                raise error(
                    "E0307",
                    f"{len(targets)} names need as many values",
                    statement.iterable.span,
                    f"found {describe(value)}",
                )
            parts = list(value)
        for target, part in zip(targets, parts, strict=True):
            if target.text != "_":
                body.scope.bind(target.text, clone(part) if _unplaced(part) else part, target.span)
        run(body, statement.body)
    body.failed = body.failed or failed


def _unplaced(value: Any) -> bool:
    return isinstance(value, BlockLayer) and value.owner is None and value.bound is not None


def _assert(body: Body, statement: tree.Assert) -> None:
    named = [
        (name, binding)
        for name in _names_in(statement.condition)
        if (binding := body.scope.bindings.get(name)) is not None
    ]
    if body.supply is not None and any(isinstance(b.value, Value) for _, b in named):
        return  # a schedule gives it: it is a number when the program runs
    if operators.truth(evaluate(body, statement.condition), statement.condition.span):
        return
    message = "an assertion does not hold"
    if statement.message is not None:
        text = statement.message.value
        message = re.sub(r"\{([A-Za-z_]\w*)\}", lambda m: _shown(body, m[1], statement.span), text)
    notes = tuple(Label(b.span, f"`{n}` is {describe(b.value)}") for n, b in named)
    raise error("E0310", message, statement.condition.span, "is false", notes)


LONGEST = 200
"""Characters of a value that a message shows."""


def _shown(body: Body, name: str, span: Span) -> str:
    binding = body.scope.get(name)
    if binding is not None:
        body.session.budget.value(binding.value, span)
        text = show(binding.value)
        return text if len(text) <= LONGEST else text[:LONGEST] + "..."
    return show(body.sizes[name]) if name in body.sizes else "{" + name + "}"


def _names_in(expr: Any) -> list[str]:
    match expr:
        case tree.Name(text=text):
            return [text]
        case tree.Binary(left=left, right=right):
            return [*_names_in(left), *_names_in(right)]
        case tree.Unary(operand=operand):
            return _names_in(operand)
        case _:
            return []
