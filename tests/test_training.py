"""Every program trains on digits in every framework, and its weights score the same everywhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import nnspec
from codegen import TARGETS
from nnspec.catalogue.data import digits
from nnspec.driver import inference, worker
from nnspec.driver.native import write_module
from nnspec.driver.training.job import Trained
from nnspec.graph.weight_map import to_native

SPECS = Path(__file__).parent.parent / "specs"
CLASSIFIERS = ("digits_cnn", "digits_cnn_fast", "digits_mlp", "digits_convnet", "digits_lstm")
FRAMEWORKS = ("pytorch", "keras", "gluon")
BY_CHANCE = 0.03
"""What three right programs may differ by: each rounds and draws in its own way, and of 360 digits at 97 % a share has a
standard error of 0.9 points. That the steps themselves are equal is what `nnspec verify` shows, to 1e-9."""

LONGER = {"digits_cnn": {"epochs": 16}}
"""Between its fifth and its fifteenth epoch a batch more or less moves it from 94 to 97 % and back."""

pytestmark = [pytest.mark.framework, pytest.mark.slow]


def trained_by(name: str, target: str, **options: int) -> tuple[nnspec.Spec, Trained]:
    spec = nnspec.load(SPECS / f"{name}.nn")
    return spec, spec.train(target, **options)


def scores(spec: nnspec.Spec, weights: dict[str, np.ndarray]) -> np.ndarray:
    """Logits of every held-out digit in onnxruntime."""
    _, held_out = digits.read(size=28)
    emitted = TARGETS["onnx"].emit(
        spec.program,
        stem="x",
        provenance="test",
        weights={spec.training().networks[0].model: weights},
    )
    engine = inference.load(next(iter(emitted.files.values())), "cpu")
    (feed,) = engine.inputs
    images = held_out["image"]
    found: np.ndarray = engine.run(
        {feed.name: feed.layout.there(images) if feed.layout else images}
    )["logits"]
    return found


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_classifier(name: str) -> None:
    """Above 95 % in each framework, and alike; onnxruntime agrees to the sample."""
    _, held_out = digits.read(size=28)
    accuracies = {}
    for target in FRAMEWORKS:
        spec, trained = trained_by(name, target, **LONGER.get(name, {}))
        reported = trained.history[-1].figures["val_accuracy"]
        (weights,) = trained.weights.values()
        answers = scores(spec, weights).argmax(axis=1)
        right = int((answers == held_out["label"]).sum())
        assert right == round(reported * len(answers)), f"{target}: onnxruntime scores otherwise"
        accuracies[target] = right / len(answers)
    assert min(accuracies.values()) > 0.95, accuracies
    assert max(accuracies.values()) - min(accuracies.values()) <= BY_CHANCE, accuracies


def test_swapped_weights(tmp_path: Path) -> None:
    """Trained in PyTorch, loaded in Keras and Gluon: the same answer for every held-out digit."""
    spec, trained = trained_by("digits_cnn", "pytorch", epochs=3)
    (weights,) = trained.weights.values()
    _, held_out = digits.read(size=28)
    expected = scores(spec, weights).argmax(axis=1)
    model = spec.training().networks[0].model
    for target in FRAMEWORKS:
        emitted = spec.build(target)
        entry = emitted.models[model]
        folder = tmp_path / target
        folder.mkdir()
        images = entry.input_layouts[0].there(held_out["image"])
        job = worker.Predict(
            str(write_module(emitted, folder)),
            entry.class_name,
            to_native(weights, entry.weight_map),
            [np.ascontiguousarray(images)],
        )
        ((logits, _),) = worker.run(target, [job])
        assert (logits.argmax(axis=1) == expected).all(), target


@pytest.mark.parametrize("target", FRAMEWORKS)
def test_autoencoder_and_gan_run(target: str) -> None:
    _, trained = trained_by("digits_autoencoder", target, epochs=3)
    errors = [p.figures["val_error"] for p in trained.history]
    assert errors[-1] < errors[0]
    _, trained = trained_by("digits_dcgan", target, epochs=2)
    assert set(trained.weights) == {"G", "D"}
    last = trained.history[-1].figures
    assert set(last) == {"loss_1", "loss_2", "val_loss_1", "val_loss_2"}
    assert all(np.isfinite(v) for v in last.values())
