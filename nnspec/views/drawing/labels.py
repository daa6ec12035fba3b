"""The words in a picture."""

from __future__ import annotations

from typing import Any

from nnspec.core.dims import Sym
from nnspec.graph.graph import Call, Node, Value, Weight
from nnspec.report.text import printable


def title(step: Node | Call) -> str:
    """`Conv2D`, `Residual`; with the writer's name in front where it says more: `stem: Conv2D`."""
    if isinstance(step, Call):
        own = step.body.name if step.loop is None else f"{step.body.name} along {step.steps} steps"
        return own if _default_name(step.layer, step.body.name) else f"{step.layer}: {own}"
    own = step.op.name
    if step.layer is None or _default_name(step.layer, own):
        return own
    return f"{step.layer}: {own}"


def _default_name(layer: str, type_name: str) -> bool:
    """Whether a layer is called after its type: `conv2d_2` for `Conv2D`."""
    stem, _, number = layer.rpartition("_")
    base = stem if number.isdigit() and stem else layer
    return base.replace("_", "").lower() == type_name.replace("_", "").lower()


def detail(node: Node, constants: tuple[Any, ...] = ()) -> str:
    """What was set: `32, kernel = 3`; the numbers among the operands come first."""
    parts = [show(c) for c in constants]
    required = True
    for field in type(node.op).arguments():
        value = getattr(node.op, field.name)
        required = required and field.is_required
        if required:
            parts.append(show(value))
        elif value != field.default and not _same_pair(value, field.default):
            parts.append(f"{field.name} = {show(value)}")
    return ", ".join(parts)


def _same_pair(value: Any, default: Any) -> bool:
    """Whether `(1, 1)` is what the default `1` became; a value that was worked out is never shown."""
    return isinstance(value, tuple) and len(set(value)) == 1 and value[0] == default


def show(value: Any) -> str:
    """A field's value as one would write it; `(3, 3)` as 3."""
    match value:
        case bool() | None:
            return str(value).lower()
        case str():
            return f'"{printable(value)}"'
        case int() | float() | Sym():
            return str(value)
        case tuple() if (
            value and len(set(map(str, value))) == 1 and not isinstance(value[0], tuple)
        ):
            return show(value[0])
        case tuple() | list():
            return "[" + ", ".join(map(show, value)) + "]"
        case _:
            return str(value)


def value_label(value: Value) -> str:
    """A value's name, where the writer gave one, and its type."""
    return f"{value.name}: {value.type}" if value.name else str(value.type)


def is_constant(step: Node | Call) -> bool:
    """Whether a step only makes a number; pictures write it into the box that takes it."""
    return isinstance(step, Node) and step.op.name == "constant" and not step.inputs


def constant_of(step: Node) -> Any:
    return getattr(step.op, "value", "")


def weight_label(weight: Weight) -> str:
    return f"{weight.path}: {weight.type}"
