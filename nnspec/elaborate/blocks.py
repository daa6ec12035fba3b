"""Blocks and models: a declaration and its arguments become a graph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nnspec.core.names import snake_case
from nnspec.elaborate import layers, statements
from nnspec.elaborate.builder import Builder
from nnspec.elaborate.errors import error
from nnspec.elaborate.expressions import evaluate
from nnspec.elaborate.library import is_shipped
from nnspec.elaborate.limits import BLOCK, OutOfBudget, check_depth
from nnspec.elaborate.lints import lint
from nnspec.elaborate.modules import Module
from nnspec.elaborate.scope import Scope
from nnspec.elaborate.session import Body, Keeping, Session, Supply
from nnspec.elaborate.values import POISON, BlockLayer, BlockReference, Layer, Poison, Poisoned
from nnspec.graph.graph import Graph, Value
from nnspec.report.diagnostics import Label, SpecError, did_you_mean
from nnspec.report.source import Span
from nnspec.syntax import tree


def model_graph(
    session: Session, module: Module, declaration: tree.Block, given: Mapping[str, Any]
) -> Graph | None:
    """A model by itself, with symbolic sizes; None where it failed (which is reported)."""
    key = (id(declaration), repr(sorted(given.items())))
    if key in session.models:
        return session.models[key]
    builder = Builder("", session.budget, {})
    body = _body(session, module, declaration, builder, dict(given), None)
    statements.run(body, declaration.body)
    lint(body, declaration.body)
    graph = None
    if not _outputs_missing(body, declaration) and not body.failed:
        graph = builder.graph(
            name=declaration.name.text,
            inputs=tuple(body.inputs),
            outputs=tuple(value for _, value, _ in body.outputs),
            output_names=tuple(name for name, _, _ in body.outputs),
            kind="model",
            arguments=plain(body, declaration),
            span=declaration.name.span,
            doc=declaration.doc,
        )
    session.models[key] = graph
    return graph


def instance(
    session: Session,
    block: BlockReference,
    builder: Builder,
    given: Mapping[str, Any],
    supply: Supply,
) -> Body:
    """A block whose inputs somebody supplies by name: an optimizer, a schedule."""
    body = _body(session, block.module, block.declaration, builder, dict(given), None, supply)
    statements.run(body, block.declaration.body)
    if not is_shipped(block):  # what the library could do better is not the writer's to mend
        lint(body, block.declaration.body)
    _outputs_missing(body, block.declaration)
    return body


def start(
    session: Session,
    block: BlockReference,
    builder: Builder,
    given: dict[str, Any],
    tensors: tuple[Value | None, ...],
) -> Body:
    """The body of a block that is applied, with its parameters bound."""
    return _body(session, block.module, block.declaration, builder, given, tensors)


def bound_outputs(body: Body, declaration: tree.Block) -> tuple[Value, ...] | None:
    """What a body puts out; None where that failed (which is reported)."""
    if _outputs_missing(body, declaration):
        return None
    return tuple(value for _, value, _ in body.outputs)


def call_block(
    body: Body, layer: BlockLayer, tensors: tuple[Value | None, ...], span: Span
) -> tuple[Value, ...]:
    """Apply an instance of a block: a `Call`, or its steps where it borrows layers from outside."""
    return tuple(apply_block(body, layer, tensors, span).values())


def apply_block(
    body: Body,
    layer: BlockLayer,
    tensors: tuple[Value | None, ...],
    span: Span,
    keeping: Keeping | None = None,
) -> dict[str, Value]:
    """Outputs by name, of a cell too, whose states the caller keeps."""
    session, outer, declaration = body.session, body.builder, layer.block.declaration
    chain = " -> ".join([*(name for name, _ in session.chain[-4:]), layer.block.name])
    check_depth(outer.depth + 1, span, chain)
    layers.place(outer, layer, snake_case(layer.block.name))
    if keeping is None:
        tensors = all_inputs(layer.block, tensors, span)
    inner = outer.child(layer.path)
    if keeping is not None:
        inner.steps = keeping.steps
    session.chain.append((layer.block.name, span))
    try:
        inside = _body(session, layer.block.module, declaration, inner, layer.arguments, tensors)
        inside.keeping = keeping
        statements.run(inside, declaration.body)
        lint(inside, declaration.body)
        if _outputs_missing(inside, declaration) or inside.failed:
            body.failed = True
            raise Poisoned
    finally:
        session.chain.pop()
    names = tuple(name for name, _, _ in inside.outputs)
    # A state that nobody gave yet has a place by now; what is left out has none.
    written = zip(tensors, layer.block.inputs, strict=True)
    taken = [t for t, i in written if t is not None or not i.is_optional]
    operands = tuple(t or i for t, i in zip(taken, inside.inputs, strict=True))
    results = layers.finish_call(
        outer,
        inner,
        layer,
        operands,
        tuple(inside.inputs),
        tuple(value for _, value, _ in inside.outputs),
        span,
        name=layer.block.name,
        kind="block",
        arguments=plain(inside, declaration),
        output_names=names,
        doc=declaration.doc,
    )
    return dict(zip(names, results, strict=True))


def all_inputs(
    block: BlockReference, tensors: tuple[Value | None, ...], span: Span
) -> tuple[Value | None, ...]:
    """What a block is given, with None for each input that is left out; it keeps no state."""
    inputs = block.inputs
    for state in inputs:
        if state.is_state:
            raise error(
                "E0313",
                f"`{block.name}` has a state, `{state.name.text}`, that nobody would keep here",
                span,
                "",
                (Label(state.span, "an input with an initial value"),),
                ("blocks with states are applied by `minimize ... using` and by `scan` alone",),
            )
    required = sum(not i.is_optional for i in inputs)
    filled = (*tensors, *(None for _ in inputs[len(tensors) :]))
    missing = [i for t, i in zip(filled, inputs, strict=False) if t is None and not i.is_optional]
    declared = Label(block.declaration.name.span, "declared here")
    if len(filled) > len(inputs) or missing and len(tensors) < required:
        names = ", ".join(f"{'perhaps ' if i.is_optional else ''}`{i.name.text}`" for i in inputs)
        count = str(required) if required == len(inputs) else f"{required} to {len(inputs)}"
        raise error(
            "E0304",
            f"`{block.name}` takes {count} tensor{'' if len(inputs) == 1 else 's'}"
            f" ({names or 'none'}), found {len(tensors)}",
            span,
            "",
            (declared,),
        )
    if missing:
        name = missing[0].name.text
        raise error(
            "E0308", f"`{name}` of `{block.name}` is a tensor", span, "found none", (declared,)
        )
    return filled


def _body(
    session: Session,
    module: Module,
    declaration: tree.Block,
    builder: Builder,
    given: dict[str, Any],
    tensors: tuple[Value | None, ...] | None,
    supply: Supply | None = None,
) -> Body:
    later, length = _outline(session, declaration)
    session.budget.spend(BLOCK + length, declaration.name.span, "applied once more")
    scope = Scope(later=later, index=session.index)
    kind = "model" if declaration.is_model else "block"
    name = declaration.name.text
    body = Body(session, module, builder, scope, kind, name, tensors, supply=supply)
    bind_parameters(body, declaration.name.text, declaration.parameters, given)
    return body


def _outline(session: Session, declaration: tree.Block) -> tuple[dict[str, Span], int]:
    """Where a body first binds its names, and how many statements it has."""
    key = id(declaration)
    if key not in session.outlines:
        body = declaration.body
        session.outlines[key] = later_names(body), len(_all(body))
    return session.outlines[key]


def later_names(body: tuple[tree.Statement, ...]) -> dict[str, Span]:
    """Where each name of a body is first bound."""
    found: dict[str, Span] = {}
    for name in statements.bound_names(body):
        found.setdefault(name.text, name.span)
    return found


def bind_parameters(
    body: Body, owner: str, parameters: tuple[tree.Parameter, ...], given: dict[str, Any]
) -> None:
    """Parameters from what is given, else from their defaults (which may read earlier ones)."""
    seen: dict[str, Span] = {}
    for parameter in parameters:
        name = parameter.name.text
        try:
            if name in seen:
                raise error(
                    "E0203",
                    f"`{owner}` has two parameters `{name}`",
                    parameter.name.span,
                    "again here",
                    (Label(seen[name], "first here"),),
                )
            seen[name] = parameter.name.span
            value = _parameter(body, owner, parameter, given)
        except SpecError as failure:
            body.fail(failure)
            if isinstance(failure, OutOfBudget):
                raise
            value = POISON
        except Poisoned:
            value = POISON
        body.scope.bind(name, value, parameter.name.span, is_parameter=True)


def _parameter(body: Body, owner: str, parameter: tree.Parameter, given: dict[str, Any]) -> Any:
    name = parameter.name.text
    if parameter.type is not None and parameter.type.text not in layers.PARAMETER_TYPES:
        known = layers.PARAMETER_TYPES
        raise error(
            "E0311",
            f"there is no parameter type `{parameter.type.text}`",
            parameter.type.span,
            "unknown",
            helps=did_you_mean(parameter.type.text, known) or (f"types are {', '.join(known)}",),
        )
    if name in given:
        value = given[name]
        if body.supply is None and isinstance(value, Value) and not isinstance(value, Poison):
            return _capture(body.builder, value, name)
        if isinstance(value, Layer) and value.owner is None:
            layers.bind(body.builder, value, name)
        return value
    if parameter.default is None:
        raise error("E0303", f"`{owner}` needs `{name}`", parameter.span, "it has no default")
    value = evaluate(body, parameter.default)
    if parameter.type is not None:
        layers.check_parameter(owner, name, parameter.type.text, value, parameter.default.span)
    return value


def _capture(builder: Builder, value: Value, name: str) -> Value:
    """A tensor given as a parameter becomes one more input of the body."""
    if value not in builder.captured:
        builder.captured[value] = Value(value.type, name, value.span)
    return builder.captured[value]


def _outputs_missing(body: Body, declaration: tree.Block) -> bool:
    if body.outputs or any(isinstance(s, tree.Output) for s in _all(declaration.body)):
        return any(isinstance(v, Poison) for _, v, _ in body.outputs) or not body.outputs
    kind = "model" if declaration.is_model else "block"
    body.fail(
        error(
            "E0312",
            f"{kind} `{declaration.name.text}` has no output",
            declaration.name.span,
            "",
            helps=("end the body with `output NAME`",),
        )
    )
    return True


def _all(body: tuple[tree.Statement, ...]) -> list[tree.Statement]:
    found: list[tree.Statement] = []
    for statement in body:
        found.append(statement)
        match statement:
            case tree.For(body=inner):
                found += _all(inner)
            case tree.If(then=then, otherwise=otherwise):
                found += [*_all(then), *_all(otherwise)]
    return found


def plain(body: Body, declaration: tree.Block) -> dict[str, Any]:
    """Parameters whose values a reader of the generated code can use."""
    values = {p.name.text: body.scope.bindings[p.name.text].value for p in declaration.parameters}
    return {
        n: v for n, v in values.items() if isinstance(v, (int, float, str, list, tuple, type(None)))
    }
