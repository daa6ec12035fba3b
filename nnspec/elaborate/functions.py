"""Functions: blocks whose names begin with a small letter. They take tensors first, and keep nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from nnspec.elaborate import arguments, layers, statements
from nnspec.elaborate.blocks import all_inputs, bound_outputs, plain, start
from nnspec.elaborate.builder import Builder
from nnspec.elaborate.errors import error
from nnspec.elaborate.limits import EDGE, MOVED, NODE, check_depth
from nnspec.elaborate.lints import lint
from nnspec.elaborate.session import Body
from nnspec.elaborate.values import (
    BlockFunction,
    BlockReference,
    Layer,
    Poison,
    Poisoned,
    describe,
    is_number,
)
from nnspec.graph.graph import Call, Value
from nnspec.graph.training import Gradient
from nnspec.report.diagnostics import Label
from nnspec.report.source import Span

WITHIN = "()"
"""The path of a function's body while it is worked out: no layer can stand there."""


def call_function(
    body: Body, function: BlockFunction, operands: list[tuple[Any, Span]], span: Span
) -> tuple[Value, ...]:
    """Apply a function: a `Call`, or its steps where it uses layers or networks that it was given."""
    block, outer, session = function.block, body.builder, body.session
    declaration = block.declaration
    chain = " -> ".join([*(name for name, _ in session.chain[-4:]), block.name])
    check_depth(outer.depth + 1, span, chain)
    found, given = _bound(function, operands, span)
    for value in given.values():  # a layer that is made for the function belongs to the caller
        if isinstance(value, Layer) and not isinstance(value, layers.WAITING):
            layers.place(outer, value, layers.default_name(value))
    inner = outer.child(WITHIN)
    session.chain.append((block.name, span))
    try:
        inside = start(session, block, inner, given, found)
        inside.trains = body.trains
        statements.run(inside, declaration.body)
        lint(inside, declaration.body)
        outputs = bound_outputs(inside, declaration)
        if outputs is None or inside.failed:
            body.failed = True
            raise Poisoned
    finally:
        session.chain.pop()
    parameters = tuple(inside.inputs)
    tensors = tuple(t for t in found if t is not None)
    if _borrows(inner, block) or outer.flat:
        return _inlined(outer, inner, dict(zip(parameters, tensors, strict=True)), outputs, span)
    outer.budget.spend(NODE + EDGE * (len(tensors) + len(outputs)), span, "one node more")
    inner.path = ""
    graph = inner.graph(
        name=block.name,
        inputs=(*parameters, *inner.captured.values()),
        outputs=outputs,
        output_names=tuple(name for name, _, _ in inside.outputs),
        kind="function",
        arguments=plain(inside, declaration),
        span=declaration.name.span,
        doc=declaration.doc,
    )
    results = tuple(Value(v.type, None, span) for v in outputs)
    outer.steps.append(
        Call(graph, (*tensors, *inner.captured), results, "", span, outer.take_doc())
    )
    return results


def _bound(
    function: BlockFunction, operands: list[tuple[Any, Span]], span: Span
) -> tuple[tuple[Value | None, ...], dict[str, Any]]:
    """What the inputs get, in order, None where they are left out, and what the parameters get."""
    block = function.block
    inputs = [n.name.text for n in block.inputs]
    parameters = block.declaration.parameters
    spread: list[tuple[Any, Span]] = []
    for value, at in operands:
        several = isinstance(value, tuple) and all(isinstance(v, Value) for v in value)
        spread += [(v, at) for v in value] if several else [(value, at)]
    names = [*inputs, *(p.name.text for p in parameters)]
    found = arguments.assign(
        block.name, names, [*spread, *function.positional], function.named, span
    )
    given = {name: value for name, (value, _) in found.items()}
    count = max((i + 1 for i, name in enumerate(inputs) if name in found), default=0)
    tensors = all_inputs(block, tuple(given.get(name) for name in inputs[:count]), span)
    for name in inputs:
        value, at = found.get(name, (None, span))
        if value is None:
            continue
        if isinstance(value, Poison):
            raise Poisoned
        if not isinstance(value, Value):
            raise error(
                "E0308",
                f"`{name}` of `{block.name}` is a tensor",
                at,
                f"found {describe(value)}",
                helps=(f"make it a parameter: `block {block.name}({name})`",)
                if is_number(value)
                else (),
            )
    for parameter in parameters:
        name = parameter.name.text
        if name not in found and parameter.default is None:
            raise error(
                "E0303",
                f"`{block.name}` needs `{name}`",
                span,
                f"`{name}` is missing",
                (Label(parameter.span, "declared here"),),
            )
        if name in found and parameter.type is not None:
            layers.check_parameter(block.name, name, parameter.type.text, *found[name])
    return tensors, {name: value for name, value in given.items() if name not in inputs}


def _borrows(inner: Builder, block: BlockReference) -> bool:
    """Whether the body uses what it was given; a layer of its own is an error."""
    borrows = False
    for step in inner.steps:
        if step in inner.foreign or isinstance(step, Gradient) or _is_network(step):
            borrows = True
        elif step.layer:
            raise error(
                "E0314",
                f"function `{block.name}` holds a layer",
                step.span or block.declaration.name.span,
                f"`{step.layer}`",
                (
                    Label(
                        block.declaration.name.span,
                        "a block with a small first letter is a function, and keeps nothing",
                    ),
                ),
            )
    return borrows


def _is_network(step: Any) -> bool:
    return isinstance(step, Call) and step.body.kind == "model" and step.body.path == ""


def _inlined(
    outer: Builder,
    inner: Builder,
    place: dict[Value, Value],
    outputs: tuple[Value, ...],
    span: Span,
) -> tuple[Value, ...]:
    place = place | {new: old for old, new in inner.captured.items()}
    outer.budget.spend(MOVED * len(inner.steps), span)
    for step in inner.steps:
        moved = replace(step, inputs=tuple(place.get(v, v) for v in step.inputs))
        owner = inner.foreign.get(step)
        if owner is not None and owner != outer.path:
            outer.foreign[moved] = owner
        outer.steps.append(moved)
    return tuple(place.get(v, v) for v in outputs)
