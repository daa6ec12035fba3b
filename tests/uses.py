"""Uses of ops: every example of every declaration, with arrays, and as the language would write it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np

from nnspec.catalogue.ops import OPS, Example, Op
from nnspec.core.dims import substitute
from nnspec.core.dtypes import DTYPES
from nnspec.core.kinds import Kind
from nnspec.core.types import TensorType
from nnspec.graph.evaluate.sizes import with_sizes
from nnspec.graph.weight_map import Array

SIZES = {"N": 3, "T": 5}


def uses() -> Iterator[Example]:
    """Every example of every op, by the name of the op."""
    for _, op in sorted(OPS.items()):
        yield from op.examples()


def use(example: Example) -> str:
    """`Conv2D(6, 3, stride = 2) f32[N, 9, 7, 4]`: the op as written, then what it is applied to."""
    return " ".join([written(example.op), *map(str, example.inputs)])


def written(op: Op) -> str:
    """The op with its arguments as the language reads them, without those that are the default."""
    known = {f.name: f for f in op.arguments()}
    shown = []
    for field in dataclasses.fields(op):
        value, spec = getattr(op, field.name), known.get(field.name)
        if value == field.default:
            continue
        text = _value(_shortest(value, spec.kind) if spec else value)
        shown.append(text if spec and spec.is_required else f"{field.name} = {text}")
    return f"{op.name}({', '.join(shown)})" if shown else op.name


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


def _value(value: Any) -> str:
    match value:
        case None | bool():
            return str(value).lower()
        case str():
            return f'"{value}"'
        case tuple() if len(value) == 1:
            return f"[{_value(value[0])}]"
        case tuple():
            return f"({', '.join(map(_value, value))})"
    return str(value)


def concrete(example: Example) -> Example:
    """The use with numbers for symbolic sizes."""
    types = tuple(
        x.with_shape(tuple(substitute(d, SIZES) for d in x.shape)) for x in example.inputs
    )
    return Example(with_sizes(example.op, SIZES), types)


def with_floats(type: TensorType, floats: str) -> TensorType:
    """The type with another element type in place of f32."""
    return TensorType(floats if type.dtype == "f32" else type.dtype, type.shape)


DOMAINS = {
    "positive": lambda a: np.abs(a) + 0.1,
    "nonzero": lambda a: np.where(a < 0, a - 0.1, a + 0.1),
    "unit": lambda a: 1 / (1 + np.exp(-a)),
}
"""Normal numbers as numbers that an operand takes."""


def arrays(example: Example, seed: int = 0, floats: str = "f32") -> list[Array]:
    """Operands of a concrete use: normal numbers in the operand's domain, indices within bounds, coins."""
    generator = np.random.default_rng(seed)
    operands, bounds = example.op.operands, example.op.index_bounds(*example.inputs)
    made = []
    for i, x in enumerate(example.inputs):
        shape = tuple(d for d in x.shape if isinstance(d, int))
        dtype = DTYPES[with_floats(x, floats).dtype].numpy
        if x.is_float:
            domain = operands[min(i, len(operands) - 1)].domain
            normal = generator.standard_normal(shape)
            made.append(np.asarray(DOMAINS.get(domain, lambda a: a)(normal), dtype))
        elif x.dtype == "bool":
            made.append(np.asarray(generator.random(shape) < 0.5))
        else:
            bound = bounds.get(i, 4)
            made.append(generator.integers(0, int(str(bound)), shape).astype(dtype))
    return made


def weights(example: Example, seed: int = 0, floats: str = "f32") -> dict[str, Array]:
    """Weights of a concrete use, by role: none of them zeros or ones, variances above zero."""
    generator = np.random.default_rng(seed + 1)
    made = {}
    for spec in example.op.weights(*example.inputs):
        shape = tuple(d for d in spec.shape if isinstance(d, int))
        values = 0.5 * generator.standard_normal(shape)
        values = 1 + np.abs(values) if spec.role == "running_var" else values
        made[spec.role] = np.asarray(values, DTYPES[floats].numpy)
    return made
