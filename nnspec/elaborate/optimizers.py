"""Optimizers and schedules as they are written in a training program: `Adam(lr = Cosine(...))`."""

from __future__ import annotations

from collections.abc import Sequence
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
    Part,
    Role,
    ScheduleValue,
    describe,
)
from nnspec.graph.decay import ROLES
from nnspec.graph.training import Network
from nnspec.report.diagnostics import Label
from nnspec.report.source import Span
from nnspec.syntax import tree

NO_DECAY, DECAY = "no_decay", "weight_decay"

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
    found, making = _assigned(block.name, names, positional, named, span)
    return OptimizerValue(block, _checked(block, found, span), span, making)


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
) -> tuple[Given, Making]:
    """The optimizer's own arguments, and what the program decides beside them."""
    making: tuple[Field, ...] = tuple(f for f in Making.arguments() if f.name not in names)
    for _, at in positional[len(names) :]:
        arguments.assign(what, names, positional, {}, at)
    found = arguments.assign(what, [*names, *(f.name for f in making)], positional, named, span)
    decided: dict[str, Any] = {}
    for field in making:
        if field.name in found:
            value, at = found.pop(field.name)
            if field.name == NO_DECAY:
                value = _selected(what, names, value, at)
            try:
                decided[field.name] = field.kind(value)
            except ValueError as wrong:
                raise error(
                    "E0301",
                    f"`{field.name}` of `{what}` expects {wrong}",
                    at,
                    f"found {describe(value)}",
                ) from None
    for one, other in (("clip_norm", "clip_value"), ("every", "accumulate")):
        if one in decided and other in decided:
            first, second = (
                next(s for n, (_, _, s) in named.items() if n == x) for x in (one, other)
            )
            raise error(
                "E0502",
                f"an update has `{one}` or `{other}`, not both",
                second,
                f"here `{other}`",
                (Label(first, f"here `{one}`"),),
            )
    return found, Making(**decided)


def _selected(
    what: str, names: Sequence[str], value: Any, at: Span
) -> tuple[str | tuple[str, ...], ...]:
    """What `no_decay` chooses: roles, and paths of networks and parts."""
    if DECAY not in names:
        raise error(
            "E0502",
            f"`{what}` has no `{DECAY}` that `{NO_DECAY}` could leave out",
            at,
            "nothing decays",
            helps=(f"leave `{NO_DECAY}` out, or give the block a parameter `{DECAY}`",),
        )
    chosen: list[str | tuple[str, ...]] = []
    for each in value if isinstance(value, (list, tuple)) else [value]:
        match each:
            case Role(name=name):
                chosen.append(name)
            case Network(name=name):
                chosen.append((name,))
            case Part(path=path):
                chosen.append(tuple(path.split(".")))
            case _:
                raise error(
                    "E0301",
                    f"`{NO_DECAY}` expects roles of weights, networks and their parts",
                    at,
                    f"found {describe(each)}",
                    helps=(f"roles are {', '.join(f'`{r}`' for r in ROLES)}",),
                )
    return tuple(chosen)


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
