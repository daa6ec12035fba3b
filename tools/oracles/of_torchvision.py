"""ResNet-18, MobileNetV2 and DenseNet as torchvision has them, narrow."""

from __future__ import annotations

import without_compiled  # noqa: F401  before torchvision

# isort: split
from typing import Any

import torchvision
from shared import draw, image, scores_of
from torch import nn
from torchvision.models import DenseNet, MobileNetV2, resnet

WIDTH = 4


class Narrow(resnet.ResNet):
    """Of another width than 64, which torchvision has no argument for."""

    def _make_layer(self, block: Any, planes: int, *rest: Any, **named: Any) -> nn.Sequential:
        if planes == 64:
            self.conv1 = nn.Conv2d(3, WIDTH, 7, stride=2, padding=3, bias=False)
            self.bn1 = nn.BatchNorm2d(WIDTH)
            self.inplanes = WIDTH
        return super()._make_layer(block, planes * WIDTH // 64, *rest, **named)


def narrow_resnet18() -> nn.Module:
    net = Narrow(resnet.BasicBlock, [2, 2, 2, 2])
    net.fc = nn.Linear(8 * WIDTH, 10)
    return net


NETS = {
    "torchvision_resnet18": narrow_resnet18,
    "torchvision_mobilenet_v2": lambda: MobileNetV2(10, width_mult=0.1, round_nearest=4),
    "torchvision_densenet": lambda: DenseNet(4, (2, 3, 2), 8, num_classes=10),
}

for name, make in NETS.items():
    scores_of(name, draw(make()), image(2, 64, 64, 3), torchvision=torchvision.__version__)
