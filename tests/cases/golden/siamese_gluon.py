"""Made from siamese.nn."""

import numpy as np

# MXNet 1.9.1 uses the name np.bool, which numpy 1.24 took out.
if "bool" not in vars(np):
    np.bool = bool

import mxnet as mx
from mxnet import gluon
from mxnet.gluon import nn


class Stem(gluon.HybridBlock):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.conv2d = nn.Conv2D(
                8, 3, padding=1, in_channels=3, weight_initializer=mx.init.Xavier()
            )
            self.batch_norm = nn.BatchNorm(in_channels=8)
            self.max_pool2d = nn.MaxPool2D(2)

    def hybrid_forward(self, F, x):
        x = self.conv2d(x)
        x = F.relu(self.batch_norm(x))
        return self.max_pool2d(x)


class Branches(gluon.HybridBlock):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.conv2d = nn.Conv2D(
                8, 1, in_channels=8, weight_initializer=mx.init.Xavier()
            )
            self.avg_pool2d = nn.AvgPool2D(
                3, strides=1, padding=1, count_include_pad=False
            )

    def hybrid_forward(self, F, x):
        return self.conv2d(x), self.avg_pool2d(x), x


class Head(gluon.HybridBlock):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.dense = nn.Dense(32, in_units=720, weight_initializer=mx.init.Xavier())
            self.dropout = nn.Dropout(0.2)
            self.dense_2 = nn.Dense(
                16, in_units=32, weight_initializer=mx.init.Xavier()
            )

    def hybrid_forward(self, F, x):
        x = F.tanh(self.dense(x))
        x = self.dropout(x)
        return self.dense_2(x)


class Siamese(gluon.HybridBlock):
    """Two inputs through one encoder, compared; bound compositions and parallels.

    left [N, 3, 12, 10] (NCHW), right [N, 3, 12, 10] (NCHW) -> distance [N], similarity
    [N], code_a [N, 16]
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.stem = Stem()
            self.branches = Branches()
            self.head = Head()

    def hybrid_forward(self, F, left, right):
        a = self.stem(left)
        b = self.stem(right)
        x, y, z = self.branches(a)
        c = F.concat(x, y, z)  # [N, 24, 6, 5]
        x, y, z = self.branches(b)
        d = F.concat(x, y, z)  # [N, 24, 6, 5]
        # Both codes come from the same head.
        x = F.reshape(F.flatten(c), shape=(0, 24, 6, 5))  # [N, 24, 6, 5]
        x = F.reshape(F.transpose(x, axes=(0, 2, 3, 1)), shape=(0, 720))  # [N, 720]
        code_a = self.head(x)
        x = F.reshape(F.flatten(d), shape=(0, 24, 6, 5))  # [N, 24, 6, 5]
        x = F.reshape(F.transpose(x, axes=(0, 2, 3, 1)), shape=(0, 720))  # [N, 720]
        code_b = self.head(x)
        x = (code_a - code_b) * (code_a - code_b)
        distance = F.mean(x, axis=-1)
        return distance, F.exp(-distance), code_a
