"""Blocks with a small first letter, and derivatives in training programs."""

from __future__ import annotations

import ast
import builtins
from typing import Any

import numpy as np
import pytest

import nnspec
from nnspec.graph.evaluate.model import evaluate_model
from nnspec.graph.evaluate.training import TrainingRun
from nnspec.graph.graph import Call, Node
from nnspec.graph.training import Gradient

TEXT = """
## One minus the share of overlap.
block dice(smooth = 1.0) {
  input logits, mask
  p = sigmoid(logits)
  both = sum(p * mask)
  output loss = 1 - (2 * both + smooth) / (sum(p) + sum(mask) + smooth)
}
block swish {
  input x
  output x * sigmoid(x)
}
block evaluate {
  input x
  output x -> swish
}
block gate {
  input gate
  output gate * sigmoid(gate) -> swish
}
block twice(f: layer) {
  input x
  output x -> f -> f
}
block penalty(critic) {
  input mixed
  g = grad(sum(critic(mixed)), mixed)
  output mean(g * g)
}
model M {
  input swish: f32[N, 4]
  output y = swish -> Dense(3) -> gate -> Dense(1) -> gate
}
model Shared {
  input x: f32[N, 4]
  output y = twice(x, Dense(4))
}
train T {
  net = M()
  batch x: f32[N, 4], mask: f32[N, 1]
  y = evaluate(net(x))
  minimize dice(y, mask, smooth = 2.0) using SGD(0.1)
  metric full = dice(y, mask, smooth = 3.0), dice = y -> dice(mask)
}
"""


def test_a_function_is_a_call_without_a_layer() -> None:
    spec = nnspec.load(
        TEXT.replace("metric full = dice(y, mask, smooth = 3.0), dice = y -> dice(mask)", "")
    )
    calls = [s for s in spec.training().steps if isinstance(s, Call)]
    assert [(c.body.kind, c.body.name, c.layer) for c in calls] == [
        ("model", "M", "net"),
        ("function", "evaluate", ""),
        ("function", "dice", ""),
    ]
    inner = [s for s in spec.model("M").graph.steps if isinstance(s, Call)]
    assert [c.body.name for c in inner] == ["gate", "gate"]


def test_a_function_may_use_a_layer_that_it_is_given() -> None:
    steps = nnspec.load(TEXT).model("Shared").graph.steps
    assert [s.layer for s in steps if isinstance(s, Node)] == ["dense", "dense"]


def test_what_a_function_computes() -> None:
    text = (
        "block between(t = 0.5) {\n  input a, b\n  output a * (1 - t) + exp(b) * t\n}\n"
        "model D {\n  input x: f32[2], m: f32[2]\n"
        "  output a = between(x, m, 0.25), b = (x, m) -> between(t = 0.75)\n}\n"
    )
    x, m = np.array([0.3, -1.0]), np.array([1.0, 0.0])
    graph = nnspec.load(text).model("D").graph
    found = evaluate_model(graph, [x, m], {}, precision="f64").outputs
    expected = [x * 0.75 + np.exp(m) / 4, x / 4 + np.exp(m) * 0.75]
    np.testing.assert_allclose(found, expected, rtol=1e-14)


@pytest.mark.parametrize("target", ["pytorch", "keras", "gluon"])
def test_no_variable_hides_a_function_that_is_called(target: str) -> None:
    (text,) = nnspec.load(TEXT).build(target).files.values()
    module = ast.parse(text)
    top = {n.name for n in module.body if isinstance(n, ast.FunctionDef)}
    called = set()
    for function in [n for n in ast.walk(module) if isinstance(n, ast.FunctionDef)]:
        names = [n for n in ast.walk(function) if isinstance(n, ast.Name)]
        own = {a.arg for a in function.args.args}
        own |= {n.id for n in names if isinstance(n.ctx, ast.Store)}
        calls = [
            n.func.id
            for n in ast.walk(function)
            if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)
        ]
        assert not own & top & set(calls), function.name
        called |= top & set(calls)
    assert {n for n in called if n.startswith(("dice", "gate", "swish"))}
    defined = [n.name for n in module.body if isinstance(n, (ast.FunctionDef, ast.ClassDef))]
    assert len(defined) == len(set(defined))
    known = {*defined, *dir(builtins)}
    imports = [n for n in module.body if isinstance(n, (ast.Import, ast.ImportFrom))]
    known |= {n.id for n in ast.walk(module) if isinstance(n, ast.Name) and n.col_offset == 0}
    known |= {a.asname or a.name.split(".")[0] for n in imports for a in n.names}
    for function in module.body:
        if isinstance(function, ast.FunctionDef):
            own = {a.arg for a in ast.walk(function) if isinstance(a, ast.arg)}
            own |= {
                h.name for h in ast.walk(function) if isinstance(h, ast.ExceptHandler) and h.name
            }
            names = [n for n in ast.walk(function) if isinstance(n, ast.Name)]
            own |= {n.id for n in names if isinstance(n.ctx, ast.Store)}
            assert {n.id for n in names} <= known | own, function.name


