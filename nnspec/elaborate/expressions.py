"""Expressions: a tree in, a value out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain
from typing import Any

from nnspec.catalogue.ops import OPS
from nnspec.catalogue.ops.distances import Size
from nnspec.catalogue.synonyms import NAMES, called_here
from nnspec.core.dtypes import DTYPES
from nnspec.elaborate import arguments, layers, operators, optimizers, subscripts
from nnspec.elaborate.builtins import OF_LISTS
from nnspec.elaborate.catalogue import catalogue
from nnspec.elaborate.errors import error
from nnspec.elaborate.library import shipped
from nnspec.elaborate.limits import OutOfBudget
from nnspec.elaborate.modules import Module, reference
from nnspec.elaborate.parts import are_parts, trained_weights
from nnspec.elaborate.session import Body
from nnspec.elaborate.values import (
    POISON,
    Average,
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
    Role,
    SequenceLayer,
    clone,
    describe,
    is_layer,
    is_number,
    is_size,
)
from nnspec.graph.decay import ROLES
from nnspec.graph.graph import Node, Value
from nnspec.graph.training import Gradient, Minimize, Network
from nnspec.report.diagnostics import Label, SpecError, did_you_mean
from nnspec.report.source import Span
from nnspec.syntax import tree

AVERAGE = "average"
"""A function of training programs alone."""


def evaluate(body: Body, expr: tree.Expr) -> Any:
    """The value of an expression; raises `SpecError`, or `Poisoned` where that was done before."""
    body.session.budget.spend(1, expr.span)
    match expr:
        case tree.Name():
            return lookup(body, expr.text, expr.span)
        case tree.Number(value=value) | tree.String(value=value) | tree.Literal(value=value):
            return value
        case tree.List(items=items):
            return _paid(body, [evaluate(body, i) for i in items], expr.span)
        case tree.Tuple(items=items):
            return _paid(body, tuple(evaluate(body, i) for i in items), expr.span)
        case tree.Parallel(branches=branches):
            return ParallelLayer(expr.span, [_branch(body, b) for b in branches])
        case tree.Call():
            return _call(body, expr)
        case tree.Attribute():
            return _attribute(body, expr)
        case tree.Index():
            return _index(body, expr)
        case tree.Unary(operator="not", operand=operand):
            return not operators.truth(evaluate(body, operand), operand.span)
        case tree.Unary(operand=operand):
            return operators.negate(body.builder, _clean(evaluate(body, operand)), expr.span)
        case tree.Binary():
            return _binary(body, expr)
        case tree.Conditional():
            chosen = operators.truth(evaluate(body, expr.condition), expr.condition.span)
            return evaluate(body, expr.then if chosen else expr.otherwise)
        case tree.Pipe():
            return _pipe(body, expr)
        case tree.Named():
            return _named(body, expr)


def _paid(body: Body, value: Any, span: Span) -> Any:
    body.session.budget.value(value, span)
    return value


def lookup(body: Body, name: str, span: Span) -> Any:
    """What a name stands for here: the body's, the file's, the catalogue's."""
    index = body.session.index
    binding = body.scope.get(name)
    if binding is not None:
        if index is not None:
            index.name(span, binding.span, binding.value)
        return _clean(binding.value)
    if name in body.sizes:
        if index is not None and name in body.scope.sizes:
            index.name(span, body.scope.sizes[name])
        return body.sizes[name]
    found = declared(body, name, span)
    if found is not None:
        if index is not None and (origin := body.module.origin(name)) is not None:
            index.name(span, origin)
        return _clean(found)
    if name in catalogue():
        found = catalogue()[name]
        if not isinstance(found, Reference) or found.kind != "library":
            return found
        block = shipped(name)
        if index is not None:
            index.name(span, block.declaration.name.span)
        return block
    if name == AVERAGE and body.kind == "train":
        return Reference(AVERAGE, AVERAGE, None)
    if name in body.scope.later:
        raise error(
            "E0202",
            f"`{name}` is used before it has a value",
            span,
            "not known yet",
            (Label(body.scope.later[name], "it gets its value here"),),
        )
    known = chain(catalogue(), body.scope.names(), body.sizes, body.module.names())
    helps = called_here(name, catalogue()) or did_you_mean(name, known)
    raise error("E0201", f"there is no `{name}`", span, "unknown name", helps=helps)


