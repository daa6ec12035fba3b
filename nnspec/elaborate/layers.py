"""Layers: construction, a place in a graph, application."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from nnspec.catalogue.ops import OPS, Op, ShapeError
from nnspec.core import kinds
from nnspec.core.kinds import Kind
from nnspec.core.names import pascal_case, snake_case
from nnspec.elaborate import arguments
from nnspec.elaborate.builder import Builder, infer
from nnspec.elaborate.errors import error
from nnspec.elaborate.limits import EDGE, MOVED, NODE, check_depth
from nnspec.elaborate.session import Body
from nnspec.elaborate.unify import result_types
from nnspec.elaborate.values import (
    BlockFunction,
    BlockLayer,
    BlockReference,
    FunctionLayer,
    Layer,
    OpLayer,
    ParallelLayer,
    Part,
    Poison,
    Poisoned,
    Reference,
    RepeatLayer,
    SequenceLayer,
    are_numbers,
    describe,
    is_layer,
    is_number,
)
from nnspec.graph.graph import Call, Value, Weight
from nnspec.graph.training import Network
from nnspec.report.diagnostics import Label
from nnspec.report.source import Span


def construct(body: Body, op: type[Op], positional: Any, named: Any, span: Span) -> OpLayer:
    """A layer of the catalogue from its arguments; `activation` is not the op's own."""
    fields = op.arguments()
    names = [f.name for f in fields] + (["activation"] if op.takes_activation else [])
    found = arguments.assign(op.name, names, positional, named, span)
    activation = None
    if op.takes_activation and "activation" in found:
        activation, at = found.pop("activation")
        if activation is not None and not is_layer(activation):
            raise error(
                "E0301",
                f"`activation` of `{op.name}` expects a function such as `relu`",
                at,
                f"found {describe(activation)}",
                helps=(f"without quotes: `{activation}`",)
                if isinstance(activation, str) and activation in OPS
                else (),
            )
    return OpLayer(span, arguments.build(op, fields, found, span), activation)


def instantiate(body: Body, value: Any, span: Span) -> Any:
    """A name of the catalogue or a block, without parentheses, as a layer of its own."""
    match value:
        case Reference(kind="op", target=op) if op.is_layer():
            return construct(body, op, (), {}, span)
        case Reference(kind="op", target=op):
            return FunctionLayer(span, op)
        case Reference(kind="builtin", name=name) if name in OPS:
            return FunctionLayer(span, OPS[name])
        case BlockReference() if value.is_function:
            return BlockFunction(span, value)
        case BlockReference():
            return block_layer(body, value, (), {}, span)
        case _:
            return value


def block_layer(
    body: Body, block: BlockReference, positional: Any, named: Any, span: Span
) -> BlockLayer:
    """An instance of a block; missing arguments are found here, defaults when it is applied."""
    parameters = block.declaration.parameters
    names = [p.name.text for p in parameters]
    found = arguments.assign(block.name, names, positional, named, span)
    for parameter in parameters:
        if parameter.name.text not in found and parameter.default is None:
            raise error(
                "E0303",
                f"`{block.name}` needs `{parameter.name.text}`",
                span,
                f"`{parameter.name.text}` is missing",
                (Label(parameter.span, "declared here"),),
            )
    if body.session.index is not None:
        places = {p.name.text: p.name.span for p in parameters}
        for name, (_, _, at) in named.items():
            body.session.index.name(at, places[name])
    for parameter in parameters:
        if parameter.name.text in found and parameter.type is not None:
            check_parameter(
                block.name, parameter.name.text, parameter.type.text, *found[parameter.name.text]
            )
    return BlockLayer(span, block, {name: value for name, (value, _) in found.items()})


PARAMETER_TYPES: dict[str, Kind] = {
    "int": kinds.whole(),
    "float": kinds.real(),
    "bool": kinds.boolean,
    "string": kinds.string,
    "list": kinds.listing,
    "layer": kinds.require("a layer", is_layer),
    "any": kinds.anything,
}


