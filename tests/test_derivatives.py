"""Derivatives against differences of the definition, in f64: first and second ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from uses import arrays, concrete, uses, weights

from nnspec.catalogue.ops import Example
from nnspec.catalogue.ops.site import Term
from nnspec.graph.derivative import gradients
from nnspec.graph.evaluate import ArraySite
from nnspec.graph.weight_map import Array
from nnspec.views.reference.written import use

USES = [
    (example, training)
    for example in uses()
    for training in (False, True)[: 1 + example.op.modal]
    if example.inputs
    and example.op.name != "stop_gradient"
    and any(x.is_float for x in example.op.infer(*example.inputs))
]
STEP = 1e-5


@pytest.mark.parametrize("example,training", USES, ids=lambda v: v if v in (0, 1) else use(v))
def test_gradient(example: Example, training: bool) -> None:
    """Along random directions, and along them the gradient's own gradient."""
    example = concrete(example)
    given = arrays(example, floats="f64")
    held = weights(example, floats="f64")
    moving = [i for i, a in enumerate(given) if a.dtype.kind == "f"]
    point = [given[i] for i in moving] + list(held.values())
    generator = np.random.default_rng(2)
    towards = [generator.standard_normal(a.shape) for a in point]

    def at(point: Sequence[Array]) -> tuple[list[Term], list[Term], Sequence[Term]]:
        """The point as terms; random sums there of the results and of their derivatives; those derivatives."""
        site = ArraySite(training=training, generator=np.random.default_rng(0))
        terms: list[Term] = list(map(site.term, point))
        operands = list(map(site.term, given))
        for i, term in zip(moving, terms):
            operands[i] = term
        roles = dict(zip(held, terms[len(moving) :], strict=True))
        results = site.apply(example.op, *operands, weights=roles)
        value = _mixed(site, [r for r in results if r.type.is_float], 3)
        slopes = gradients(site, value, terms)
        return terms, [value, _mixed(site, slopes, 4)], slopes

    terms, (_, value), first = at(point)
    second = gradients(value.site, value, terms)
    _, above, _ = at([p + STEP * t for p, t in zip(point, towards, strict=True)])
    _, below, _ = at([p - STEP * t for p, t in zip(point, towards, strict=True)])
    for slopes, high, low in zip((first, second), above, below, strict=True):
        found = sum(float(np.sum(s.held * t)) for s, t in zip(slopes, towards, strict=True))
        expected = (high.held - low.held) / (2 * STEP)
        np.testing.assert_allclose(found, expected, rtol=2e-6, atol=2e-6)


def _mixed(site: ArraySite, terms: Sequence[Term], seed: int) -> Term:
    """The sum of all elements, each times a number of its own."""
    generator = np.random.default_rng(seed)
    total = site.term(np.float64(0))
    for term in terms:
        total = total + site.sum(term * site.term(generator.standard_normal(term.held.shape)))
    return total