def declared(body: Body, name: str, span: Span) -> Any:
    """A block, model or constant of the file or of one that it imports; None where there is none."""
    if name in body.module.constants:
        return body.module.constants[name]
    found = body.module.find(name)
    if found is None:
        return None
    module, declaration = found
    if isinstance(declaration, tree.Constant):
        return _constant(body, module, declaration, span)
    return reference(found)


def _constant(body: Body, module: Module, constant: tree.Constant, span: Span) -> Any:
    name = constant.name.text
    if name not in module.constants:
        if name in module.evaluating:
            raise error(
                "E0202",
                f"`{name}` needs its own value",
                constant.name.span,
                " -> ".join([*module.evaluating[module.evaluating.index(name) :], name]),
            )
        module.evaluating.append(name)
        try:
            inner = replace(
                body, module=module, scope=type(body.scope)(), sizes={}, kind="constant"
            )
            module.constants[name] = evaluate(inner, constant.value)
        except (SpecError, Poisoned) as failure:
            module.constants[name] = POISON
            if isinstance(failure, OutOfBudget):
                raise
            if isinstance(failure, SpecError):
                body.session.report(failure)
        finally:
            module.evaluating.pop()
    value = module.constants[name]
    if isinstance(value, Layer):
        body.session.budget.layers(value, span)
    return clone(value)


def _clean(value: Any) -> Any:
    if isinstance(value, Poison):
        raise Poisoned
    return value


# --- operators ------------------------------------------------------------------------------------


def _binary(body: Body, expr: tree.Binary) -> Any:
    if expr.operator in ("and", "or"):
        left = operators.truth(evaluate(body, expr.left), expr.left.span)
        if left == (expr.operator == "or"):
            return left
        return operators.truth(evaluate(body, expr.right), expr.right.span)
    spine: list[tree.Binary] = []
    head: tree.Expr = expr
    while isinstance(head, tree.Binary) and head.operator not in ("and", "or"):
        spine.append(head)  # a sum of thousands is a list, not a recursion
        head = head.left
    value = _clean(evaluate(body, head))
    for node in reversed(spine):
        right = _clean(evaluate(body, node.right))
        value = operators.binary(body.builder, node.operator, value, right, node.span)
    return value


# --- pipes ----------------------------------------------------------------------------------------


def _pipe(body: Body, expr: tree.Pipe) -> Any:
    stages: list[tree.Expr] = []
    head: tree.Expr = expr
    while isinstance(head, tree.Pipe):
        stages.append(head.function)
        head = head.value
    value = _clean(_stage(body, head) if _waits(body, head) else evaluate(body, head))
    composed: list[Any] | None = None
    if is_layer(value):
        composed = [layers.instantiate(body, value, head.span)]
    for stage in reversed(stages):
        function = _clean(_grouped(body, head, stage))
        if not is_layer(function):
            raise _not_a_stage(body, function, stage)
        if composed is not None:
            composed.append(layers.instantiate(body, function, stage.span))
            continue
        if isinstance(stage, tree.Named):
            body.scope.bind(stage.name.text, function, stage.name.span)
            body.scope.read.add(stage.name.text)  # the name itself is what was wanted
        inputs = list(value) if isinstance(value, tuple) else [value]
        _check_head(inputs, function, head)
        value = layers.apply(body, function, inputs, stage.span)
        if body.session.index is not None:
            body.session.index.tensors(stage.span, value)
    return SequenceLayer(expr.span, composed) if composed is not None else value


