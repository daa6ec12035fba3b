"""Made from swin_t.nn.

Swin-T (Liu et al. 2021, "Swin Transformer: Hierarchical Vision Transformer using
Shifted Windows", arXiv:2103.14030), without the random depth of its training.

input 224x224x3; 28,288,354 parameters; 4.5 G multiply-adds.
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


def distances(F, x):
    """For each two cells of a window, which row of the table of biases is theirs."""
    x = F.cast(F.contrib.arange_like(x, axis=1), dtype="int64")
    place = F.slice_axis(x, axis=0, begin=0, end=7)
    apart = F.broadcast_sub(F.expand_dims(place, axis=1), place) + 6
    x = 13 * F.expand_dims(F.expand_dims(apart, axis=1), axis=3)
    rows = F.broadcast_add(x, F.expand_dims(F.expand_dims(apart, axis=0), axis=2))
    return F.reshape(rows, shape=(49, 49))


def windows(F, x, size, size_2, size_3):
    """An image cut into windows: `[N, H, W, C]` to `[N, windows, side * side, C]`."""
    cells = F.reshape(x, shape=(0, size, 7, size, 7, size_2))
    output = F.reshape(
        F.transpose(cells, axes=(0, 1, 3, 2, 4, 5)), shape=(0, size_3, 49, size_2)
    )
    return output


def whole(F, x, image, size, size_2):
    """The windows put together again, beside the image that they were cut from."""
    cells = F.reshape(x, shape=(0, size, size, 7, 7, size_2))
    output = F.reshape(
        F.transpose(cells, axes=(0, 1, 3, 2, 4, 5)),
        shape=(0, 7 * size, 7 * size, size_2),
    )
    return output


def gelu(F, x):
    """`x` times the share of normal numbers below it, `x * (1 + erf(x / sqrt(2))) / 2`
    (Hendrycks and Gimpel 2016).
    """
    return 0.5 * (x * (1 + F.erf(x / 1.4142135623730951)))


def rolled(F, x, shift):
    """The image moved up and left by `shift` cells; what leaves it comes in at the
    other end.
    """
    y = F.slice_axis(x, axis=1, begin=shift, end=None)
    x = F.slice_axis(x, axis=1, begin=0, end=shift)
    x = F.concat(y, x)
    y = F.slice_axis(x, axis=2, begin=shift, end=None)
    x = F.slice_axis(x, axis=2, begin=0, end=shift)
    return F.concat(y, x, dim=2)


def neighbours(F, x, size, size_2, size_3, size_4):
    """Which cells of a shifted window were neighbours before: `[windows, 1, cells,
    cells]`.
    """
    down = F.contrib.arange_like(x, axis=1)
    across = F.contrib.arange_like(x, axis=2)
    strip = F.cast(down >= size, dtype="float32") + F.cast(
        down >= size_2, dtype="float32"
    )
    band = F.cast(across >= size, dtype="float32") + F.cast(
        across >= size_2, dtype="float32"
    )
    regions = F.broadcast_add(3 * F.expand_dims(strip, axis=1), band)
    x = F.expand_dims(F.expand_dims(regions, axis=0), axis=3)
    x = windows(F, x, size_3, 1, size_4)
    region = F.squeeze(
        F.slice(x, begin=(0, None, None, 0), end=(1, None, None, 1)), axis=(0, 3)
    )
    x = F.cast(
        F.broadcast_equal(F.expand_dims(region, axis=2), F.expand_dims(region, axis=1)),
        dtype="int8",
    )
    return F.expand_dims(x, axis=1)


class WindowAttention(gluon.HybridBlock):
    """Attention within windows, with a bias learnt for each distance between two cells."""

    def __init__(self, units, heads, size, size_2, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.size = size
            self.units = units
            self.size_2 = size_2
            self.heads = heads
            self.dense = nn.Dense(
                units,
                flatten=False,
                in_units=units // 3,
                weight_initializer=mx.init.Xavier(),
            )
            self.dense_2 = nn.Dense(
                units // 3,
                flatten=False,
                in_units=units // 3,
                weight_initializer=mx.init.Xavier(),
            )
            self.table = self.params.get(
                "table", shape=(169, heads), init=mx.init.Normal(0.02)
            )

    def hybrid_forward(self, F, x, table):
        y = distances(F, x)
        y = F.take(table, y)
        bias = F.transpose(y, axes=(2, 0, 1))
        cells = windows(F, x, self.size, self.units // 3, self.size_2)
        y = self.dense(cells)
        qkv = F.transpose(
            F.reshape(y, shape=(0, self.size_2, 49, 3, self.heads, 32)),
            axes=(3, 0, 1, 4, 2, 5),
        )
        y = F.squeeze(F.slice_axis(qkv, axis=0, begin=0, end=1), axis=0)
        z = F.squeeze(F.slice_axis(qkv, axis=0, begin=1, end=2), axis=0)
        scores = F.broadcast_add(
            F.linalg_gemm2(
                y * 0.1767766952966369, F.transpose(z, axes=(0, 1, 2, 4, 3))
            ),
            bias,
        )
        y = F.squeeze(F.slice_axis(qkv, axis=0, begin=2, end=3), axis=0)
        seen = F.transpose(F.linalg_gemm2(F.softmax(scores), y), axes=(0, 1, 3, 2, 4))
        y = F.reshape(seen, shape=(0, self.size_2, 49, self.units // 3))
        y = self.dense_2(y)
        return whole(F, y, x, self.size, self.units // 3)


class Layer(gluon.HybridBlock):
    def __init__(self, in_channels, heads, size, size_2, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.layer_norm = nn.LayerNorm(in_channels=in_channels)
            self.window_attention = WindowAttention(
                units=3 * in_channels, heads=heads, size=size, size_2=size_2
            )
            self.layer_norm_2 = nn.LayerNorm(in_channels=in_channels)
            self.dense = nn.Dense(
                4 * in_channels,
                flatten=False,
                in_units=in_channels,
                weight_initializer=mx.init.Xavier(),
            )
            self.dense_2 = nn.Dense(
                in_channels,
                flatten=False,
                in_units=4 * in_channels,
                weight_initializer=mx.init.Xavier(),
            )

    def hybrid_forward(self, F, x):
        y = self.layer_norm(x)
        x = x + self.window_attention(y)
        y = self.layer_norm_2(x)
        y = self.dense(y)
        y = gelu(F, y)
        return x + self.dense_2(y)


class WindowAttentionShift3(gluon.HybridBlock):
    """Attention within windows, with a bias learnt for each distance between two cells."""

    def __init__(self, units, heads, size, size_2, size_3, size_4, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.size = size
            self.units = units
            self.size_2 = size_2
            self.heads = heads
            self.size_3 = size_3
            self.size_4 = size_4
            self.dense = nn.Dense(
                units,
                flatten=False,
                in_units=units // 3,
                weight_initializer=mx.init.Xavier(),
            )
            self.dense_2 = nn.Dense(
                units // 3,
                flatten=False,
                in_units=units // 3,
                weight_initializer=mx.init.Xavier(),
            )
            self.table = self.params.get(
                "table", shape=(169, heads), init=mx.init.Normal(0.02)
            )

    def hybrid_forward(self, F, x, table):
        y = distances(F, x)
        y = F.take(table, y)
        bias = F.transpose(y, axes=(2, 0, 1))
        cells = rolled(F, x, 3)
        cells = windows(F, cells, self.size, self.units // 3, self.size_2)
        y = self.dense(cells)
        qkv = F.transpose(
            F.reshape(y, shape=(0, self.size_2, 49, 3, self.heads, 32)),
            axes=(3, 0, 1, 4, 2, 5),
        )
        y = F.squeeze(F.slice_axis(qkv, axis=0, begin=0, end=1), axis=0)
        z = F.squeeze(F.slice_axis(qkv, axis=0, begin=1, end=2), axis=0)
        scores = F.broadcast_add(
            F.linalg_gemm2(
                y * 0.1767766952966369, F.transpose(z, axes=(0, 1, 2, 4, 3))
            ),
            bias,
        )
        y = neighbours(
            F,
            x,
            size=self.size_3,
            size_2=self.size_4,
            size_3=self.size,
            size_4=self.size_2,
        )
        scores = F.where(
            F.broadcast_like(F.expand_dims(y, axis=0), scores),
            scores,
            F.zeros_like(scores) + -1000000000.0,
        )
        y = F.squeeze(F.slice_axis(qkv, axis=0, begin=2, end=3), axis=0)
        seen = F.transpose(F.linalg_gemm2(F.softmax(scores), y), axes=(0, 1, 3, 2, 4))
        y = F.reshape(seen, shape=(0, self.size_2, 49, self.units // 3))
        y = self.dense_2(y)
        y = whole(F, y, x, self.size, self.units // 3)
        return rolled(F, y, -3)


class Layer2(gluon.HybridBlock):
    def __init__(self, in_channels, heads, size, size_2, size_3, size_4, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.layer_norm = nn.LayerNorm(in_channels=in_channels)
            self.window_attention = WindowAttentionShift3(
                units=3 * in_channels,
                heads=heads,
                size=size,
                size_2=size_2,
                size_3=size_3,
                size_4=size_4,
            )
            self.layer_norm_2 = nn.LayerNorm(in_channels=in_channels)
            self.dense = nn.Dense(
                4 * in_channels,
                flatten=False,
                in_units=in_channels,
                weight_initializer=mx.init.Xavier(),
            )
            self.dense_2 = nn.Dense(
                in_channels,
                flatten=False,
                in_units=4 * in_channels,
                weight_initializer=mx.init.Xavier(),
            )

    def hybrid_forward(self, F, x):
        y = self.layer_norm(x)
        x = x + self.window_attention(y)
        y = self.layer_norm_2(x)
        y = self.dense(y)
        y = gelu(F, y)
        return x + self.dense_2(y)


class Merge(gluon.HybridBlock):
    """Half the size, twice the features."""

    def __init__(self, in_channels, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.layer_norm = nn.LayerNorm(in_channels=in_channels)
            self.dense = nn.Dense(
                in_channels // 2,
                use_bias=False,
                flatten=False,
                in_units=in_channels,
                weight_initializer=mx.init.Xavier(),
            )

    def hybrid_forward(self, F, x):
        y = F.slice(
            x,
            begin=(None, None, None, None),
            end=(None, None, None, None),
            step=(1, 2, 2, 1),
        )
        z = F.slice(
            x,
            begin=(None, 1, None, None),
            end=(None, None, None, None),
            step=(1, 2, 2, 1),
        )
        x_2 = F.slice(
            x,
            begin=(None, None, 1, None),
            end=(None, None, None, None),
            step=(1, 2, 2, 1),
        )
        x = F.slice(
            x, begin=(None, 1, 1, None), end=(None, None, None, None), step=(1, 2, 2, 1)
        )
        y = F.concat(y, z, x_2, x, dim=-1)
        x = self.layer_norm(y)
        return self.dense(x)


class SwinT(gluon.HybridBlock):
    """image [N, 3, 224, 224] (NCHW) -> logits [N, 1000]"""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.conv2d = nn.Conv2D(
                96, 4, strides=4, in_channels=3, weight_initializer=mx.init.Xavier()
            )
            self.layer_norm = nn.LayerNorm(in_channels=96)
            self.layers = stack(
                Layer(in_channels=96, heads=3, size=8, size_2=64),
                Layer2(
                    in_channels=96, heads=3, size=8, size_2=64, size_3=49, size_4=53
                ),
            )
            self.merge = Merge(384)
            self.layers_3 = stack(
                Layer(in_channels=192, heads=6, size=4, size_2=16),
                Layer2(
                    in_channels=192, heads=6, size=4, size_2=16, size_3=21, size_4=25
                ),
            )
            self.merge_2 = Merge(768)
            self.layers_5 = stack(
                Layer(in_channels=384, heads=12, size=2, size_2=4),
                Layer2(
                    in_channels=384, heads=12, size=2, size_2=4, size_3=7, size_4=11
                ),
                Layer(in_channels=384, heads=12, size=2, size_2=4),
                Layer2(
                    in_channels=384, heads=12, size=2, size_2=4, size_3=7, size_4=11
                ),
                Layer(in_channels=384, heads=12, size=2, size_2=4),
                Layer2(
                    in_channels=384, heads=12, size=2, size_2=4, size_3=7, size_4=11
                ),
            )
            self.merge_3 = Merge(1536)
            self.layers_11 = stack(
                *[Layer(in_channels=768, heads=24, size=1, size_2=1) for _ in range(2)]
            )
            self.layer_norm_2 = nn.LayerNorm(in_channels=768)
            self.dense = nn.Dense(
                1000, in_units=768, weight_initializer=mx.init.Xavier()
            )

    def hybrid_forward(self, F, image):
        x = self.conv2d(image)
        x = F.transpose(x, axes=(0, 2, 3, 1))  # [N, 56, 56, 96]
        x = self.layer_norm(x)
        for layer in self.layers:
            x = layer(x)
        x = self.merge(x)
        for layer in self.layers_3:
            x = layer(x)
        x = self.merge_2(x)
        for layer in self.layers_5:
            x = layer(x)
        x = self.merge_3(x)
        for layer in self.layers_11:
            x = layer(x)
        x = self.layer_norm_2(x)
        x = F.mean(x, axis=(1, 2))
        return self.dense(x)
