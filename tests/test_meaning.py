"""Every op has a meaning: it evaluates to what its types say, and its expansion agrees with it."""

from __future__ import annotations

import numpy as np
from uses import arrays, concrete, of_ops, uses, weights, with_floats

from nnspec.catalogue.ops import OPS, Example, Op
from nnspec.catalogue.ops.base import expansion_types
from nnspec.graph.evaluate import ArraySite
from nnspec.graph.evaluate.sizes import with_sizes

USES = list(uses())
COMPOSITES = [e for e in USES if not e.op.is_primitive()]


def test_every_op_has_a_meaning() -> None:
    """`evaluate`, or `draw` where it is random, or an expansion."""
    silent = [
        name
        for name, op in OPS.items()
        if op.is_primitive() and op.evaluate is Op.evaluate and op.draw is Op.draw
    ]
    assert silent == []


@of_ops(USES)
def test_evaluates_to_its_types(example: Example) -> None:
    for floats in ("f32", "f64"):
        _evaluates(concrete(example), floats)


def _evaluates(example: Example, floats: str) -> None:
    types = example.op.infer(*example.inputs)
    for training in (False, True)[: 1 + example.op.modal]:
        site = ArraySite(training=training, generator=np.random.default_rng(0))
        held = {r: site.term(a) for r, a in weights(example, floats=floats).items()}
        terms = map(site.term, arrays(example, floats=floats))
        results = site.apply(with_sizes(example.op, {}, floats), *terms, weights=held)
        for expected, term in zip(types, results, strict=True):
            # What is drawn at random is f32 whatever else is computed.
            drawn = example.op.stochastic and not example.op.modal
            assert term.type == (expected if drawn else with_floats(expected, floats)), floats
        assert all(new.type == weight.type for weight, new in site.kept.items())


@of_ops(COMPOSITES)
def test_expansion_has_the_same_types(example: Example) -> None:
    example = concrete(example)
    assert expansion_types(example.op, example.inputs)[0] == example.op.infer(*example.inputs)
