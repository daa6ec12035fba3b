"""Made from densenet.nn."""

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


class DenseLayer(gluon.HybridBlock):
    """What a layer finds is set beside what it was given (Huang et al. 2017)."""

    def __init__(self, in_channels, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.batch_norm = nn.BatchNorm(in_channels=in_channels)
            self.conv2d = nn.Conv2D(
                8,
                3,
                padding=1,
                use_bias=False,
                in_channels=in_channels,
                weight_initializer=mx.init.Xavier(),
            )

    def hybrid_forward(self, F, x):
        y = F.relu(self.batch_norm(x))
        found = self.conv2d(y)
        return F.concat(x, found)


class Stage(gluon.HybridBlock):
    """A stage of one width."""

    def __init__(self, filters, in_channels, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.conv2d = nn.Conv2D(
                filters,
                3,
                padding=1,
                in_channels=in_channels,
                weight_initializer=mx.init.Xavier(),
            )

    def hybrid_forward(self, F, x):
        return F.relu(self.conv2d(x))


class DenseNet(gluon.HybridBlock):
    """Layers that grow by the same amount, stages in runs, one pool for all.

    image [N, 3, 32, 32] (NCHW) -> logits [N, 10]
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.conv2d = nn.Conv2D(
                16, 3, padding=1, in_channels=3, weight_initializer=mx.init.Xavier()
            )
            self.dense_layers = stack(*[DenseLayer(16 + 8 * i) for i in range(6)])
            self.max_pool2d = nn.MaxPool2D(2)
            self.body = stack(
                Stage(64, 64), Stage(64, 64), Stage(128, 64), Stage(128, 128)
            )
            self.dense = nn.Dense(10, in_units=128, weight_initializer=mx.init.Xavier())

    def hybrid_forward(self, F, image):
        x = self.conv2d(image)
        for dense_layer in self.dense_layers:
            x = dense_layer(x)
        x = self.max_pool2d(x)
        x = self.body(x)
        x = self.max_pool2d(x)
        x = F.mean(x, axis=(2, 3))
        return self.dense(x)