def check_parameter(owner: str, name: str, kind: str, value: Any, span: Span) -> None:
    """A parameter's declared type against what it is given, which stays as it is; `none` fits all."""
    if value is None or isinstance(value, Poison):
        return
    try:
        PARAMETER_TYPES.get(kind, kinds.anything)(value)
    except ValueError as wrong:
        raise error(
            "E0301", f"`{name}` of `{owner}` expects {wrong}", span, f"found {describe(value)}"
        ) from None


WAITING = (FunctionLayer, BlockFunction)
"""What has no weights, and so no place of its own."""


def bind(builder: Builder, layer: Layer, name: str) -> None:
    """Give a layer that has no place yet the name it is bound to in this graph."""
    if layer.owner is None and not isinstance(layer, WAITING):
        layer.bound = name
        layer.owner = builder.path
        layer.local = builder.namer.claim(name)


def place(builder: Builder, layer: Layer, default: str) -> None:
    """Give a layer that was never bound a place in the graph that first applies it."""
    if layer.owner is None:
        layer.owner = builder.path
        layer.local = builder.namer.claim(default)


def apply(body: Body, layer: Any, inputs: Sequence[Any], span: Span) -> Any:
    """Apply anything that can stand after `->`; the result is a value or a tuple of them."""
    if any(isinstance(i, Poison) for i in inputs) or isinstance(layer, Poison):
        raise Poisoned
    layer = instantiate(body, layer, span)
    if isinstance(layer, Layer) and layer.wanted is not None:
        bind(body.builder, layer, layer.wanted)
    match layer:
        case OpLayer():
            return _op(body, layer, inputs, span)
        case FunctionLayer():
            return function(
                body, layer.op, [*((i, span) for i in inputs), *layer.positional], layer.named, span
            )
        case SequenceLayer():
            return (
                _scoped(body, layer, inputs, span, "sequence")
                if layer.bound
                else _chain(body, layer.stages, inputs, span)
            )
        case ParallelLayer():
            return (
                _scoped(body, layer, inputs, span, "parallel")
                if layer.bound
                else tuple(apply(body, branch, inputs, span) for branch in layer.branches)
            )
        case RepeatLayer():
            return _repeat(body, layer, inputs, span)
        case BlockLayer():
            return _result(
                body.session.call_block(body, layer, _tensors(layer, inputs, span), span)
            )
        case BlockFunction():
            operands = [(i, span) for i in inputs]
            return _result(body.session.call_function(body, layer, operands, span))
        case Network():
            return _result(call_network(body, layer, _given(layer, inputs, span), span))
        case _:
            raise error(
                "E0306", f"{describe(layer)} cannot be applied", span, "not a layer or function"
            )


def _result(values: tuple[Value, ...]) -> Any:
    return values[0] if len(values) == 1 else tuple(values)


def _tensors(layer: Any, inputs: Sequence[Any], span: Span) -> tuple[Value | None, ...]:
    """What a layer is applied to, one after the other; None where nothing is given."""
    flat: list[Any] = []
    for value in inputs:
        flat += value if isinstance(value, tuple) else [value]
    for value in flat:
        if isinstance(value, Poison):
            raise Poisoned
        if value is not None and not isinstance(value, Value):
            raise error(
                "E0308", f"{describe(layer)} applies to tensors", span, f"found {describe(value)}"
            )
    return tuple(flat)


def _given(layer: Any, inputs: Sequence[Any], span: Span) -> tuple[Value, ...]:
    """What a layer is applied to, without what may be left out at the end."""
    tensors = _tensors(layer, inputs, span)
    operands = layer.op.operands if isinstance(layer, OpLayer) else ()
    for operand in reversed(operands[: len(tensors)]):
        if len(tensors) <= len(operands) and tensors[-1] is None and operand.optional:
            tensors = tensors[:-1]
    found = tuple(t for t in tensors if t is not None)
    if len(found) < len(tensors):
        raise error("E0308", f"{describe(layer)} applies to tensors", span, "found none")
    return found


