"""Uses of ops: every example of every declaration, with arrays, and as the language would write it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
from grouped import Check, each

from nnspec.catalogue.ops import OPS, Example
from nnspec.core.dims import substitute
from nnspec.core.dtypes import DTYPES
from nnspec.core.types import TensorType
from nnspec.graph.evaluate.sizes import with_sizes
from nnspec.graph.weight_map import Array
from nnspec.views.reference.written import use

SIZES = {"N": 3, "T": 5, "S": 4}


def uses() -> Iterator[Example]:
    """Every example of every op, by the name of the op."""
    for _, op in sorted(OPS.items()):
        yield from op.examples()


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


def of_ops(examples: Iterable[Example]) -> Callable[[Check[Example]], Check[list[Example]]]:
    """A test of every use, those of an op in one test."""
    return each(examples, name=use, group=lambda example: example.op.name)
