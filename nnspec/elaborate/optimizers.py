"""Optimizers and schedules as they are written in a training program: `Adam(lr = Cosine(...))`."""

from __future__ import annotations

from typing import Any

from nnspec.catalogue.optimizers import Making
from nnspec.core.fields import Field
from nnspec.elaborate import arguments
from nnspec.elaborate.arguments import Named, Positional
from nnspec.elaborate.errors import error
from nnspec.elaborate.layers import check_parameter
from nnspec.elaborate.values import (
    BlockLayer,
    BlockReference,
    OptimizerValue,
    Reference,
    ScheduleValue,
    describe,
)
from nnspec.report.diagnostics import Label
from nnspec.report.source import Span

LATER = {
    "clip_norm": "clipping",
    "clip_value": "clipping",
    "no_decay": "leaving weights out of the decay",
    "accumulate": "gradient accumulation",
}
"""What a program will decide of an update, and what no target carries out yet."""

Given = dict[str, tuple[Any, Span]]


def is_optimizer(block: BlockReference) -> bool:
    """Whether a block can be one: it takes a weight and its gradient."""
    return not block.declaration.is_model and {"w", "g"} <= set(_inputs(block))


def is_schedule(block: BlockReference) -> bool:
    """Whether a block can be one: it takes the step."""
    return not block.declaration.is_model and _inputs(block) == ["step"]


def _inputs(block: BlockReference) -> list[str]:
    return [n.name.text for n in block.inputs]


def shipped_optimizer(
    target: type[Any], positional: Positional, named: Named, span: Span
) -> OptimizerValue:
    """An optimizer of the catalogue from its arguments."""
    fields = target.arguments()
    names = [f.name for f in fields]
    found, every = _assigned(target.name, names, positional, named, span)
    found = {n: (schedule(v), at) for n, (v, at) in found.items()}
    scheduled = {n: v for n, (v, _) in found.items() if isinstance(v, ScheduleValue)}
    for field in fields:
        if field.name in scheduled and isinstance(field.default, bool):
            raise error(
                "E0301",
                f"`{field.name}` of `{target.name}` expects {field.kind.expects}",
                found[field.name][1],
                f"found {describe(scheduled[field.name])}",
            )
    plain = {n: (v, at) for n, (v, at) in found.items() if n not in scheduled}
    declared = arguments.build(target, fields, plain, span)
    values = {n: getattr(declared, n) for n in names} | scheduled
    return OptimizerValue(target.name, None, values, span, every, None if scheduled else declared)


def own_optimizer(
    block: BlockReference, positional: Positional, named: Named, span: Span
) -> OptimizerValue:
    """An optimizer of the writer's from its arguments."""
    names = [p.name.text for p in block.declaration.parameters]
    found, every = _assigned(block.name, names, positional, named, span)
    return OptimizerValue(block.name, block, _checked(block, found, span), span, every)


def own_schedule(
    block: BlockReference, positional: Positional, named: Named, span: Span
) -> ScheduleValue:
    """A schedule, the library's too, from its arguments."""
    names = [p.name.text for p in block.declaration.parameters]
    found = arguments.assign(block.name, names, positional, named, span)
    return ScheduleValue(block, _checked(block, found, span), span)


def optimizer(value: Any, span: Span) -> Any:
    """What `using` is given, as an optimizer where it can be one."""
    match value:
        case Reference(kind="optimizer", target=target):
            return shipped_optimizer(target, (), {}, span)
        case BlockReference() if is_optimizer(value):
            return own_optimizer(value, (), {}, span)
        case BlockLayer(block=block, owner=None) if is_optimizer(block):
            return OptimizerValue(block.name, block, value.arguments, span)
        case _:
            return value


def schedule(value: Any) -> Any:
    """An argument of an optimizer, as a schedule where it can be one."""
    match value:
        case BlockLayer(block=block, owner=None) if is_schedule(block):
            return ScheduleValue(block, value.arguments, value.span)
        case _:
            return value


def _assigned(
    what: str, names: list[str], positional: Positional, named: Named, span: Span
) -> tuple[Given, int]:
    """The optimizer's own arguments, and what the program decides beside them."""
    making: tuple[Field, ...] = tuple(f for f in Making.arguments() if f.name not in names)
    for name, (_, _, at) in named.items():
        if name in LATER and name not in names:
            raise error("E0504", f"`{name}` is not available yet", at, LATER[name])
    for _, at in positional[len(names) :]:
        arguments.assign(what, names, positional, {}, at)
    found = arguments.assign(what, [*names, *(f.name for f in making)], positional, named, span)
    decided: dict[str, Any] = {}
    for field in making:
        if field.name in found:
            value, at = found.pop(field.name)
            try:
                decided[field.name] = field.kind(value)
            except ValueError as wrong:
                raise error(
                    "E0301",
                    f"`{field.name}` of `{what}` expects {wrong}",
                    at,
                    f"found {describe(value)}",
                ) from None
    return found, Making(**decided).every


def _checked(block: BlockReference, found: Given, span: Span) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for parameter in block.declaration.parameters:
        name = parameter.name.text
        if name not in found:
            if parameter.default is None:
                raise error(
                    "E0303",
                    f"`{block.name}` needs `{name}`",
                    span,
                    f"`{name}` is missing",
                    (Label(parameter.span, "declared here"),),
                )
            continue
        value, at = found[name]
        values[name] = schedule(value)
        if not isinstance(values[name], (*PLAIN, ScheduleValue)):
            raise error(
                "E0301",
                f"`{name}` of `{block.name}` expects a number",
                at,
                f"found {describe(value)}",
            )
        if parameter.type is not None and not isinstance(values[name], ScheduleValue):
            check_parameter(block.name, name, parameter.type.text, value, at)
    return values


PLAIN = (bool, int, float, str, list, tuple, range, type(None))