def _grouped(body: Body, head: tree.Expr, stage: tree.Expr) -> Any:
    """A stage; for `x -> f + y`, which means `x -> (f + y)`, the message shows the parentheses."""
    try:
        return _stage(body, stage)
    except SpecError as failure:
        wrong = failure.diagnostics[0]
        if not isinstance(stage, tree.Binary) or "does not apply to" not in wrong.message:
            raise
        text = stage.span.source.text
        left = " ".join(text[head.span.start : stage.left.span.end].split())
        right = " ".join(text[stage.left.span.end : stage.span.end].split())
        if len(left) + len(right) > 80:
            left, right = "x -> f", f"{stage.operator} y"
        help = f"`->` takes all of `{stage.operator}`: write `({left}) {right}`"
        raise SpecError(replace(wrong, helps=(help,))) from None


def _check_head(inputs: list[Any], function: Any, head: tree.Expr) -> None:
    for value in inputs:
        if isinstance(value, Poison):
            raise Poisoned
        if value is None and len(inputs) > 1:
            continue  # what an input that may be left out is not given
        if not isinstance(value, Value):
            raise error(
                "E0308",
                "a pipe carries tensors or joins layers",
                head.span,
                f"found {describe(value)}",
            )


def _not_a_stage(body: Body, found: Any, stage: tree.Expr) -> SpecError:
    if isinstance(stage, tree.Name):
        binding = body.scope.bindings.get(stage.text)
        if binding is not None and _is_function(body, stage.text):
            return error(
                "E0204",
                f"`{stage.text}` is {describe(found)} here, not the function",
                stage.span,
                "cannot be applied",
                (Label(binding.span, f"`{stage.text}` was bound here"),),
                ("give that value another name",),
            )
    return error(
        "E0306",
        f"`->` leads to a layer or function, found {describe(found)}",
        stage.span,
        "cannot be applied",
    )


def _is_function(body: Body, name: str) -> bool:
    """Whether a name would be a function or block, if nothing hid it."""
    found = body.module.find(name)
    return name in catalogue() or found is not None and isinstance(found[1], tree.Block)


def _waits(body: Body, expr: tree.Expr) -> bool:
    """Whether a call at a pipe's head is a function without its tensor: `softmax(axis = 1) -> ...`."""
    return (
        isinstance(expr, tree.Call) and not expr.arguments and isinstance(expr.function, tree.Name)
    )


def _stage(body: Body, expr: tree.Expr) -> Any:
    """What stands after `->`: a call of a function leaves its first operand open."""
    match expr:
        case tree.Call():
            callee = evaluate(body, expr.function)
            if isinstance(callee, Reference) and callee.kind == "builtin" and callee.name in OPS:
                callee = Reference("op", callee.name, OPS[callee.name])
            if (
                isinstance(callee, Reference)
                and callee.kind == "op"
                and not callee.target.is_layer()
            ):
                positional, named = _arguments(body, expr)
                return FunctionLayer(expr.span, callee.target, tuple(positional), named)
            if isinstance(callee, BlockReference) and callee.is_function:
                positional, named = _arguments(body, expr)
                return BlockFunction(expr.span, callee, tuple(positional), named)
            return evaluate(body, expr)
        case tree.Name():
            value = lookup(body, expr.text, expr.span)
            if isinstance(value, Reference) and value.kind == "builtin" and value.name in OPS:
                return Reference("op", value.name, OPS[value.name])
            return value
        case tree.Named():
            return _named(body, expr)
        case _:
            return evaluate(body, expr)


def _named(body: Body, expr: tree.Named) -> Layer:
    """`Dense(10) as head`: a layer that will take this name where it is applied."""
    layer = layers.instantiate(body, _clean(_stage(body, expr.value)), expr.value.span)
    if not isinstance(layer, Layer) or isinstance(layer, layers.WAITING):
        raise error("E0306", "`as` names a layer", expr.value.span, f"found {describe(layer)}")
    if layer.owner is not None or layer.wanted is not None:
        raise error(
            "E0203",
            f"this layer has the name `{layer.local or layer.wanted}` already",
            expr.name.span,
            "a second name",
            (Label(layer.span, "made here"),),
        )
    layer.wanted = expr.name.text
    return layer


