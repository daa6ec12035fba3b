"""Made from resnet50.nn.

ResNet-50 (He et al. 2015, "Deep Residual Learning for Image Recognition",
arXiv:1512.03385), as torchvision has it.

input 224x224x3; 25,557,032 parameters; 4.09 G multiply-adds.
"""

import numpy as np

# MXNet 1.9.1 uses the name np.bool, which numpy 1.24 took out.
if "bool" not in vars(np):
    np.bool = bool

import mxnet as mx
from mxnet import gluon
from mxnet.gluon import nn


def stack(*layers):
    """A container of layers, to be applied one after the other or one by one."""
    container = nn.HybridSequential()
    container.add(*layers)
    return container


class ConvBN(gluon.HybridBlock):
    """A convolution, its batch normalised, an activation (Ioffe and Szegedy 2015)."""

    def __init__(self, filters, kernel, in_channels, stride=1, padding=0, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.conv2d = nn.Conv2D(
                filters,
                kernel,
                strides=stride,
                padding=padding,
                use_bias=False,
                in_channels=in_channels,
                weight_initializer=mx.init.Xavier(),
            )
            self.batch_norm = nn.BatchNorm(in_channels=filters)

    def hybrid_forward(self, F, x):
        x = self.conv2d(x)
        x = self.batch_norm(x)
        return F.relu(x)


class ConvBN2(gluon.HybridBlock):
    """A convolution, its batch normalised, an activation (Ioffe and Szegedy 2015)."""

    def __init__(self, filters, in_channels, stride=1, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.conv2d = nn.Conv2D(
                filters,
                1,
                strides=stride,
                use_bias=False,
                in_channels=in_channels,
                weight_initializer=mx.init.Xavier(),
            )
            self.batch_norm = nn.BatchNorm(in_channels=filters)

    def hybrid_forward(self, F, x):
        x = self.conv2d(x)
        return self.batch_norm(x)


class Bottleneck(gluon.HybridBlock):
    """Narrowed, convolved, widened, and a way around (He et al. 2016)."""

    def __init__(self, filters, in_channels, stride=1, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.conv_bn = ConvBN(filters, 1, in_channels)
            self.conv_bn_2 = ConvBN(filters, 3, filters, stride=stride, padding=1)
            self.conv_bn_3 = ConvBN2(4 * filters, filters)
            self.shortcut = ConvBN2(4 * filters, in_channels, stride=stride)

    def hybrid_forward(self, F, x):
        y = self.conv_bn(x)
        y = self.conv_bn_2(y)
        y = self.conv_bn_3(y)
        x = self.shortcut(x)
        return F.relu(x + y)


class Bottleneck2(gluon.HybridBlock):
    """Narrowed, convolved, widened, and a way around (He et al. 2016)."""

    def __init__(self, filters, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.conv_bn = ConvBN(filters, 1, 4 * filters)
            self.conv_bn_2 = ConvBN(filters, 3, filters, padding=1)
            self.conv_bn_3 = ConvBN2(4 * filters, filters)

    def hybrid_forward(self, F, x):
        y = self.conv_bn(x)
        y = self.conv_bn_2(y)
        y = self.conv_bn_3(y)
        return F.relu(x + y)


class ResNet50(gluon.HybridBlock):
    """image [N, 3, 224, 224] (NCHW) -> logits [N, 1000]"""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.conv_bn = ConvBN(64, 7, 3, stride=2, padding=3)
            self.max_pool2d = nn.MaxPool2D(3, strides=2, padding=1)
            self.stage = stack(Bottleneck(64, 64), Bottleneck2(64), Bottleneck2(64))
            self.stage_2 = stack(
                Bottleneck(128, 256, stride=2), *[Bottleneck2(128) for _ in range(3)]
            )
            self.stage_3 = stack(
                Bottleneck(256, 512, stride=2), *[Bottleneck2(256) for _ in range(5)]
            )
            self.stage_4 = stack(
                Bottleneck(512, 1024, stride=2), Bottleneck2(512), Bottleneck2(512)
            )
            self.dense = nn.Dense(
                1000, in_units=2048, weight_initializer=mx.init.Xavier()
            )

    def hybrid_forward(self, F, image):
        x = self.conv_bn(image)
        x = self.max_pool2d(x)
        x = self.stage(x)
        x = self.stage_2(x)
        x = self.stage_3(x)
        x = self.stage_4(x)
        x = F.mean(x, axis=(2, 3))
        return self.dense(x)
