"""MobileNet and ResNet-18 as mxnet.gluon.model_zoo has them, narrow, in Gluon's own files of parameters.

Runs in `.venv`, which has MXNet.
"""

from __future__ import annotations

import numpy as np

np.bool = bool  # MXNet was written for a NumPy that had it.

import mxnet as mx  # noqa: E402
from mxnet.gluon.model_zoo import vision  # noqa: E402
from shared import CASES, image, numbers, save, small  # noqa: E402

NETS = {
    "gluon_mobilenet": lambda: vision.MobileNet(0.125, classes=10),
    "gluon_resnet18": lambda: vision.ResNetV1(
        vision.BasicBlockV1, [2, 2, 2, 2], [4, 4, 8, 16, 32], classes=10
    ),
}

for name, make in NETS.items():
    net, x = make(), image(2, 64, 64, 3)
    given = mx.nd.array(x.transpose(0, 3, 1, 2))
    net.initialize()
    net(given)
    chance = np.random.default_rng(0)
    for parameter, stored in net._collect_params_with_prefix().items():
        stored.set_data(mx.nd.array(numbers(parameter, stored.shape, chance)))
    path = CASES / f"{name}.params"
    net.save_parameters(str(path))
    small(path)
    save(name, {}, {"image": x}, {"logits": net(given).asnumpy()}, mxnet=mx.__version__)
