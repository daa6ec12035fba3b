"""What the definition would take is known, and refused, before it begins."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import nnspec
from nnspec import cli
from nnspec.driver.verify import definition
from nnspec.graph.evaluate import TrainingRun, cost, evaluate_model
from nnspec.graph.graph import weights
from nnspec.graph.weights import initialize
from nnspec.report.diagnostics import SpecError

SUM = "model M { input x: f32[N] output y = sum(broadcast_to(x, [100_000, 1_000_000, N])) }"
LSTM = "model M { input x: f32[N, T, 2] output y = x -> LSTM(2) }"
WINDOWS = "model M { input x: f32[N, T, 1] output y = x -> Conv1D(1, 40_000) }"
PRODUCT = "model M { input x: f32[A, A] output y = x @ x }"
TRAIN = """
model M { input x: f32[N] output y = x -> Dense(2) }
train Fit {
  net = M()
  batch x: f32[N, 3]
  minimize mean(broadcast_to(net(x), [100_000, 1_000_000, N, 2])) using SGD()
  steps = 1
}
"""


@pytest.mark.parametrize(
    "text,shape,at,told",
    [
        (SUM, (2,), "broadcast_to(x, [100_000, 1_000_000, N])", "200_000_000_002 elements"),
        (LSTM, (1, 10**6, 2), "LSTM(2)", "2_001 primitives and more"),
        (WINDOWS, (1, 140_000, 1), "Conv1D(1, 40_000)", "4_000_320_002 elements"),
        (PRODUCT, (2**14, 2**14), "x @ x", "8_796_093_022_208 operations"),
    ],
)
def test_too_much_to_run(
    text: str, shape: tuple[int, ...], at: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cost, "PRIMITIVES", 2000)
    (model,) = nnspec.load(text).program.models
    x = np.broadcast_to(np.zeros((), "f4"), shape)
    with pytest.raises(SpecError) as failure:
        evaluate_model(model, [x], initialize(weights(model), 0))
    (found,) = failure.value.diagnostics
    assert found.code == "E0803" and told in found.message and found.label is not None
    assert found.label.span.text == at


def test_too_much_to_derive_or_train(monkeypatch: pytest.MonkeyPatch) -> None:
    """A derivative takes more than the model: it is counted too."""
    monkeypatch.setattr(cost, "PRIMITIVES", 2000)
    (model,) = nnspec.load(LSTM).program.models
    x, start = np.zeros((1, 60, 2)), initialize(weights(model), 0)
    (y,) = evaluate_model(model, [x], start).outputs
    with pytest.raises(SpecError, match="E0803"):
        definition.derived(model, start, [x], [y])
    (training,) = nnspec.load(TRAIN.replace("f32[N] output", "f32[N, 3] output")).program.trainings
    held = initialize(weights(training.networks[0].model), 0)
    run = TrainingRun(training, {("net", path): a for path, a in held.items()})
    with pytest.raises(SpecError, match="E0803"):
        run.step([np.zeros((2, 3), "f4")])


def test_run_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "m.nn").write_text(SUM)
    np.save(tmp_path / "x.npy", np.zeros(2, "f4"))
    command = ["run", str(tmp_path / "m.nn"), "--device", "definition", str(tmp_path / "x.npy")]
    assert cli.status(command) == 1
    assert "E0803" in capsys.readouterr().err
    # onnxruntime asks for the memory at once.
    assert cli.status([*command[:2], command[-1]]) == 1
    assert "E0717" in (told := capsys.readouterr().err) and "a smaller batch" in told
