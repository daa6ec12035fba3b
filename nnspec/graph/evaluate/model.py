"""A model, evaluated by its definition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nnspec.catalogue.ops.site import Term
from nnspec.graph.evaluate.arrays import Array, ArraySite
from nnspec.graph.evaluate.cost import Forecast
from nnspec.graph.evaluate.interpreter import Interpreter
from nnspec.graph.graph import Graph, Value
from nnspec.graph.graph import weights as weights_of


@dataclass(frozen=True)
class Evaluation:
    """What came out.

    outputs: in the order of the model. kept: new values of weights that training changes by itself, by path.
    values: every value on the way, for who looks for the first that differs.
    """

    outputs: tuple[Array, ...]
    kept: dict[str, Array]
    values: Mapping[Value, Array]


def evaluate_model(
    model: Graph,
    inputs: Sequence[Array],
    weights: Mapping[str, Array],
    *,
    training: bool = False,
    precision: str | None = None,
    generator: np.random.Generator | None = None,
) -> Evaluation:
    """Run a model in the language's order of axes.

    weights: canonical, by path. training: in training mode. precision: "f64" computes all that is f32 in f64.
    Raises `SpecError` (E0803) before it begins, where it would take too much.
    """
    interpreter = Interpreter(ArraySite(training=training, generator=generator), precision)
    for each in (Forecast(training=training, floats=precision), interpreter):
        walk(each, model, inputs, weights)
    values = {v: t.held for v, t in interpreter.terms.items()}
    kept = {w.path: values[w] for w in interpreter.moved}
    return Evaluation(tuple(values[v] for v in model.outputs), kept, values)


def walk(
    interpreter: Interpreter,
    model: Graph,
    inputs: Sequence[Array],
    weights: Mapping[str, Array],
) -> dict[Value, Term]:
    """Take all steps of a model; what its inputs and weights were at the beginning."""
    interpreter.bind(model.inputs, inputs)
    for weight in weights_of(model):
        interpreter.bind([weight], [weights[weight.path]])
    start = dict(interpreter.terms)
    for step in model.steps:
        interpreter.step(step)
    return start
