"""Cells along time, held against the same written out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from nnspec.compiler import compile_source
from nnspec.graph.evaluate.model import evaluate_model
from nnspec.graph.graph import Call, Program, weights
from nnspec.report.diagnostics import Reporter
from nnspec.report.source import Source


def program(text: str) -> Program:
    reporter = Reporter()
    compiled = compile_source(Source("<text>", text), reporter)
    assert not reporter.errors, reporter.errors
    return compiled


CELL = """
block Cell(units) {
  input x, h = 0.5
  h = tanh((x -> Dense(units)) + (h -> Dense(units, use_bias = false)))
  output h, twice = 2 * h
}

model Reader {
  input x: f32[N, 4, 3], first: f32[N, 5]
  cell = Cell(5)
  %s
}
"""


@pytest.mark.parametrize("given", (False, True))
def test_steps_one_after_the_other(given: bool) -> None:
    text = CELL % f"h, y = scan(cell, x{', first' if given else ''})\n  output y, h, first"
    (model,) = program(text).models
    generator = np.random.default_rng(0)
    held = {
        w.path: generator.standard_normal(tuple(int(str(d)) for d in w.type.shape))
        for w in weights(model)
    }
    assert sorted(held) == ["cell.dense.bias", "cell.dense.weight", "cell.dense_2.weight"]
    x, first = generator.standard_normal((2, 4, 3)), generator.standard_normal((2, 5))
    h, outputs = first if given else np.full((2, 5), 0.5), []
    for t in range(4):
        inner = x[:, t] @ held["cell.dense.weight"].T + held["cell.dense.bias"]
        h = np.tanh(inner + h @ held["cell.dense_2.weight"].T)
        outputs.append(2 * h)
    found = evaluate_model(model, [x, first], held, precision="f64").outputs
    assert np.allclose(found[0], np.stack(outputs, 1), atol=1e-12)
    assert np.allclose(found[1], h, atol=1e-12)


def test_a_cell_stays_one_block() -> None:
    (model,) = program(CELL % "_, y = scan(cell, x)\n  output y, first").models
    calls = [s for s in model.steps if isinstance(s, Call)]
    assert [(c.layer, c.body.name) for c in calls] == [("cell", "Cell")] * 4


@pytest.mark.parametrize(
    ("state", "made", "shape"),
    (
        ("h = 0", "h = h + x", (2, 3)),
        ("h = 1", "h = 2 * h", ()),
        ("h: f32[N, 7] = 0", "h = h * sum(x, axis = -1, keepdims = true)", (2, 7)),
    ),
)
def test_a_number_takes_the_shape_of_what_it_stands_for(
    state: str, made: str, shape: tuple[int, ...]
) -> None:
    text = f"""
block Cell {{
  input x: f32[N, C], {state}
  {made}
  output y = x, h
}}

model Reader {{
  input x: f32[2, 4, 3]
  y, h = scan(Cell, x)
  output y, h
}}
"""
    (model,) = program(text).models
    assert model.outputs[1].type.shape == shape