def _op(body: Body, layer: OpLayer, inputs: Sequence[Any], span: Span) -> Any:
    tensors = _given(layer, inputs, span)
    _count(layer.op, tensors, span)
    builder = body.builder
    place(builder, layer, snake_case(layer.op.name))
    infer(layer.op, tensors, span)  # a mismatch is better told than weights that cannot be made
    try:
        specs = layer.op.weights(*(t.type for t in tensors))
    except ShapeError as wrong:
        raise error("E0401", f"`{layer.op.name}`: {wrong.message}", span) from None
    builder.budget.spend(MOVED * len(specs), span, f"{len(specs)} weights")
    weights = tuple(
        builder.weight(
            f"{layer.path}.{spec.role}",
            Weight(
                spec.type_for(tensors[0].type),
                spec.role,
                span,
                f"{layer.path}.{spec.role}",
                spec.role,
                spec.initializer,
                spec.trainable,
                spec.fans,
            ),
            span,
        )
        for spec in specs
    )
    layer.weights = weights
    results = builder.apply(
        layer.op, tensors, span, layer=layer.local, weights=weights, owner=layer.owner
    )
    if layer.activation is not None:
        return apply(body, layer.activation, results, span)
    return _result(results)


def _count(op: Op | type[Op], inputs: Sequence[Any], span: Span) -> None:
    """Every op knows how many tensors it takes."""
    operands = op.operands
    variadic = bool(operands) and operands[-1].variadic
    least = sum(not o.optional for o in operands)
    if len(inputs) < least or len(inputs) > len(operands) and not variadic:
        names = ", ".join(f"`{o.name}`" for o in operands) or "none"
        raise error(
            "E0304",
            f"`{op.name}` takes {len(operands)} tensor{'' if len(operands) == 1 else 's'} ({names}),"
            f" found {len(inputs)}",
            span,
        )


FOLDED = frozenset({"add", "multiply", "maximum", "minimum"})
"""Binary ops that take more than two operands by being applied one after the other."""


LEFT_OUT = object()
"""In place of an operand that is not given."""


def function(body: Body, op: type[Op], positional: Any, named: Any, span: Span) -> Any:
    """A function of the catalogue applied to tensors, then its other arguments."""
    operands: list[Any] = []
    rest = list(positional)
    by_name = dict(named)
    variadic = bool(op.operands) and op.operands[-1].variadic or op.name in FOLDED
    if variadic and len(rest) > 1 and isinstance(rest[0][0], str):
        rest.append(rest.pop(0))  # `einsum("ij,jk->ik", a, b)`: as everyone writes it
    room = 10**9 if variadic else len(op.operands)
    while rest and len(operands) < room:
        value, _ = rest[0]
        if (
            isinstance(value, (tuple, list))
            and value
            and all(isinstance(v, (Value, Poison)) for v in value)
        ):
            operands += [(v, rest[0][1]) for v in value]
        elif (
            isinstance(value, (Value, Poison))
            or (is_number(value) or not op.operands[-1].variadic and are_numbers(value))
            and len(operands) < len(op.operands)
        ):
            operands.append(rest[0])
        elif (
            value is None
            and len(operands) < len(op.operands)
            and op.operands[len(operands)].optional
        ):
            room = len(operands)  # it is left out, and what follows is no operand
        else:
            break
        rest.pop(0)
    left_out: str | None = None
    for operand in op.operands[len(operands) :]:
        value, at, _ = by_name.pop(operand.name, (LEFT_OUT, span, span))
        if value is LEFT_OUT or value is None and operand.optional:
            left_out = left_out or operand.name
        elif left_out is not None:
            raise error(
                "E0303",
                f"`{op.name}` needs `{left_out}`, where `{operand.name}` is given",
                at,
                f"`{left_out}` is missing",
            )
        else:
            operands.append((value, at))
    if any(isinstance(v, Poison) for v, _ in operands):
        raise Poisoned
    if rest and len(operands) < len(op.operands):
        value, at = rest[0]
        name = op.operands[len(operands)].name
        raise error("E0308", f"`{name}` of `{op.name}` is a tensor", at, f"found {describe(value)}")
    made = arguments.construct(op, rest, by_name, span)
    tensors = _promote(body.builder, op, operands, span)
    if op.name in FOLDED and len(tensors) > 2:
        total = tensors[0]
        for other in tensors[1:]:
            (total,) = body.builder.apply(made, [total, other], span)
        return total
    _count(op, tensors, span)
    return _result(body.builder.apply(made, tensors, span))


