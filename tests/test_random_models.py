"""Random models: whatever the compiler accepts computes what the definition says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from random_cases import answers, case_of, drawn, onnx_outputs, request
from random_models import EXAMPLES, ops_of, spec

import nnspec
from codegen import TARGETS
from nnspec.driver.verify import cases
from nnspec.graph.bounds import index_bounds
from nnspec.graph.graph import weights
from nnspec.report.diagnostics import SpecError
from nnspec.report.source import Source
from nnspec.syntax.format import format_source

STEPS = 8


def test_every_op_is_drawn() -> None:
    """And every text compiles, with blocks, repeats and parallels among them."""
    text = spec(1, 300)
    nnspec.load(text)
    assert ops_of(text) == set(EXAMPLES)
    assert all(piece in text for piece in ("block ", "() * 2", " | ", "= shared", "= scan("))


@pytest.mark.parametrize("seed", range(6))
def test_formatted_or_not_the_same_models(seed: int) -> None:
    text = spec(seed, 6)
    found, again = nnspec.load(text), nnspec.load(format_source(Source("x", text)))
    for model, twin in zip(found.program.models, again.program.models, strict=True):
        assert [w.path for w in weights(model)] == [w.path for w in weights(twin)]
        assert [v.type for v in model.outputs] == [v.type for v in twin.outputs]


def test_indices_stay_within_sizes_that_have_names() -> None:
    """What the first of them found."""
    text = "model M { input x: f32[N, 2], i: i64[50]\n output gather(x, i) }"
    [model] = nnspec.load(text).program.models
    sizes = cases.symbol_sizes(model.inputs)
    _, indices = cases.inputs_of(model.inputs, model.steps, sizes, np.random.default_rng(0))
    assert indices.max() == sizes["N"] - 1


def test_where_an_index_stands_says_nothing_of_the_index() -> None:
    """What CLIP found: its text ends where the largest token stands, of which there are as many as words."""
    text = "model M { input ids: i64[N, 9]\n output one_hot(argmax(ids[:, 1:], axis = 1), 8) }"
    [model] = nnspec.load(text).program.models
    assert model.inputs[0] not in index_bounds(model.steps)


def test_what_a_part_is_held_to_is_not_asked_of_all() -> None:
    """Columns of a table that have embeddings of their own; numbers that are made up suit the smallest."""
    text = """model M { input ids: i64[N, 2]
      output (ids[:, 0] -> Embedding(3, 2)) + (ids[:, 1:] -> reshape([N]) -> Embedding(9, 2)) }"""
    [model] = nnspec.load(text).program.models
    [ids] = model.inputs
    assert ids not in index_bounds(model.steps)
    assert index_bounds(model.steps, parts=True)[ids] == 3


@pytest.mark.parametrize("seed", range(12))
def test_onnx(seed: int) -> None:
    """The file is clean for the checker, and onnxruntime agrees with the definition."""
    _, case = drawn(f"test/{seed}", STEPS)
    try:
        found = onnx_outputs(case)
    except SpecError as error:
        assert {d.code for d in error.diagnostics} == {"E0704"}, case.text
    else:
        assert not case.wrong(found, "f32"), case.text


FOUND = (
    """model Model {
  input x: f32[N, 4, 3, 5, 2]
  output x -> MaxPool3D(2, ceil_mode = true) -> SpatialDropout3D(0.3) -> LayerNorm(axis = 1) * 2
}""",
    """model Model {
  input x: f32[N, 5]
  output triplet(x, x, x) -> erf -> expand_dims(-1) -> clip(low = 0.1)
}""",
)
"""What long runs found wrong once."""


@pytest.mark.framework
@pytest.mark.parametrize("name", ("pytorch", "keras", "gluon"))
def test_in_f64(name: str, tmp_path: Path) -> None:
    requests = []
    random = [drawn(f"test/{seed}", STEPS)[1] for seed in range(8)]
    for number, case in enumerate([*random, *map(case_of, FOUND)]):
        try:
            requests.append(request(TARGETS[name], case, tmp_path / f"m{number}.py"))
        except SpecError as error:
            assert {d.code for d in error.diagnostics} == {"E0704"}, case.text
    for one, found in zip(requests, answers(TARGETS[name], requests), strict=True):
        assert not isinstance(found, str), f"{found}\n{one.case.text}"
        assert not one.wrong(found), one.case.text
