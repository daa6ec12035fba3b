"""Metrics over a pass: what each target reports of uneven batches is what scikit-learn says of all rows at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import nnspec

SPEC = """
model Net {{
  input x: f32[N, 4]
  output p = x -> Dense(1) -> sigmoid -> squeeze(axis = -1)
}}
train T {{
  batch x: f32[N, 4], label: {label}
  net = Net()
  p = net(x)
  minimize {loss} using SGD(lr = 0.0)
  metric precision(p, label), high = recall(p, label, threshold = 0.6){more}, auc(p, label)
  data = npz("data.npz")
  validation = npz("held.npz")
  batch_size = 7
  epochs = 1
}}
"""
"""The weights stay as they begin; the last batch of 24 rows has 3."""

OWN_STEP = SPEC.format(
    label="i64[N]", loss="mean((p - cast(label, f32)) ** 2)", more=", f1(p, label)"
)
FITTED = SPEC.format(label="f32[N]", loss="mse(p, label)", more="")
"""All that Keras's `compile` takes: its own classes count."""


def columns(rows: int, seed: int, dtype: str) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(seed)
    x = generator.standard_normal((rows, 4)).astype(np.float32)
    noisy = x.sum(1) + generator.standard_normal(rows)
    return {"x": x, "label": (noisy > 0.5).astype(dtype)}


def expected(scores: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    from sklearn import metrics

    return {
        "precision": metrics.precision_score(labels, scores > 0.5),
        "high": metrics.recall_score(labels, scores > 0.6),
        "f1": metrics.f1_score(labels, scores > 0.5),
        "auc": metrics.roc_auc_score(labels, scores),
    }


@pytest.mark.framework
@pytest.mark.parametrize("target", ["pytorch", "keras", "gluon"])
@pytest.mark.parametrize(("text", "dtype"), [(OWN_STEP, "int64"), (FITTED, "float32")])
def test_of_all_rows(target: str, text: str, dtype: str, tmp_path: Path) -> None:
    path = tmp_path / "spec.nn"
    path.write_text(text)
    np.savez(tmp_path / "data.npz", **columns(24, 1, dtype))
    held = columns(31, 2, dtype)
    np.savez(tmp_path / "held.npz", **held)
    spec = nnspec.load(path)
    trained = spec.train(target)
    weight, bias = (trained.weights["net"][f"dense.{role}"] for role in ("weight", "bias"))
    scores = 1 / (1 + np.exp(-(held["x"] @ weight.reshape(4) + bias)))
    figures = trained.history[-1].figures
    for name, value in expected(scores, held["label"]).items():
        if name in figures or text is OWN_STEP:
            # A curve of 200 points may pass two scores at once.
            bound = 5e-3 if name == "auc" else 1e-4
            assert figures[f"val_{name}"] == pytest.approx(value, abs=bound), name
