"""What the definition says of a model and of a training program: the judge of every target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from nnspec.catalogue.ops.site import Term
from nnspec.graph.derivative import gradients
from nnspec.graph.evaluate.arrays import ArraySite
from nnspec.graph.evaluate.cost import Forecast
from nnspec.graph.evaluate.interpreter import Interpreter
from nnspec.graph.evaluate.model import evaluate_model, walk
from nnspec.graph.evaluate.training import Step, TrainingRun
from nnspec.graph.graph import Graph, Value
from nnspec.graph.graph import weights as weights_of
from nnspec.graph.training import Training
from nnspec.graph.weight_map import Array

Weights = Mapping[str, Mapping[str, Array]]


@dataclass(frozen=True)
class Derived:
    """A model in one mode, in f64.

    outputs: as it gives them. weights: gradients of the trainable ones, of the sum of outputs times projections.
    inputs: the same for each input; None where it has no gradient. kept: running statistics afterwards.
    """

    outputs: tuple[Array, ...]
    weights: dict[str, Array]
    inputs: tuple[Array | None, ...]
    kept: dict[str, Array]


@dataclass(frozen=True)
class Trained:
    """A training program in f64.

    losses: of the first step, before any update; of each update as the step goes on.
    gradients: of the first step, for each update, by network and path. weights: after each step of `at`.
    moved: by how much rounding alone can move each of these weights, where some gradient cancels to nothing: an
        optimizer that divides a gradient by its size makes steps of such rounding (a bias before a batch norm).
    """

    losses: tuple[float, ...]
    gradients: list[dict[str, dict[str, Array]]]
    weights: dict[int, dict[str, dict[str, Array]]]
    moved: dict[int, dict[str, dict[str, float]]] = field(default_factory=dict)


def outputs(model: Graph, weights: Mapping[str, Array], inputs: Sequence[Array]) -> list[Array]:
    """Outputs in evaluation mode, computed in f64."""
    return list(evaluate_model(model, inputs, weights, precision="f64").outputs)


def projections(model: Graph, results: Sequence[Array], seed: int) -> list[Array]:
    """Fixed random weights for the outputs: with them a model becomes one number to differentiate."""
    generator = np.random.default_rng(seed)
    drawn = (generator.standard_normal(a.shape) for a in results)
    return [
        d if v.type.is_float else np.zeros(a.shape)
        for v, a, d in zip(model.outputs, results, drawn, strict=True)
    ]


def derived(
    model: Graph,
    weights: Mapping[str, Array],
    inputs: Sequence[Array],
    by: Sequence[Array],
    training: bool = True,
) -> Derived:
    """The model in training mode or evaluation, and the gradients of its outputs, projected."""
    interpreter = Interpreter(ArraySite(training=training), "f64")
    for each in (Forecast(training=training, floats="f64"), interpreter):
        flows = _flows(each, model, walk(each, model, inputs, weights), by)
    return Derived(
        tuple(interpreter.terms[v].held for v in model.outputs),
        {w.path: flows[w].held for w in weights_of(model) if w in flows},
        tuple(flows[v].held if v in flows else None for v in model.inputs),
        {w.path: interpreter.terms[w].held for w in interpreter.moved},
    )


def _flows(
    interpreter: Interpreter, model: Graph, start: Mapping[Value, Term], by: Sequence[Array]
) -> dict[Value, Term]:
    """Gradients by each trainable weight and each input of floats."""
    site = interpreter.site
    total = site.number(0.0, "f64")
    for value, factors in zip(model.outputs, by, strict=True):
        if value.type.is_float:
            wanted = interpreter.precise(factors, value.type.dtype)
            total = total + site.sum(interpreter.terms[value] * site.term(wanted))
    wrt: list[Value] = [w for w in weights_of(model) if w.trainable]
    wrt += [v for v in model.inputs if v.type.is_float]
    return dict(zip(wrt, gradients(site, total, [start[v] for v in wrt]), strict=True))


def trained(
    training: Training, weights: Weights, batches: Sequence[Sequence[Array]], at: Sequence[int]
) -> Trained:
    """The program's steps, gradients and updates."""
    first, after = _steps(training, weights, batches, at)
    moved: dict[int, dict[str, dict[str, float]]] = {}
    if any(map(_cancels, first.gradients)):
        _, noisy = _steps(training, weights, batches, at, ROUNDING)
        moved = {
            count: {
                network: {p: _farthest(a, noisy[count][network][p]) for p, a in arrays.items()}
                for network, arrays in networks.items()
            }
            for count, networks in after.items()
        }
    return Trained(
        tuple(float(loss) for loss in first.losses),
        [by_network(flows) for flows in first.gradients],
        after,
        moved,
    )


ROUNDING = 3e-16
"""Of the largest gradient: some roundings of f64, as a sum of thousands of terms in another order has them."""


def _steps(
    training: Training,
    weights: Weights,
    batches: Sequence[Sequence[Array]],
    at: Sequence[int],
    noise: float = 0.0,
) -> tuple[Step, dict[int, dict[str, dict[str, Array]]]]:
    """The first step, and the weights after some."""
    start = {(n, path): a for n, arrays in weights.items() for path, a in arrays.items()}
    run = TrainingRun(training, start, "f64", noise=noise)
    after: dict[int, dict[str, dict[str, Array]]] = {}
    for number in range(1, max(at) + 1):
        step = run.step(batches[(number - 1) % len(batches)])
        if number == 1:
            first = step
        if number in at:
            after[number] = by_network(run.weights)
    return first, after


def _cancels(flows: Mapping[tuple[str, str], Array]) -> bool:
    """Whether some gradient is nothing but what rounding left."""
    sizes = [float(np.abs(a).max(initial=0)) for a in flows.values()]
    return any(0 < size < 1e-12 * max(sizes) for size in sizes)


def _farthest(a: Array, b: Array) -> float:
    return float(np.abs(a - b).max(initial=0))


def by_network(places: Mapping[tuple[str, str], Array]) -> dict[str, dict[str, Array]]:
    """Arrays by network, then by path."""
    nested: dict[str, dict[str, Array]] = {}
    for (network, path), array in places.items():
        nested.setdefault(network, {})[path] = array
    return nested