def _branch(body: Body, expr: tree.Expr) -> Any:
    value = _clean(_stage(body, expr))
    if not is_layer(value):
        raise error(
            "E0306", "the branches of `( | )` are layers", expr.span, f"found {describe(value)}"
        )
    return layers.instantiate(body, value, expr.span)


# --- calls ----------------------------------------------------------------------------------------


def _arguments(body: Body, expr: tree.Call) -> tuple[arguments.Positional, arguments.Named]:
    positional: list[tuple[Any, Span]] = []
    named: dict[str, tuple[Any, Span, Span]] = {}
    for argument in expr.arguments:
        name = argument.name.text if argument.name else None
        chooses = name == optimizers.NO_DECAY and body.kind == "train"
        value = (_chosen if chooses else evaluate)(body, argument.value)
        if argument.name is None:
            if named:
                raise error(
                    "E0304",
                    "positional arguments stand before named ones",
                    argument.span,
                    "move it forward",
                )
            positional.append((value, argument.value.span))
        elif argument.name.text in named:
            raise error(
                "E0304",
                f"`{argument.name.text}` is given twice",
                argument.name.span,
                "again here",
                (Label(named[argument.name.text][2], "first here"),),
            )
        else:
            named[argument.name.text] = value, argument.value.span, argument.name.span
    for value, at, *_ in [*positional, *named.values()]:
        body.session.budget.value(_clean(value), at)
    return positional, named


def _chosen(body: Body, expr: tree.Expr) -> Any:
    """Like any value, but roles of weights stand in it by their names: `[bias, norm, net.head]`."""
    match expr:
        case tree.List(items=items):
            return _paid(body, [_chosen(body, i) for i in items], expr.span)
        case tree.Name(text=text) if text in ROLES and body.scope.get(text) is None:
            return Role(text)
        case tree.Name(text=text) if closest := did_you_mean(text, ROLES):
            try:
                return evaluate(body, expr)
            except SpecError as failure:
                raise SpecError(replace(failure.diagnostics[0], helps=closest)) from None
        case _:
            return evaluate(body, expr)


TRAINS = ("train", "constant")
"""Kinds of bodies in which the call of a block can be an optimizer or a schedule: elsewhere it is a layer."""


