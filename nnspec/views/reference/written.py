"""Uses of ops and values of arguments, as the language would write them."""

from __future__ import annotations

import dataclasses
from contextlib import suppress
from typing import Any

from nnspec.catalogue.ops.base import Example, Op
from nnspec.core.declare import Declaration
from nnspec.core.fields import Field
from nnspec.core.kinds import Kind
from nnspec.graph.single import operand_names


def use(example: Example) -> str:
    """`Conv2D(6, 3, stride = 2) f32[N, 9, 7, 4]`: the op as written, then what it is applied to."""
    return " ".join([written(example.op), *map(str, example.inputs)])


def statements(example: Example) -> str:
    """The use as the body of a model: inputs, and what is put out."""
    op = example.op
    names = operand_names(op)[: len(example.inputs)]
    inputs = ", ".join(f"{n}: {t}" for n, t in zip(names, example.inputs, strict=True))
    lines = [f"input {inputs}"] if names else []
    results = ", ".join(f"y{i + 1}" for i, _ in enumerate(op.infer(*example.inputs)))
    if op.is_layer():
        head = names[0] if len(names) == 1 else f"({', '.join(names)})"
        applied = f"{head} -> {written(op)}"
    else:
        applied = f"{op.name}({', '.join([*names, *arguments(op)])})"
    if "," not in results:
        return "\n".join([*lines, f"output y = {applied}"])
    return "\n".join([*lines, f"{results} = {applied}", f"output {results}"])


def written(op: Op) -> str:
    """The op with its arguments as the language reads them, without those that are the default."""
    shown = ", ".join(arguments(op))
    return f"{op.name}({shown})" if shown else op.name


def arguments(op: Op) -> list[str]:
    """Of one use; what the language cannot write (which only passes set) stands among them."""
    known = {f.name: f for f in op.arguments()}
    shown = []
    for field in dataclasses.fields(op):
        value, spec = getattr(op, field.name), known.get(field.name)
        if value == field.default:
            continue
        text = value_text(_shortest(value, spec.kind) if spec else value)
        shown.append(text if spec and spec.is_required else f"{field.name} = {text}")
    return shown


def signature(declared: type[Declaration], operands: tuple[str, ...] = ()) -> str:
    """`clip(x, low = none, high = none)`: operands, then the arguments with their defaults."""
    shown = [*operands]
    for field in declared.arguments():
        default = "" if field.is_required else f" = {default_text(field)}"
        shown.append(field.name + default)
    return f"{declared.name}({', '.join(shown)})"


def default_text(field: Field) -> str:
    """What an argument is where it is not given."""
    return value_text(_shortest(field.default, field.kind))


def initializer(value: Declaration) -> str:
    """`normal(0.02)`, `zeros`."""
    given = [value_text(getattr(value, f.name)) for f in value.arguments()]
    return f"{value.name}({', '.join(given)})" if given else value.name


def _shortest(value: Any, kind: Kind) -> Any:
    """One number for all axes, or one for both sides of an axis, where the argument may be given so."""
    if not isinstance(value, tuple):
        return value
    short = tuple(v[0] if isinstance(v, tuple) and len(set(v)) == 1 else v for v in value)
    for given in (short[0] if len(set(short)) == 1 else short, short):
        with suppress(ValueError):
            if kind.convert(given) == value:
                return given
    return value


def value_text(value: Any) -> str:
    """A compile-time value."""
    match value:
        case None | bool():
            return str(value).lower()
        case str():
            return f'"{value}"'
        case Declaration():
            return initializer(value)
        case tuple() if len(value) == 1:
            return f"[{value_text(value[0])}]"
        case tuple():
            return f"({', '.join(map(value_text, value))})"
    return str(value)
