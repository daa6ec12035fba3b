"""Cells along time, held against the same written out by hand."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest
from conformance import Generated, case_of, emitted_text

import nnspec
from codegen import TARGETS
from codegen.gluon.records import moves_once
from codegen.python.dialect import Unsupported
from nnspec.compiler import compile_source, load
from nnspec.driver.generated import load_module
from nnspec.driver.verify import cases
from nnspec.graph.evaluate.model import evaluate_model
from nnspec.graph.flow import Flow
from nnspec.graph.graph import Call, Loop, Program, weights
from nnspec.report.diagnostics import Reporter
from nnspec.report.source import Source
from nnspec.views.summary import summarize


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
  input x: f32[N, T, 3], first: f32[N, 5]
  cell = Cell(5)
  %s
}
"""


@pytest.mark.parametrize("given", (False, True))
@pytest.mark.parametrize("length", ("4", "12", "T"))
def test_a_cell_is_applied_at_each_step(length: str, given: bool) -> None:
    """Written out, or as a loop of a number of steps or of a symbolic one."""
    text = CELL % f"h, y = scan(cell, x{', first' if given else ''})\n  output y, h, first"
    (model,) = program(text.replace("T", length)).models
    steps = int(length.replace("T", "7"))
    generator = np.random.default_rng(0)
    held = {
        w.path: generator.standard_normal(tuple(int(str(d)) for d in w.type.shape))
        for w in weights(model)
    }
    assert sorted(held) == ["cell.dense.bias", "cell.dense.weight", "cell.dense_2.weight"]
    x, first = generator.standard_normal((2, steps, 3)), generator.standard_normal((2, 5))
    h, outputs = first if given else np.full((2, 5), 0.5), []
    for t in range(steps):
        inner = x[:, t] @ held["cell.dense.weight"].T + held["cell.dense.bias"]
        h = np.tanh(inner + h @ held["cell.dense_2.weight"].T)
        outputs.append(2 * h)
    found = evaluate_model(model, [x, first], held, precision="f64").outputs
    assert np.allclose(found[0], np.stack(outputs, 1), atol=1e-12)
    assert np.allclose(found[1], h, atol=1e-12)


def test_a_cell_stays_one_block() -> None:
    text = CELL % "_, y = scan(cell, x)\n  output y, first"
    for length, times in (("4", 4), ("9", 1), ("T", 1)):
        (model,) = program(text.replace("T", length)).models
        calls = [s for s in model.steps if isinstance(s, Call)]
        assert [(c.layer, c.body.name) for c in calls] == [("cell", "Cell")] * times
        assert {c.loop for c in calls} == {Loop((0,), ((1, 0),)) if times == 1 else None}


def test_a_loop_costs_its_steps() -> None:
    text = CELL % "_, y = scan(cell, x)\n  output y, first"
    written_out, loop = (summarize(program(text.replace("T", n)).models[0]) for n in ("8", "16"))
    assert loop.flops == 2 * written_out.flops > 0
    assert loop.parameters == written_out.parameters


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


GOLDEN = Path(__file__).parent / "cases" / "golden" / "cells.nn"


def test_a_cell_by_hand_is_the_layer() -> None:
    """The golden `LSTMCell` with the weights of an `LSTM`."""
    text = """
model Layer { input x: f32[N, T, 6]
  y, h, c = x -> LSTM(5, returns = "all")
  output y, h, c }
model ByHand { input x: f32[N, T, 6]
  y, h, c = scan(LSTMCell(5), x)
  output y, h, c }
"""
    cell = GOLDEN.read_text().partition("block LSTMCell")[2].partition("}")[0]
    layer, by_hand = program(f"block LSTMCell{cell}}}{text}").models
    generator = np.random.default_rng(0)
    held = {
        w.path: generator.standard_normal(tuple(int(str(d)) for d in w.type.shape))
        for w in weights(layer)
    }
    names = {"weight_ih_l0": "dense.weight", "bias_l0": "dense.bias"}
    names |= {"weight_hh_l0": "dense_2.weight"}
    own = {f"lstm_cell.{names[p.rpartition('.')[2]]}": a for p, a in held.items()}
    x = generator.standard_normal((3, 7, 6))
    one = evaluate_model(layer, [x], held, precision="f64").outputs
    two = evaluate_model(by_hand, [x], own, precision="f64").outputs
    for a, b in zip(one, two, strict=True):
        assert np.allclose(a, b, atol=1e-13)


LAGGED = """
block Lagged {
  input x, h: f32[N, 3] = 0
  output y = 2 * h, h = x -> Dense(3)
}
model Reader {
  input x: f32[N, T, 4]
  y, h = scan(Lagged(), x)
  output y, h
}
train T {
  net = Reader()
  batch x: f32[N, T, 4]
  minimize mean(net(x)[0]) using SGD(0.1)
}
"""


def test_a_gradient_goes_round() -> None:
    """What comes out at a step depends on the weights by the state of the step before."""
    (training,) = program(LAGGED).trainings
    flow = Flow(training)
    (update,) = flow.updates
    reached = {path for _, path in flow.reached(update)}
    assert reached == {"lagged.dense.weight", "lagged.dense.bias"}


def test_who_has_no_loop_writes_the_steps_out() -> None:
    """Where a number says how many; else the reason is told."""
    long = program(LAGGED.replace("T, 4", "11, 4"))
    (model,) = long.models
    text = TARGETS["gluon"].emit(long, stem="m", provenance="", style="symbol").files
    assert "".join(map(str, text.values())).count("FullyConnected(") == 11
    with pytest.raises(Unsupported, match="`Lagged` along T steps"):
        TARGETS["gluon"].emit(program(LAGGED), stem="m", provenance="", style="symbol")


def test_a_batch_norm_along_time_is_applied_more_than_once() -> None:
    """MXNet's own would move its statistics in the backward pass, the last step first."""
    normed = LAGGED.replace("Dense(3)", "Dense(3) -> BatchNorm")
    (training,) = program(normed).trainings
    assert not moves_once(training)


@pytest.mark.framework
@pytest.mark.parametrize("target", ("pytorch", "keras", "gluon"))
def test_one_file_takes_sequences_of_any_length(target: str, tmp_path: Path) -> None:
    model = next(m for m in load(GOLDEN).models if m.name == "Reader")
    case = case_of("Reader", model)
    emitted = TARGETS[target].emit(Program((model,)), stem="case", provenance="A test.")
    path = tmp_path / "case.py"
    path.write_text(emitted_text(emitted), encoding="utf-8")
    made = Generated(case, load_module(path), emitted.models[model])
    runtime = importlib.import_module(f"codegen.{target}.runtime")
    for n, length in ((2, 1), (1, 9)):
        sizes = {"N": n, "T": length}
        inputs = cases.inputs_of(model.inputs, model.steps, sizes, np.random.default_rng(0))
        native = [x.there(a) for a, x in zip(inputs, made.entry.input_layouts, strict=True)]
        found = runtime.predict(made.module, made.entry.class_name, made.weights("f4"), native)
        expected = evaluate_model(model, inputs, case.weights, precision="f64").outputs
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


@pytest.mark.framework
def test_targets_agree() -> None:
    """Outputs, gradients and steps of optimizers; a loop of symbolic length, and of ten steps."""
    report = nnspec.load(GOLDEN).verify(quick=True)
    assert not report.skipped
    assert not [r for r in report.rows if not r.agrees]
    assert {"outputs", "gradients", "loss"} <= {r.quantity for r in report.rows}