def _call(body: Body, expr: tree.Call) -> Any:
    callee = evaluate(body, expr.function)
    positional, named = _arguments(body, expr)
    span = expr.span
    match callee:
        case Reference(kind="builtin", name=name, target=builtin):
            within = name in OF_LISTS
            if any(_is_tensor(v) if within else _holds_tensor(v) for v, _ in positional):
                if name in OPS:
                    return layers.function(body, OPS[name], positional, named, span)
                raise _only_compile_time(name, span)
            if named:
                first = next(iter(named.values()))
                raise error("E0302", f"`{name}` takes no named arguments", first[2])
            return builtin([v for v, _ in positional], span, body.session.budget)
        case Reference(kind="op", target=op) if op.is_layer():
            with _made_then_applied(expr, positional):
                return layers.construct(body, op, positional, named, span)
        case Reference(kind="op", target=op):
            if issubclass(op, Size):
                positional = [_of_weights(v, at) for v, at in positional]
            values = [v for v, *_ in [*positional, *named.values()]]
            if op.operands and not any(_holds_tensor(v) for v in values):
                layers.check_waiting(op, positional, named, span)
                return FunctionLayer(span, op, tuple(positional), named)
            return layers.function(body, op, positional, named, span)
        case Reference(kind="scan"):
            return body.session.scan(body, positional, named, span)
        case Reference(kind="grad"):
            return _gradient(body, positional, named, span)
        case Reference(kind=kind) if kind == AVERAGE:
            return _average(body, positional, named, span)
        case BlockReference() if body.kind in TRAINS and optimizers.is_optimizer(callee):
            return optimizers.made_optimizer(callee, positional, named, span)
        case BlockReference() if body.kind in TRAINS and optimizers.is_schedule(callee):
            return optimizers.made_schedule(callee, positional, named, span)
        case Reference(kind="setting", target=made):
            return arguments.construct(made, positional, named, span)
        case Reference(kind="data", target=data):
            return arguments.construct(data, positional, named, span).source()
        case Reference(kind="initializer", name=name) if any(
            isinstance(v, (list, tuple, Value)) for v, _ in positional
        ):
            raise error(
                "E0301",
                f"`{name}` is an initialiser: it makes no tensor, and takes no shape",
                span,
                "",
                helps=(
                    f"a weight begins with it: `weight name: f32[8] = {name}`; a number meets a"
                    " tensor without a shape, `x + 1`, or is given one: `broadcast_to(tensor(0.0), [N, 8])`",
                ),
            )
        case Reference(target=target):
            return arguments.construct(target, positional, named, span)
        case BlockReference() if callee.is_function:
            waiting = BlockFunction(span, callee, tuple(positional), named)
            values = [v for v, *_ in [*positional, *named.values()]]
            if callee.inputs and not any(_holds_tensor(v) for v in values):
                return waiting
            return layers.apply(body, waiting, [], span)
        case BlockReference():
            with _made_then_applied(expr, positional):
                return layers.block_layer(body, callee, positional, named, span)
        case Layer() | Network():
            if named:
                first = next(iter(named.values()))
                raise error("E0302", "a layer is applied to tensors without names", first[2])
            return layers.apply(body, callee, [v for v, _ in positional], span)
        case _:
            if isinstance(expr.function, tree.Name) and _is_function(body, expr.function.text):
                raise _not_a_stage(body, callee, expr.function)
            raise error(
                "E0306",
                f"{describe(callee)} cannot be called",
                expr.function.span,
                "not a function",
            )


@contextmanager
def _made_then_applied(expr: tree.Call, positional: arguments.Positional) -> Iterator[None]:
    """Tensors among the arguments of a layer, `Norm(x)`: what fails for them says how it is applied."""
    try:
        yield
    except SpecError as failure:
        (wrong, *others) = failure.diagnostics
        tensors = [at.text for value, at in positional if isinstance(value, Value)]
        rest = [
            a.span.text for a in expr.arguments if a.name is not None or a.span.text not in tensors
        ]
        head = tensors[0] if len(tensors) == 1 else f"({', '.join(tensors)})"
        layer = expr.function.span.text + (f"({', '.join(rest)})" if rest else "")
        if not tensors or others or len(head) + len(layer) > 80:
            raise
        help = f"a layer is made first, then applied: `{head} -> {layer}`"
        raise SpecError(replace(wrong, helps=(help,))) from None


def _gradient(
    body: Body, positional: arguments.Positional, named: arguments.Named, span: Span
) -> Value:
    """`grad(loss, x)`"""
    found = arguments.assign("grad", ["loss", "x"], positional, named, span)
    if not body.trains:
        raise error(
            "E0508",
            "a derivative is taken in a training program",
            span,
            f"this is a {body.kind}",
            helps=("a model is evaluated where nothing is derived: take it in `train`",),
        )
    values: list[Value] = []
    for name in ("loss", "x"):
        if name not in found:
            raise error("E0303", f"`grad` needs `{name}`: `grad(loss, x)`", span)
        value, at = found[name]
        if not isinstance(value, Value) or not value.type.is_float:
            raise error(
                "E0308", f"`{name}` of `grad` is a tensor of floats", at, f"found {describe(value)}"
            )
        values.append(value)
    loss, x = values
    if loss.type.rank:
        raise error(
            "E0503",
            "what is derived is one number",
            found["loss"][1],
            f"found {loss.type}",
            helps=("take the `sum` of it",),
        )
    if not _depends(body, loss, x):
        raise error(
            "E0503", "the first does not depend on the second", span, "the derivative is zero"
        )
    step = Gradient.of(loss, x, span, body.builder.take_doc())
    body.builder.steps.append(step)
    return step.output


