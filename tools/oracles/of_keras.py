"""ResNet-50, MobileNetV2 and DenseNet as keras.applications has them, in Keras's own files of weights.

Runs in `.venv`, which has Keras. Of ResNet-50 and DenseNet the depths are smaller, of ResNet-50 the widths too.
"""

from __future__ import annotations

import os

os.environ |= {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}

import keras
import numpy as np
from keras.src.applications import densenet, resnet
from shared import CASES, image, numbers, save, small


def stages(x: keras.KerasTensor) -> keras.KerasTensor:
    for i, depth in enumerate((1, 2, 1)):
        x = resnet.stack_residual_blocks_v1(
            x, 4 * 2**i, depth, stride1=1 if i == 0 else 2, name=f"conv{i + 2}"
        )
    return x


FORMAT = {"keras_resnet50": "h5"}
"""The older one, which calls layers by their names, and in which the weights that Keras publishes are."""

SAID = {"weights": None, "classes": 10, "input_shape": (64, 64, 3), "classifier_activation": None}
NETS = {
    "keras_resnet50": lambda: resnet.ResNet(stages, False, True, **SAID),
    "keras_mobilenet_v2": lambda: keras.applications.MobileNetV2(alpha=0.1, **SAID),
    "keras_densenet": lambda: densenet.DenseNet((1, 1, 1, 1), **SAID),
}

for name, make in NETS.items():
    net, x = make(), image(2, 64, 64, 3)
    chance = np.random.default_rng(0)
    net.set_weights([numbers(w.path, tuple(w.shape), chance) for w in net.weights])
    path = CASES / f"{name}.{FORMAT.get(name, 'weights.h5')}"
    (net.save if path.suffixes == [".h5"] else net.save_weights)(path)
    small(path)
    save(name, {}, {"image": x}, {"logits": np.asarray(net(x))}, keras=keras.__version__)
