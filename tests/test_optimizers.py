"""Optimizers and schedules as blocks: which object is which, and what a rule computes."""

from __future__ import annotations

import numpy as np
import pytest

import nnspec
from nnspec.core.types import TensorType
from nnspec.graph.evaluate.model import evaluate_model
from nnspec.graph.training import Minimize, Training
from nnspec.graph.updates import Rule, Schedule, Update

HEAD = """
block Signed(lr = 1e-3, momentum = 0.9) {
  input w, g, m = 0, unread = 1, fixed = 2
  m = momentum * m + (1 - momentum) * g
  output w = w - lr * m * fixed, m, unread = unread + g
}
block Ramp(top, steps) {
  input step
  output top * (step + 1) / steps
}
block Same(value) {
  input step
  output value
}
model M {
  input x: f32[N, 4]
  backbone = Dense(3)
  output y = x -> backbone -> Dense(3)
}
train T {
  net = M()
  batch x: f32[N, 4], label: i64[N]
  loss = cross_entropy(net(x), label)
"""


def program(statements: str) -> Training:
    return nnspec.load(f"{HEAD}\n{statements}\n}}\n").training()


def updates(statements: str) -> list[Update]:
    return [s.update for s in program(statements).steps if isinstance(s, Minimize)]


def rule(optimizer: str) -> Rule:
    (found,) = updates(f"minimize loss using {optimizer}")
    return found.rule(TensorType("f64", (3,)))


def test_one_object_is_one_optimizer() -> None:
    bound = updates("opt = Adam(1e-3)\nminimize loss using opt\nminimize loss using opt")
    assert bound[0] is bound[1]
    looped = updates("for i in range(2) { minimize loss using Signed(Ramp(1, 10), every = 5) }")
    assert looped[0] is looped[1] and looped[0].every == 5
    inline = updates("minimize loss using Adam(1e-3)\nminimize loss using Adam(1e-3)")
    assert inline[0] is not inline[1]
    different = updates("for i in range(2) { minimize loss using SGD(1 / (i + 1)) }")
    assert [u.arguments["lr"] for u in different] == [1.0, 0.5]


def test_an_update_that_says_when_it_is_made_is_not_told_by_the_program() -> None:
    written = ("", ", accumulate = 1", ", accumulate = 2", ", every = 1", ", every = 5")
    found = updates(
        "\n".join([*(f"minimize loss using SGD(0.1{w})" for w in written), "accumulate = 3"])
    )
    assert [u.accumulate for u in found] == [3, 1, 2, 1, 1]
    assert [u.every for u in found] == [1, 1, 1, 1, 5]


def test_whose_block_it_is() -> None:
    (own,) = updates("minimize loss using Signed(momentum = 0.5)")
    assert (own.block, own.shipped, own.scheduled) == ("Signed", False, frozenset())
    assert dict(own.arguments) == {"lr": 1e-3, "momentum": 0.5}
    (library,) = updates("minimize loss using SGD(0.1)")
    assert (library.block, library.shipped, library.scheduled) == ("SGD", True, frozenset())
    (scheduled,) = updates("minimize loss using SGD(Warmup(0.1, steps = 10), momentum = 0.9)")
    assert scheduled.shipped and scheduled.scheduled
    lr = scheduled.arguments["lr"]
    assert (
        isinstance(lr, Schedule) and lr.shipped and dict(lr.arguments) == {"then": 0.1, "steps": 10}
    )
    (constant,) = updates("minimize loss using SGD(Constant(0.1))")
    assert constant.arguments["lr"] == 0.1 and not constant.scheduled


@pytest.mark.parametrize(
    ("optimizer", "states", "ops"),
    [
        ("SGD(0.1)", [], ["constant", "multiply", "subtract"]),
        ("SGD(0.1, momentum = 0.9)", ["v"], ["multiply", "add", "multiply", "subtract"]),
        ("SGD(1.0, weight_decay = 0.5)", [], ["multiply", "add", "subtract"]),
        ("Signed(momentum = 0.0)", [], ["multiply", "multiply", "subtract"]),
        ("Signed()", ["m"], ["multiply", "multiply", "add", "multiply", "multiply", "subtract"]),
    ],
)
def test_what_does_nothing_is_not_there(optimizer: str, states: list[str], ops: list[str]) -> None:
    found = rule(optimizer)
    assert [s.name for s in found.states] == states
    names = [s.op.name for s in found.graph.steps if hasattr(s, "op")]
    assert [n for n in names if n != "constant" or "constant" in ops] == ops


def test_a_rule_computes_the_update() -> None:
    found = rule("SGD(Ramp(0.5, 10), momentum = 0.9, nesterov = true, weight_decay = 0.01)")
    assert found.given == ("lr",)
    w, g, v = np.array([1.0, 2.0, 3.0]), np.array([0.5, -0.5, 0.25]), np.array([0.1, 0.2, 0.3])
    arrays = [w, g, np.array(3.0), np.array(0.15), v]
    new, velocity = evaluate_model(found.graph, arrays, {}).outputs
    decayed = g + 0.01 * w
    kept = 0.9 * v + decayed
    np.testing.assert_allclose(velocity, kept, rtol=1e-15)
    np.testing.assert_allclose(new, w - 0.15 * (decayed + 0.9 * kept), rtol=1e-15)


