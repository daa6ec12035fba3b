"""Random models: whatever the compiler accepts computes the same everywhere."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from random_specs import spec

import nnspec
from codegen import TARGETS
from nnspec.driver.verify import cases
from nnspec.graph.evaluate import evaluate_model
from nnspec.graph.passes.freeze_random import freeze_graph
from nnspec.report.source import Source
from nnspec.syntax.format import format_source


@pytest.mark.parametrize("seed", range(12))
def test_onnx(seed: int) -> None:
    """Formatted or not the same models; the file is clean and onnxruntime agrees with the definition."""
    text = spec(seed, 6)
    found = nnspec.load(text)
    again = nnspec.load(format_source(Source("x", text)))
    for model, twin in zip(found.program.models, again.program.models, strict=True):
        graph = freeze_graph(model)
        weights = cases.weights_of(graph, seed)
        assert list(weights) == list(cases.weights_of(twin, seed))
        sizes = cases.symbol_sizes(graph.inputs)
        inputs = cases.inputs_of(graph.inputs, graph.steps, sizes, np.random.default_rng(seed))
        emitted = TARGETS["onnx"].emit(
            found.only(model.name).program,
            stem="x",
            provenance="t",
            layout="nhwc",
            weights={model: weights},
        )
        (content,) = emitted.files.values()
        onnx.checker.check_model(onnx.load_from_string(content), full_check=True)
        session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
        feeds = {i.name: a for i, a in zip(session.get_inputs(), inputs, strict=True)}
        expected = evaluate_model(graph, inputs, weights, precision="f64").outputs
        for one, other in zip(session.run(None, feeds), expected, strict=True):
            scale = np.abs(other).max(initial=1e-6)
            assert np.abs(one - other).max() <= 1e-5 * scale, text


@pytest.mark.framework
@pytest.mark.parametrize("seed", (100, 101))
def test_every_target(seed: int) -> None:
    report = nnspec.load(spec(seed, 10)).verify()
    wrong = [f"{r.subject} {r.target} {r.relative:.1e}" for r in report.rows if not r.agrees]
    assert not wrong, wrong
    assert {r.target for r in report.rows} == {"pytorch", "keras", "gluon"}