def check_waiting(op: type[Op], positional: Any, named: Any, span: Span) -> None:
    """A function of tensors that is called without one waits for it, unless numbers stand in all their places, or a network
    in one of them."""
    for value, at in positional:
        if isinstance(value, (Network, Part)):
            raise error(
                "E0308",
                f"`{op.name}` applies to tensors",
                at,
                f"found {describe(value)}",
                helps=(
                    "weights are tensors inside their model, which can put out what they come to;"
                    " `l1` and `l2` take networks and their parts",
                ),
            )
    count = len(op.operands)
    if op.operands[-1].variadic or op.name in FOLDED or len(positional) <= len(op.arguments()):
        return
    if len(positional) < count or not all(is_number(v) for v, _ in positional[:count]):
        return
    arguments.construct(op, positional[count:], named, span)
    value, at = positional[0]
    raise error(
        "E0308",
        f"`{op.name}` applies to tensors, and none is here",
        at,
        f"found {describe(value)}",
        helps=(
            "a number becomes a tensor beside one: `0 * x + 1` has the shape of `x`;"
            " `tensor(0.0)` is one by itself",
        ),
    )


OWN_TYPE = {"boolean": "bool", "index": "i64"}
"""Operands whose domain says what they are: a number there takes no other operand's element type, nor gives one."""


def _promote(builder: Builder, op: type[Op], operands: list[Any], span: Span) -> list[Value]:
    """Numbers among tensors become scalars of the element type of the tensors that they stand beside."""
    own = [OWN_TYPE.get(o.domain) for o in op.operands]
    own += own[-1:] * (len(operands) - len(own))
    beside = [v.type.dtype for (v, _), o in zip(operands, own, strict=False) if _shares(v, o)]
    tensors: list[Value] = []
    for (value, at), domain in zip(operands, own, strict=False):
        dtype = domain or next(iter(beside), "bool" if isinstance(value, bool) else None)
        if isinstance(value, Value):
            tensors.append(value)
        elif dtype and any(isinstance(v, Value) for v, _ in operands):
            made = builder.scalar if is_number(value) else builder.table
            tensors.append(made(value, dtype, span))
        elif any(isinstance(v, Value) for v, _ in operands):
            raise error(
                "E0308",
                f"nothing says of which element type this number of `{op.name}` is",
                at,
                f"found {describe(value)}",
                helps=(
                    "a tensor beside it would; of a mask, `cast(mask, f32)` makes ones and zeros",
                ),
            )
        else:
            raise error("E0308", f"`{op.name}` needs a tensor", at, f"found {describe(value)}")
    return tensors


def _shares(value: Any, own: str | None) -> bool:
    return isinstance(value, Value) and own is None


def _chain(body: Body, stages: Sequence[Any], inputs: Sequence[Any], span: Span) -> Any:
    result: Any = tuple(inputs) if len(inputs) > 1 else inputs[0]
    for stage in stages:
        at = _at(stage, span)
        result = apply(body, stage, _spread(result, stage), at)
        if body.session.index is not None:
            body.session.index.tensors(at, result)
    return result


def _spread(value: Any, stage: Any) -> Sequence[Any]:
    """A tuple feeds several operands; functions with variadic operands take it whole."""
    return list(value) if isinstance(value, tuple) else [value]


def _at(stage: Any, span: Span) -> Span:
    return stage.span if isinstance(stage, Layer) else span


