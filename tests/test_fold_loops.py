"""A `for` that repeats an update is a loop where its passes are alike, and several updates where they are not."""

from __future__ import annotations

import numpy as np
import pytest

from nnspec.compiler import compile_source
from nnspec.driver.verify import cases
from nnspec.graph import passes
from nnspec.graph.evaluate.training import TrainingRun
from nnspec.graph.training import Minimize, Repeat, Training, performed
from nnspec.report.diagnostics import Reporter
from nnspec.report.source import Source

SPEC = """
model Make { input z: f32[N, 3]  output x = z -> Dense(4) }
model Judge { input x: f32[N, 4]  output y = x -> BatchNorm -> Dense(1) }
block far(a, b) {
  input x, y
  output a * mean((x - y) ** 2) + b
}
train T {
  G = Make()
  D = Judge()
  batch x: f32[N, 4]
  BODY
}
"""
UPDATE = "minimize mse(D(x), 1) over D using SGD(0.1)"
PENALTY = """
  z = stop_gradient(G(random_normal([N, 3])))
  minimize mean(D(z)) + mean(grad(sum(D(z)), z) ** 2) over D using Adam()
"""
ALIKE = {
    "update": (f"for _ in range(5) {{ {UPDATE} }}", "5(!)"),
    "nested": (f"for _ in range(3) {{ for _ in range(2) {{ {UPDATE} }} {UPDATE} }}", "3(2(!)!)"),
    "draws": (f"for _ in range(4) {{ {PENALTY} }} {UPDATE}", "4(!)!"),
    "function": (
        "for _ in range(2) { minimize far(D(x), D(x + 1), a = 2, b = 3) using SGD(0.1) }",
        "2(!)",
    ),
    # The gradient of what follows goes past the loop.
    "past": (
        f"fake = G(random_normal([N, 3])) for _ in range(3) {{ {UPDATE} }} "
        "minimize mean(D(fake)) over G using SGD(0.1)",
        "3(!)!",
    ),
    "last value": (
        "for _ in range(3) { y = D(x) minimize mse(y, 1) using SGD(0.1) } metric mean(y)",
        "3(!)",
    ),
}
OTHER = {
    "number": "for i in range(2) { minimize i * mean(D(x)) using SGD(0.1) }",
    "optimizer": "for i in range(2) { minimize mean(D(x)) using SGD(0.1 * (i + 1)) }",
    "written twice": f"{UPDATE} {UPDATE}",
    "one pass": f"for _ in range(1) {{ {UPDATE} }}",
    # What one pass leaves to the next.
    "carried": "for _ in range(2) { x = x + 0.1 minimize mse(D(x), 1) using SGD(0.1) }",
    # Its tape would lie around the loop.
    "from outside": "y = G(random_normal([N, 3])) for _ in range(2) { minimize mean(D(y)) over D using SGD(0.1) }",
    "to outside": """
      for _ in range(2) {
        y = G(random_normal([N, 3]))
        minimize mean(D(stop_gradient(y))) over D using SGD(0.1)
      }
      minimize mean(D(y)) over G using SGD(0.1)
    """,
    "first value": """
      for i in range(2) {
        y = mean(D(x))
        if i == 0 { first = y }
        minimize y using SGD(0.1)
      }
      metric m = first
    """,
}


def training_of(body: str) -> Training:
    reporter = Reporter()
    program = compile_source(Source("<text>", SPEC.replace("BODY", body)), reporter)
    reporter.raise_errors()
    return program.trainings[0]


def shape(training: Training) -> str:
    """`3(2(!)!)`: an update is a mark, a loop its number of passes."""
    text, left = "", []
    for step in training.steps:
        if isinstance(step, Repeat):
            text += f"{step.times}("
            left.append(step.updates)
        elif isinstance(step, Minimize):
            text += "!"
            left = [n - 1 for n in left]
            text += ")" * left.count(0)
            left = [n for n in left if n]
    return text


def after(training: Training, steps: int) -> dict[tuple[str, str], np.ndarray]:
    """Weights after some steps."""
    weights = {
        (network, path): array
        for network, arrays in cases.networks_weights(training, 0).items()
        for path, array in arrays.items()
    }
    run = TrainingRun(training, weights, generator=np.random.default_rng(0))
    for batch in cases.batches_of(training, steps, 1):
        run.step(batch)
    return run.weights


@pytest.mark.parametrize("name", ALIKE)
def test_alike(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A loop, which does to weights and random numbers what the passes by themselves do."""
    body, expected = ALIKE[name]
    folded = training_of(body)
    assert shape(folded) == expected
    monkeypatch.setattr(passes, "fold_loops", lambda training: training)
    unfolded = training_of(body)
    assert "(" not in shape(unfolded)
    made = [type(s) for s in performed(folded.steps)]
    assert made == [type(s) for s in unfolded.steps]
    wanted = after(unfolded, 2)
    for place, array in after(folded, 2).items():
        np.testing.assert_array_equal(array, wanted[place], err_msg=str(place))


@pytest.mark.parametrize("name", OTHER)
def test_not_alike(name: str) -> None:
    """Several updates, each with a loss of its own."""
    assert "(" not in shape(training_of(OTHER[name]))