def _average(
    body: Body, positional: arguments.Positional, named: arguments.Named, span: Span
) -> Average:
    """`average(net, decay = 0.99)`"""
    found = arguments.assign("average", ["network", "decay"], positional, named, span)
    for name in ("network", "decay"):
        if name not in found:
            what = f"`average` needs `{name}`: `average(net, decay = 0.99)`"
            raise error("E0303", what, span)
    (network, first), (decay, second) = found["network"], found["decay"]
    if not isinstance(network, Network) or network.follows is not None:
        raise error(
            "E0301",
            "`average` follows a network that a program trains",
            first,
            f"found {describe(network)}"
            + (", which follows another" * isinstance(network, Network)),
            helps=("for the mean of a tensor, write `mean(x)`",) * isinstance(network, Value),
        )
    if not is_number(decay) or not 0 <= decay <= 1:
        raise error(
            "E0301",
            "`decay` of `average` expects a number from 0 to 1",
            second,
            f"found {describe(decay)}",
        )
    return Average(network, float(decay), span)


def _depends(body: Body, value: Value, on: Value) -> bool:
    """Whether a value was made from another by the steps of this body."""
    reached = {on}
    for step in body.builder.steps:
        stops = isinstance(step, Node) and step.op.name == "stop_gradient"
        if not isinstance(step, Minimize) and not stops and reached.intersection(step.inputs):
            reached.update(step.outputs)
    return value in reached


def _only_compile_time(name: str, span: Span) -> SpecError:
    ways = {
        "len": "the size of an axis is `x.shape[0]`",
        "range": "the numbers of the places along its axis 1 are `positions(x, axis = 1)`",
        "max": "the greater of two tensors is `maximum(a, b)`",
        "min": "the lesser of two tensors is `minimum(a, b)`",
        "int": "a tensor is converted with `cast(x, i64)`",
        "float": "a tensor is converted with `cast(x, f32)`",
    }
    return error(
        "E0308",
        f"`{name}` is for what is known when compiling",
        span,
        "given a tensor",
        helps=(ways[name],) if name in ways else (),
    )


def _of_weights(value: Any, span: Span) -> tuple[Any, Span]:
    """In place of networks and parts, their weights."""
    return (tuple(trained_weights(value, span)) if are_parts(value) else value), span


def _holds_tensor(value: Any) -> bool:
    if isinstance(value, (tuple, list)):
        return any(_holds_tensor(v) for v in value)
    return _is_tensor(value)


def _is_tensor(value: Any) -> bool:
    return isinstance(value, (Value, Poison))


# --- attributes and subscripts --------------------------------------------------------------------


def _attribute(body: Body, expr: tree.Attribute) -> Any:
    name = expr.name.text
    try:
        value = _clean(evaluate(body, expr.value))
    except SpecError as failure:
        wrong = failure.diagnostics[0]
        if wrong.code != "E0201" or wrong.helps or not isinstance(expr.value, tree.Name):
            raise
        ours = name if name in catalogue() else NAMES.get(name, "relu")
        help = f"layers and functions stand by themselves: `{ours}`"
        raise SpecError(replace(wrong, helps=(help,))) from None
    match value:
        case Value():
            known: dict[str, Any] = {
                "shape": tuple(value.type.shape),
                "rank": value.type.rank,
                "dtype": value.type.dtype,
            }
            if name in known:
                return known[name]
            raise error(
                "E0205",
                f"a tensor has no `{name}`",
                expr.name.span,
                "unknown",
                helps=_as_function(name, expr.value.span.text)
                or did_you_mean(name, known)
                or ("it has `shape`, `rank` and `dtype`",),
            )
        case Network():
            return Part(f"{value.name}.{name}", value)
        case Part():
            return Part(f"{value.path}.{name}", value.network)
        case OpLayer() | BlockLayer():
            return _weight(body, value, name, expr)
        case _:
            raise error("E0205", f"{describe(value)} has no `{name}`", expr.name.span, "unknown")