def _repeat(body: Body, layer: RepeatLayer, inputs: Sequence[Any], span: Span) -> Any:
    builder = body.builder
    if layer.items:
        place(builder, layer, default_name(layer))
    result: Any = tuple(inputs) if len(inputs) > 1 else inputs[0]
    rest = list(inputs)
    for i, item in enumerate(layer.items):
        item = layer.items[i] = instantiate(body, item, span)
        if isinstance(item, Layer) and item.owner is None and not isinstance(item, WAITING):
            item.owner, item.local = layer.owner, f"{layer.local}.{i}"
            item.bound = item.local
        result = apply(body, item, rest, span)
        # What one makes takes the place of as many inputs; the next is given the others too.
        made = list(_spread(result, item))
        rest = [*made, *rest[len(made) :]]
    return result


def default_name(item: Any) -> str:
    """What a layer is called that nobody named."""
    match item:
        case Reference(name=name) | BlockReference(name=name):
            return snake_case(name)
        case OpLayer():
            return snake_case(item.op.name)
        case BlockLayer():
            return snake_case(item.block.name)
        case RepeatLayer(items=[first, *_]):
            return default_name(first)
        case _:
            return "sequential"


def _scoped(body: Body, layer: Any, inputs: Sequence[Any], span: Span, kind: str) -> Any:
    """A bound composition is a graph of its own, named after its binding."""
    outer = body.builder
    tensors = _given(layer, inputs, span)
    check_depth(outer.depth + 1, span, f"`{layer.local}`")
    inner = outer.child(layer.path)
    parameters = tuple(Value(t.type, t.name, t.span) for t in tensors)
    scoped = replace(body, builder=inner)
    if kind == "sequence":
        result = _chain(scoped, layer.stages, list(parameters), span)
    else:
        result = tuple(apply(scoped, b, list(parameters), span) for b in layer.branches)
    outputs = tuple(_flat(result))
    return _result(
        finish_call(
            outer,
            inner,
            layer,
            tensors,
            parameters,
            outputs,
            span,
            kind=kind,
            name=pascal_case((layer.bound or layer.local).split(".")[0]),
        )
    )


def _flat(value: Any) -> list[Value]:
    return [v for item in value for v in _flat(item)] if isinstance(value, tuple) else [value]


def finish_call(
    outer: Builder,
    inner: Builder,
    layer: Any,
    tensors: tuple[Value, ...],
    parameters: tuple[Value, ...],
    outputs: tuple[Value, ...],
    span: Span,
    **fields: Any,
) -> tuple[Value, ...]:
    """Close a body: a `Call`, or the body's steps where it uses layers of a graph further out."""
    outer.budget.spend(NODE + EDGE * (len(tensors) + len(outputs)), span, "one node more")
    if any(owner != inner.path for owner in inner.foreign.values()):
        outer.budget.spend(MOVED * len(inner.steps), span)
        values = outer.absorb(
            inner, layer.local.replace(".", "_"), dict(zip(parameters, tensors, strict=True))
        )
        return tuple(values.get(o, o) for o in outputs)
    names = fields.pop("output_names", None) or tuple(
        o.name or ("output" if i == 0 else f"output_{i + 1}") for i, o in enumerate(outputs)
    )
    captured = tuple(inner.captured.values())
    graph = inner.graph(
        inputs=(*parameters, *captured), outputs=outputs, output_names=names, span=span, **fields
    )
    results = tuple(Value(o.type, None, span) for o in outputs)
    call = Call(graph, (*tensors, *inner.captured), results, layer.local, span, outer.take_doc())
    if layer.owner is not None and layer.owner != outer.path:
        outer.foreign[call] = layer.owner
    outer.steps.append(call)
    return results


def call_network(
    body: Body, network: Network, tensors: tuple[Value, ...], span: Span
) -> tuple[Value, ...]:
    """A network of a training program applied to its batch."""
    body.session.budget.spend(NODE * (1 + len(tensors)), span, "one node more")
    types = result_types(network, tensors, span)
    results = tuple(Value(t, None, span) for t in types)
    call = Call(network.model, tensors, results, network.name, span, body.builder.take_doc())
    body.builder.steps.append(call)
    return results
