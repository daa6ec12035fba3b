"""Inputs and weights that show mistakes: odd unequal sizes, negative values, labels of every class."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from nnspec.core.dims import substitute, symbols
from nnspec.core.dtypes import DTYPES
from nnspec.graph.bounds import index_bounds
from nnspec.graph.evaluate.sizes import with_sizes
from nnspec.graph.graph import Graph, Value, Weight, walk, weights
from nnspec.graph.passes.freeze_random import Drawn
from nnspec.graph.sizes import large_enough
from nnspec.graph.training import Training, TrainStep
from nnspec.graph.weight_map import Array
from nnspec.graph.weights import initialize

# Primes, so that no two axes agree by chance; the first is the batch in most specs.
_SIZES = (3, 5, 7, 11, 13, 17, 19, 23)


def symbol_sizes(values: Iterable[Value], steps: Sequence[TrainStep] = ()) -> dict[str, int]:
    """A size for every symbolic dimension, in the order in which they are first met; `steps` can do with it."""
    names: dict[str, None] = {}
    for value in values:
        for dim in value.type.shape:
            names |= dict.fromkeys(sorted(symbols(dim)))
    return large_enough(steps, {name: _SIZES[i % len(_SIZES)] for i, name in enumerate(names)})


def inputs_of(
    values: Sequence[Value],
    steps: Sequence[TrainStep],
    sizes: dict[str, int],
    generator: np.random.Generator,
) -> list[Array]:
    """One array for each value: normal for floats, within bounds for indices, coins for bools; a draw as it is drawn."""
    bounds = index_bounds(steps, sizes, parts=True)
    return [_draw(v, bounds.get(v, 4), sizes, generator) for v in values]


def _draw(value: Value, bound: int, sizes: dict[str, int], generator: np.random.Generator) -> Array:
    if isinstance(value, Drawn) and value.op.is_primitive():
        return with_sizes(value.op, sizes).draw(generator)
    shape = tuple(int(str(substitute(d, sizes))) for d in value.type.shape)
    dtype = DTYPES[value.type.dtype].numpy
    if value.type.is_float:
        return generator.standard_normal(shape).astype(dtype)
    if value.type.dtype == "bool":
        return generator.random(shape) < 0.5
    return generator.integers(0, bound, shape).astype(dtype)


def precision(model: Graph) -> str:
    """The coarsest float type that a value of the model has; f32 where it has no floats."""
    values = [*model.inputs, *weights(model), *(v for n in walk(model) for v in n.outputs)]
    floats = {v.type.dtype for v in values if v.type.is_float}
    return max(floats, key=lambda name: DTYPES[name].epsilon, default="f32")


def weights_of(model: Graph, seed: int) -> dict[str, Array]:
    """Initial weights, moved away from zeros and ones, which would hide a wrong bias or scale."""
    found = weights(model)
    initial = initialize(found, seed)
    generator = np.random.default_rng(seed + 1)
    return {w.path: _jitter(w, initial[w.path], generator) for w in found}


def _jitter(weight: Weight, array: Array, generator: np.random.Generator) -> Array:
    noise = generator.standard_normal(array.shape)
    moved: Array = array
    if weight.role == "running_var":  # a variance stays positive
        moved = array * (1 + 0.2 * np.abs(noise))
    elif array.ndim <= 1 or not weight.trainable:
        moved = array + 0.1 * noise
    return moved.astype(array.dtype, copy=False)


def networks_weights(training: Training, seed: int) -> dict[str, dict[str, Array]]:
    """Weights for every network of a training program."""
    begun: dict[str, dict[str, Array]] = {}
    for i, n in enumerate(training.networks):
        begun[n.name] = begun.get(n.follows or "") or weights_of(n.model, seed + i)
    return begun


def batches_of(training: Training, count: int, seed: int) -> Iterator[list[Array]]:
    """`count` batches of the columns that the program reads."""
    generator = np.random.default_rng(seed)
    sizes = symbol_sizes(training.batch, training.steps)
    for _ in range(count):
        yield inputs_of(training.batch, training.steps, sizes, generator)