def test_adam_of_the_library_is_adam() -> None:
    """Three updates by its block, and as its paper has it."""
    found = rule("Adam(0.1, beta1 = 0.8, beta2 = 0.9, epsilon = 1e-3, weight_decay = 0.5)")
    assert [s.name for s in found.states] == ["m", "v"]
    w = np.array([1.0, -2.0, 3.0])
    states, other = [np.zeros(3), np.zeros(3)], w
    m = v = np.zeros(3)
    for step in (1, 2, 3):
        g = np.array([0.5, 0.1, -1.0]) * step
        w, *states = evaluate_model(found.graph, [w, g, np.array(float(step)), *states], {}).outputs
        g = g + 0.5 * other
        m, v = 0.8 * m + 0.2 * g, 0.9 * v + 0.1 * g**2
        other = other - 0.1 * (m / (1 - 0.8**step)) / (np.sqrt(v / (1 - 0.9**step)) + 1e-3)
    np.testing.assert_allclose(w, other, rtol=1e-13)


@pytest.mark.parametrize(
    ("written", "at", "expected"),
    [
        ("StepDecay(1.0, every = 10, factor = 0.5)", 25, 0.25),
        ("Warmup(0.5, steps = 10)", 3, 0.2),
        ("Warmup(Cosine(1.0, steps = 4), steps = 2)", 0, 0.5),
        ("Cosine(2.0, steps = 30, warmup = 10)", 4, 1.0),
        ("Cosine(2.0, steps = 30, warmup = 10)", 20, 1.0),
        ("Cosine(2.0, steps = 30, floor = 0.5)", 40, 0.5),
        ("Ramp(0.5, 10)", 2, 0.15),
        ("Ramp(Ramp(1, 4), 2)", 1, 0.5),
        ("Same(Ramp(1, 4))", 0, 0.25),
        ("MultiStep(1.0, milestones = [3, 5], factor = 0.5)", 2, 1.0),
        ("MultiStep(1.0, milestones = [3, 5], factor = 0.5)", 3, 0.5),
        ("MultiStep(1.0, milestones = [3, 5], factor = 0.5)", 9, 0.25),
        ("Exponential(2.0, factor = 0.25, every = 10)", 5, 1.0),
        ("Polynomial(2.0, steps = 10, end = 1.0, power = 2.0)", 5, 1.25),
        ("Polynomial(2.0, steps = 10)", 30, 0.0),
        # As torch.optim.lr_scheduler.OneCycleLR(max_lr = 1.0, total_steps = 20).
        ("OneCycle(1.0, steps = 20)", 0, 0.04),
        ("OneCycle(1.0, steps = 20)", 2, 0.3716718427000253),
        ("OneCycle(1.0, steps = 20)", 5, 1.0),
        ("OneCycle(1.0, steps = 20)", 12, 0.500002),
        ("OneCycle(1.0, steps = 20)", 19, 4e-6),
        ("InverseSqrt(1.0, warmup = 4)", 1, 0.5),
        ("InverseSqrt(1.0, warmup = 4)", 15, 0.5),
    ],
)
def test_a_schedule_is_a_number_of_the_step(written: str, at: int, expected: float) -> None:
    (found,) = updates(f"minimize loss using SGD({written})")
    lr = found.arguments["lr"]
    assert isinstance(lr, Schedule)
    (value,) = evaluate_model(lr.graph("f64"), [np.array(float(at))], {}).outputs
    np.testing.assert_allclose(value, expected, rtol=1e-15)
    assert value.shape == ()


def test_frozen_parts() -> None:
    training = program("frozen = [net.backbone]\nminimize loss using SGD(0.1)")
    assert training.frozen == (("net", "backbone"),)


def test_what_targets_do_not_write_is_refused() -> None:
    """Rather than written as something else: an optimizer of which two updates share a part of the weights."""
    statements = (
        "opt = SGD(0.1)\nminimize loss using opt\nminimize loss over net.backbone using opt"
    )
    spec = nnspec.load(f"{HEAD}\n{statements}\n}}\n")
    for target in ("pytorch", "keras", "gluon"):
        with pytest.raises(nnspec.SpecError, match="E0704"):
            spec.build(target)


def test_a_program_exports_its_network() -> None:
    text = (
        "model M(classes = 1000) {\n  input x: f32[N, 4]\n  output y = x -> Dense(classes)\n}\n"
        "train A {\n  net = M(classes = 10)\n  batch x: f32[N, 4], y: i64[N]\n"
        "  minimize cross_entropy(net(x), y) using SGD\n}\n"
    )
    spec = nnspec.load(text)
    assert [str(m.graph.outputs[0].type) for m in spec.models] == ["f32[N, 10]"]
    assert spec.model("net").graph is spec.model("M").graph is spec.models[0].graph
    assert list(spec.build("onnx").files) == ["spec.onnx"]
    # What is asked for by parameters is made as well; the program keeps its own.
    assert str(spec.model("M", classes=5).graph.outputs[0].type) == "f32[N, 5]"
    both = nnspec.load(
        text + text[text.index("train A") :].replace("train A", "train B").replace("10", "20")
    )
    files = list(both.build("onnx").files)
    assert files == ["spec_a_net.onnx", "spec_b_net.onnx"]
    # A parameter that the program leaves alone is the one from outside.
    plain = nnspec.load(text.replace("M(classes = 10)", "M()"), classes=7)
    assert [str(m.graph.outputs[0].type) for m in plain.models] == ["f32[N, 7]"]
    assert plain.training().networks[0].model is plain.models[0].graph
