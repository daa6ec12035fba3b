"""Steps of a graph, taken at a site one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from nnspec.catalogue.ops.site import Term
from nnspec.core.dtypes import DTYPES
from nnspec.graph.derivative import gradients
from nnspec.graph.evaluate.arrays import Array, ArraySite
from nnspec.graph.evaluate.sizes import bind_sizes, with_sizes
from nnspec.graph.graph import Call, Node, Step, Value, Weight
from nnspec.graph.training import Gradient
from nnspec.graph.unroll import in_turn


@dataclass
class Interpreter:
    """Steps of a graph at a site with arrays.

    terms: what each value stands for. sizes: numbers for the names of sizes.
    floats: the element type in place of f32, where one was asked for.
    moved: weights that training has changed by itself (running means), whose new values are in `terms`.
    frozen: paths of parts that work as in evaluation, from the network's name on.
    """

    site: ArraySite
    floats: str | None = None
    terms: dict[Value, Term] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    moved: dict[Weight, None] = field(default_factory=dict)
    frozen: tuple[tuple[str, ...], ...] = ()
    path: tuple[str, ...] = ()

    def bind(self, values: Sequence[Value], arrays: Sequence[Array]) -> None:
        """Inputs, with the sizes that they tell."""
        bind_sizes([v.type for v in values], [a.shape for a in arrays], self.sizes)
        for value, array in zip(values, arrays, strict=True):
            self.terms[value] = self.site.term(self.precise(array, value.type.dtype))

    def precise(self, array: Array, dtype: str) -> Array:
        """The array in the element type that stands for `dtype` here."""
        return np.asarray(array).astype(DTYPES[self.wanted(dtype)].numpy, copy=False)

    def wanted(self, dtype: str) -> str:
        """The element type that stands for one of the graph's."""
        return self.floats if self.floats and dtype == "f32" else dtype

    def step(self, step: Step) -> None:
        """One step: its results are terms from here on."""
        operands = [self.terms[v] for v in step.inputs]
        if isinstance(step, Call):
            if step.loop is None:
                results = self.call(step, operands)
            else:
                results = in_turn(self.site, step.loop, operands, partial(self.call, step))
        elif isinstance(step, Gradient):
            results = gradients(self.site, operands[0], operands[1:])
        else:
            results = self.node(step, operands)
        self.terms |= zip(step.outputs, results, strict=True)

    def call(self, call: Call, operands: Sequence[Term]) -> tuple[Term, ...]:
        """What a body makes of its inputs.

        A network of a program has names of its own for sizes: within it they stand for what it is given.
        """
        self.terms |= zip(call.body.inputs, operands, strict=True)
        outside = self.path, self.sizes
        given: dict[str, int] = {}
        bind_sizes([v.type for v in call.body.inputs], [t.shape for t in operands], given)
        self.path, self.sizes = (*self.path, *call.layer.split(".")), {**self.sizes, **given}
        for inner in call.body.steps:
            self.step(inner)
        self.path, self.sizes = outside
        return tuple(self.terms[v] for v in call.body.outputs)

    def node(self, node: Node, operands: Sequence[Term]) -> tuple[Term, ...]:
        op = with_sizes(node.op, self.sizes, self.floats)
        weights = {w.role: self.terms[w] for w in node.weights}
        training = self.site.training
        self.site.training = training and not self._is_frozen(node)
        results = self.site.apply(op, *operands, weights=weights)
        self.site.training = training
        for weight in node.weights:
            # What is applied next goes on from there.
            if (new := self.site.kept.pop(self.terms[weight], None)) is not None:
                self.terms[weight] = new
                self.moved[weight] = None
        return results

    def _is_frozen(self, node: Node) -> bool:
        path = (*self.path, *(node.layer or "").split("."))
        return any(path[: len(part)] == part for part in self.frozen)
