"""Made from unet.nn.

U-Net (Ronneberger et al. 2015, "U-Net: Convolutional Networks for Biomedical Image
Segmentation", arXiv:1505.04597), padded and normalised as is usual today: the map has
the size of the image.

input 256x256x3; 31,037,633 parameters.
"""

import numpy as np

# MXNet 1.9.1 uses the name np.bool, which numpy 1.24 took out.
if "bool" not in vars(np):
    np.bool = bool

import mxnet as mx
from mxnet import gluon
from mxnet.gluon import nn


class ConvBN(gluon.HybridBlock):
    """A convolution, its batch normalised, an activation (Ioffe and Szegedy 2015)."""

    def __init__(self, filters, in_channels, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.conv2d = nn.Conv2D(
                filters,
                3,
                padding=1,
                use_bias=False,
                in_channels=in_channels,
                weight_initializer=mx.init.Xavier(),
            )
            self.batch_norm = nn.BatchNorm(in_channels=filters)

    def hybrid_forward(self, F, x):
        x = self.conv2d(x)
        x = self.batch_norm(x)
        return F.relu(x)


class Twice(gluon.HybridBlock):
    def __init__(self, filters, in_channels, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.conv_bn = ConvBN(filters, in_channels)
            self.conv_bn_2 = ConvBN(filters, filters)

    def hybrid_forward(self, F, x):
        x = self.conv_bn(x)
        return self.conv_bn_2(x)


class Up(gluon.HybridBlock):
    """Twice the size, beside what was seen at that size on the way down."""

    def __init__(self, filters, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.conv_transpose2d = nn.Conv2DTranspose(
                filters,
                2,
                strides=2,
                in_channels=2 * filters,
                weight_initializer=mx.init.Xavier(),
            )
            self.twice = Twice(filters, 2 * filters)

    def hybrid_forward(self, F, x, seen):
        y = self.conv_transpose2d(x)
        x = F.concat(seen, y)
        return self.twice(x)


class UNet(gluon.HybridBlock):
    """image [N, 3, 256, 256] (NCHW) -> logits [N, 1, 256, 256] (NCHW)"""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.twice = Twice(64, 3)
            self.max_pool2d = nn.MaxPool2D(2)
            self.twice_2 = Twice(128, 64)
            self.twice_3 = Twice(256, 128)
            self.twice_4 = Twice(512, 256)
            self.twice_5 = Twice(1024, 512)
            self.up = Up(512)
            self.up_2 = Up(256)
            self.up_3 = Up(128)
            self.up_4 = Up(64)
            self.conv2d = nn.Conv2D(
                1, 1, in_channels=64, weight_initializer=mx.init.Xavier()
            )

    def hybrid_forward(self, F, image):
        one = self.twice(image)
        x = self.max_pool2d(one)
        two = self.twice_2(x)
        x = self.max_pool2d(two)
        three = self.twice_3(x)
        x = self.max_pool2d(three)
        four = self.twice_4(x)
        x = self.max_pool2d(four)
        x = self.twice_5(x)
        x = self.up(x, four)
        x = self.up_2(x, three)
        x = self.up_3(x, two)
        x = self.up_4(x, one)
        return self.conv2d(x)
