"""A train step of the generated programs beside the hand-written ones: `python benchmarks/train_step.py`.

The model is `specs/digits_cnn.nn` at batch 128; 1.0 means that generated code costs nothing.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from interleave import main, median_of

import nnspec
from nnspec.driver.generated import load_module

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
SPEC = Path(__file__).parent.parent / "specs" / "digits_cnn.nn"
generator = np.random.default_rng(0)
IMAGES = generator.random((128, 28, 28, 1), dtype=np.float32)
LABELS = generator.integers(0, 10, 128)


def generated(target: str, spec: Path | str = SPEC) -> ModuleType:
    """The generated program of a spec (a file, or its text), imported."""
    ((name, content),) = nnspec.load(spec).build(target).files.items()
    path = Path(tempfile.mkdtemp()) / name
    path.write_text(content)
    return load_module(path)


def pytorch_generated() -> dict[str, Any]:
    import torch

    module = generated("pytorch")
    net = module.DigitsCNN()
    optimizer = module.make_optimizer(net)
    image = torch.from_numpy(IMAGES.transpose(0, 3, 1, 2).copy())
    label = torch.from_numpy(LABELS)
    return {"seconds": median_of(lambda: module.train_step(net, optimizer, image, label), 40)}


def pytorch_by_hand() -> dict[str, Any]:
    import torch
    from torch import nn
    from torch.nn import functional as F

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(1, 32, 3)
            self.dense = nn.Linear(5408, 128)
            self.out = nn.Linear(128, 10)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = F.max_pool2d(F.relu(self.conv(x)), 2)
            return self.out(F.relu(self.dense(torch.flatten(x, 1))))

    net = Net()
    optimizer = torch.optim.Adam(net.parameters())
    image = torch.from_numpy(IMAGES.transpose(0, 3, 1, 2).copy())
    label = torch.from_numpy(LABELS)

    def step() -> tuple[float, float]:
        logits = net(image)
        loss = F.cross_entropy(logits, label)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item(), (logits.argmax(1) == label).float().mean().item()

    return {"seconds": median_of(step, 40)}


def keras_generated() -> dict[str, Any]:
    module = generated("keras")
    net = module.DigitsCNN()
    module.compile_model(net)
    batch = module.prepare({"image": IMAGES, "label": LABELS})
    return {"seconds": median_of(lambda: net.train_on_batch(*batch), 40)}


def keras_by_hand() -> dict[str, Any]:
    import keras
    from keras import layers

    net = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dense(10),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    net.compile(keras.optimizers.Adam(), loss, metrics=["accuracy"])
    return {"seconds": median_of(lambda: net.train_on_batch(IMAGES, LABELS), 40)}


CASES = {
    "pytorch generated": pytorch_generated,
    "pytorch by hand": pytorch_by_hand,
    "keras generated": keras_generated,
    "keras by hand": keras_by_hand,
}

if __name__ == "__main__":
    results = main(__file__, CASES, 5)
    for target in ("pytorch", "keras") if results else ():
        ours, theirs = (results[f"{target} {how}"]["seconds"] for how in ("generated", "by hand"))
        print(
            f"{target:<8} generated {ours * 1000:6.2f} ms, by hand {theirs * 1000:6.2f} ms, ratio {ours / theirs:.2f}"
        )