def _as_function(name: str, tensor: str) -> tuple[str, ...]:
    """The way out of `x.view(...)`: methods of other libraries are functions here."""
    ours = name if name in catalogue() else NAMES.get(name, "")
    if ours in DTYPES or name in ("float", "int", "long", "half", "double", "astype", "to"):
        return (f"convert with `cast({tensor}, f32)`",)
    return (f"`{ours}` is a function: write `{ours}({tensor})`",) if ours in OPS else ()


def _weight(body: Body, layer: Layer, name: str, expr: tree.Attribute) -> Value:
    """`embed.weight`: the tensor itself."""
    prefix = f"{layer.path}."
    body.session.budget.spend(len(body.builder.weights) // 10, expr.span)
    known = {
        p.removeprefix(prefix): w for p, w in body.builder.weights.items() if p.startswith(prefix)
    }
    if layer.owner is None or not known:
        raise error(
            "E0205",
            f"{describe(layer)} has no weights yet",
            expr.span,
            "it was not applied before this",
            helps=("apply the layer first: its weights take their shape from its input",),
        )
    if name not in known:
        raise error(
            "E0205",
            f"{describe(layer)} has no weight `{name}`",
            expr.name.span,
            "unknown",
            helps=did_you_mean(name, known) or (f"it has {', '.join(f'`{k}`' for k in known)}",),
        )
    return known[name]


def _index(body: Body, expr: tree.Index) -> Any:
    value = _clean(evaluate(body, expr.value))
    if isinstance(value, Value):
        return subscripts.subscript(body.builder, value, expr, lambda e: _clean(evaluate(body, e)))
    if not isinstance(value, (list, tuple, str, range)):
        raise error("E0305", f"{describe(value)} cannot be indexed", expr.span)
    if len(expr.subscripts) != 1:
        raise error("E0305", f"{describe(value)} takes one index", expr.span)
    (subscript,) = expr.subscripts
    match subscript:
        case tree.Slice():
            start, stop, step = (
                _bound(body, e) for e in (subscript.start, subscript.stop, subscript.step)
            )
            if step == 0:
                raise error("E0309", "a slice cannot step by 0", subscript.span)
            return _paid(body, value[start:stop:step], subscript.span)
        case tree.Ellipsis():
            raise error("E0305", "`...` is for tensors", subscript.span)
    index = _clean(evaluate(body, subscript))
    if isinstance(index, bool) or not isinstance(index, int):
        raise error(
            "E0305", "an index is a whole number", subscript.span, f"found {describe(index)}"
        )
    if not -len(value) <= index < len(value):
        raise error(
            "E0309",
            f"index {index} is out of range",
            subscript.span,
            f"{describe(value)} of {len(value)}"
            if isinstance(value, (list, range))
            else describe(value),
        )
    return value[index]


def _bound(body: Body, expr: tree.Expr | None) -> int | None:
    if expr is None:
        return None
    value = _clean(evaluate(body, expr))
    if isinstance(value, bool) or not isinstance(value, int):
        raise error(
            "E0305", "a slice's bound is a whole number", expr.span, f"found {describe(value)}"
        )
    return value


def size(body: Body, expr: tree.Expr) -> Any:
    """A dimension: a positive whole number or a size."""
    value = _clean(evaluate(body, expr))
    if not is_size(value) or isinstance(value, int) and not 0 < value < 2**31:
        raise error(
            "E0403",
            "a size is a whole number from 1 to 2147483647, or a name",
            expr.span,
            f"found {describe(value)}",
        )
    return value
