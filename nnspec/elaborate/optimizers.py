"""Optimizers and schedules as they are written in a training program: `Adam(lr = Cosine(...))`."""

from __future__ import annotations

from typing import Any

from nnspec.catalogue.settings import Making
from nnspec.core.fields import Field
from nnspec.elaborate import arguments
from nnspec.elaborate.arguments import Named, Positional
from nnspec.elaborate.errors import error
from nnspec.elaborate.layers import check_parameter
from nnspec.elaborate.values import (
    BlockLayer,
    BlockReference,
    OptimizerValue,
    ScheduleValue,
    describe,
)
from nnspec.report.diagnostics import Label
from nnspec.report.source import Span
from nnspec.syntax import tree

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


def made_optimizer(
    block: BlockReference, positional: Positional, named: Named, span: Span
) -> OptimizerValue:
    """An optimizer, the library's too, from its arguments."""
    names = [p.name.text for p in block.declaration.parameters]
    found, every = _assigned(block.name, names, positional, named, span)
    return OptimizerValue(block, _checked(block, found, span), span, every)


def made_schedule(
    block: BlockReference, positional: Positional, named: Named, span: Span
) -> ScheduleValue:
    """A schedule, the library's too, from its arguments."""
    names = [p.name.text for p in block.declaration.parameters]
    found = arguments.assign(block.name, names, positional, named, span)
    return ScheduleValue(block, _checked(block, found, span), span)


def optimizer(value: Any, span: Span) -> Any:
    """What `using` is given, as an optimizer where it can be one."""
    match value:
        case BlockReference() if is_optimizer(value):
            return made_optimizer(value, (), {}, span)
        case BlockLayer(block=block, owner=None) if is_optimizer(block):
            return OptimizerValue(block, value.arguments, span)
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
        values[name] = _argument(block.name, parameter, schedule(value), at)
    return values


def _argument(owner: str, parameter: tree.Parameter, value: Any, at: Span) -> Any:
    """A number where one is declared, a schedule where a number may change, else what is plain."""
    name, kind = parameter.name.text, parameter.type.text if parameter.type else "any"
    if not isinstance(value, (*PLAIN, ScheduleValue)):
        raise error(
            "E0301", f"`{name}` of `{owner}` expects a number", at, f"found {describe(value)}"
        )
    if not isinstance(value, ScheduleValue) or kind not in ("float", "any"):
        check_parameter(owner, name, kind, value, at)
    return float(value) if kind == "float" and isinstance(value, int) else value


PLAIN = (bool, int, float, str, list, tuple, range, type(None))