def test_a_derivative_is_a_step() -> None:
    text = TEXT.replace("smooth = 2.0) using", "smooth = 2.0) + 10 * penalty(x, net) using")
    training = nnspec.load(text).training()
    (step,) = (s for s in training.steps if isinstance(s, Gradient))
    assert step.wrt is training.batch[0] and step.loss.type.rank == 0
    assert step.output.type == step.wrt.type
    assert step.op.infer(*(v.type for v in step.inputs)) == (step.output.type,)
    # The network stands in the program, where targets look for it, not inside of a function.
    assert sum(isinstance(s, Call) and s.layer == "net" for s in training.steps) == 2


def test_a_derivative_has_a_derivative() -> None:
    """Of `x * w * w` by `x` it is `w * w`; of the square of that by `w`, `4 * w**3`."""
    text = (
        "model D {\n  input x: f32[]\n  weight w: f32[] = ones\n  output y = x * w * w\n}\n"
        "block penalty(critic) {\n  input x\n  g = grad(critic(x), x)\n  output g * g\n}\n"
        "train T {\n  net = D()\n  batch x: f32[]\n  minimize penalty(x, net) using SGD(0.1)\n}\n"
    )
    run = TrainingRun(nnspec.load(text).training(), {("net", "w"): np.array(0.5)}, "f64")
    step = run.step([np.array(3.0)])
    np.testing.assert_allclose(step.losses[0], 0.5**4, rtol=1e-14)
    np.testing.assert_allclose(run.weights["net", "w"], 0.5 - 0.1 * 4 * 0.5**3, rtol=1e-14)


SLOPE = """
block slope(critic) {
  input x
  g = grad(sum(critic(x)), x)
  norm = sqrt(sum(g * g, axis = -1))
  output mean((norm - 1) * (norm - 1))
}
model Judge {
  input x: f32[N, 8]
  output score = x -> Dense(16, activation = tanh) -> Dense(1)
}
train Judge {
  D = Judge()
  batch x: f32[N, 8], z: f32[N, 8]
  mixed = 0.5 * x + 0.5 * z
  minimize mean(D(x)) - mean(D(z)) + 10 * slope(mixed, D) using SGD(0.1)
  metric slope = slope(x, D)
}
"""


@pytest.mark.framework
def test_pytorch_takes_derivatives_as_the_definition_does() -> None:
    """Three steps with a penalty on a slope, whose gradient is a second derivative; and no step."""
    torch = pytest.importorskip("torch")
    spec = nnspec.load(SLOPE)
    (text,) = spec.build("pytorch").files.values()
    assert isinstance(text, str)
    made: dict[str, Any] = {"__name__": "made"}
    exec(compile(text, "made.py", "exec"), made)
    torch.manual_seed(0)
    net = made["Judge"]().double()
    optimizer = made["make_optimizer"](net)
    weights = {("D", name): p.detach().numpy().copy() for name, p in net.named_parameters()}
    run = TrainingRun(spec.training(), weights, "f64")
    generator = np.random.default_rng(0)
    for _ in range(3):
        x, z = generator.normal(size=(2, 4, 8))
        loss = run.step([x, z]).losses[0]
        figures = made["train_step"](net, optimizer, torch.tensor(x), torch.tensor(z))
        np.testing.assert_allclose(figures["loss"].item(), loss, rtol=1e-12)
    for name, parameter in net.named_parameters():
        np.testing.assert_allclose(
            parameter.detach().numpy(), run.weights["D", name], rtol=1e-10, atol=1e-13
        )
    expected = run.step([x, z], training=False).losses[0]
    figures = made["evaluate"](net, torch.tensor(x), torch.tensor(z))
    np.testing.assert_allclose(figures["loss"].item(), expected, rtol=1e-12)
