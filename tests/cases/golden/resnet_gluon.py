"""Made from resnet.nn."""

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


class Residual(gluon.HybridBlock):
    """Two convolutions and a way around them (He et al. 2016)."""

    def __init__(self, filters, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.conv2d = nn.Conv2D(
                filters,
                3,
                padding=1,
                use_bias=False,
                in_channels=filters,
                weight_initializer=mx.init.Xavier(),
            )
            self.batch_norm = nn.BatchNorm(in_channels=filters)
            self.conv2d_2 = nn.Conv2D(
                filters,
                3,
                padding=1,
                use_bias=False,
                in_channels=filters,
                weight_initializer=mx.init.Xavier(),
            )
            self.batch_norm_2 = nn.BatchNorm(in_channels=filters)

    def hybrid_forward(self, F, x):
        y = self.conv2d(x)
        y = F.relu(self.batch_norm(y))
        y = self.conv2d_2(y)
        y = self.batch_norm_2(y)
        return F.relu(y + x)


class ResidualStride2(gluon.HybridBlock):
    """Two convolutions and a way around them (He et al. 2016)."""

    def __init__(self, filters, in_channels, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.conv2d = nn.Conv2D(
                filters,
                3,
                strides=2,
                use_bias=False,
                in_channels=in_channels,
                weight_initializer=mx.init.Xavier(),
            )
            self.batch_norm = nn.BatchNorm(in_channels=filters)
            self.conv2d_2 = nn.Conv2D(
                filters,
                3,
                padding=1,
                use_bias=False,
                in_channels=filters,
                weight_initializer=mx.init.Xavier(),
            )
            self.batch_norm_2 = nn.BatchNorm(in_channels=filters)
            self.conv2d_3 = nn.Conv2D(
                filters,
                1,
                strides=2,
                use_bias=False,
                in_channels=in_channels,
                weight_initializer=mx.init.Xavier(),
            )
            self.batch_norm_3 = nn.BatchNorm(in_channels=filters)

    def hybrid_forward(self, F, x):
        y = F.pad(
            x, mode="constant", pad_width=(0, 0, 0, 0, 0, 1, 0, 1), constant_value=0
        )
        y = self.conv2d(y)
        y = F.relu(self.batch_norm(y))
        y = self.conv2d_2(y)
        y = self.batch_norm_2(y)
        x = self.conv2d_3(x)
        shortcut = self.batch_norm_3(x)
        return F.relu(y + shortcut)


class ResNet(gluon.HybridBlock):
    """A small residual network.

    image [N, 3, 32, 32] (NCHW) -> logits [N, 10]
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.conv2d = nn.Conv2D(
                16,
                3,
                padding=1,
                use_bias=False,
                in_channels=3,
                weight_initializer=mx.init.Xavier(),
            )
            self.batch_norm = nn.BatchNorm(in_channels=16)
            self.residuals = stack(*[Residual(16) for _ in range(2)])
            self.residuals_2 = stack(*[Residual(16) for _ in range(2)])
            self.residual_3 = ResidualStride2(32, 16)
            self.residual_4 = Residual(32)
            self.residual_5 = ResidualStride2(64, 32)
            self.dense = nn.Dense(10, in_units=64, weight_initializer=mx.init.Xavier())

    def hybrid_forward(self, F, image):
        x = self.conv2d(image)
        x = F.relu(self.batch_norm(x))
        for residual in self.residuals:
            x = residual(x)
        for residual in self.residuals_2:
            x = residual(x)
        x = self.residual_3(x)
        x = self.residual_4(x)
        x = self.residual_5(x)
        x = F.mean(x, axis=(2, 3))
        return self.dense(x)
