"""Made from vit_b16.nn.

Vision Transformer ViT-B/16 (Dosovitskiy et al. 2021, "An Image is Worth 16x16 Words",
arXiv:2010.11929).

input 224x224x3; 86,567,656 parameters; 17.56 G multiply-adds.
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


def ruler(F, x, axis):
    """Zeros, as many as `x` is long along an axis: a size, where a Symbol has none."""
    return F.zeros_like(F.sum(x, axis=axis, exclude=True))


def attention(F, query, key, value):
    """Scaled dot-product attention (Vaswani et al. 2017): `softmax(query key^T * scale)
    value`.
    """
    scores = F.linalg_gemm2(query * 0.125, F.transpose(key, axes=(0, 1, 3, 2)))
    return F.linalg_gemm2(F.softmax(scores), value)


def gelu(F, x):
    """`x` times the share of normal numbers below it, `x * (1 + erf(x / sqrt(2))) / 2`
    (Hendrycks and Gimpel 2016).
    """
    return 0.5 * (x * (1 + F.erf(x / 1.4142135623730951)))


class MultiHeadAttention(gluon.HybridBlock):
    """Attention of several heads, each with queries, keys and values of its own
    (Vaswani et al. 2017).
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.query = nn.Dense(
                768, flatten=False, in_units=768, weight_initializer=mx.init.Xavier()
            )
            self.key = nn.Dense(
                768, flatten=False, in_units=768, weight_initializer=mx.init.Xavier()
            )
            self.value = nn.Dense(
                768, flatten=False, in_units=768, weight_initializer=mx.init.Xavier()
            )
            self.output = nn.Dense(
                768, flatten=False, in_units=768, weight_initializer=mx.init.Xavier()
            )

    def hybrid_forward(self, F, query):
        q = self.query(query)
        q = F.transpose(F.reshape(q, shape=(0, 197, 12, 64)), axes=(0, 2, 1, 3))
        k = self.key(query)
        k = F.transpose(F.reshape(k, shape=(0, 197, 12, 64)), axes=(0, 2, 1, 3))
        v = self.value(query)
        v = F.transpose(F.reshape(v, shape=(0, 197, 12, 64)), axes=(0, 2, 1, 3))
        x = attention(F, q, k, v)
        x = F.transpose(x, axes=(0, 2, 1, 3))
        x = F.reshape(x, shape=(0, 197, 768))
        return self.output(x)


class EncoderLayer(gluon.HybridBlock):
    """Attention and a perceptron, each normalised before and with a way around."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.layer_norm = nn.LayerNorm(epsilon=1e-6, in_channels=768)
            self.multi_head_attention = MultiHeadAttention()
            self.dropout = nn.Dropout(0.0)
            self.layer_norm_2 = nn.LayerNorm(epsilon=1e-6, in_channels=768)
            self.dense = nn.Dense(
                3072, flatten=False, in_units=768, weight_initializer=mx.init.Xavier()
            )
            self.dense_2 = nn.Dense(
                768, flatten=False, in_units=3072, weight_initializer=mx.init.Xavier()
            )

    def hybrid_forward(self, F, x):
        y = self.layer_norm(x)
        y = self.multi_head_attention(y)
        x = x + self.dropout(y)
        y = self.layer_norm_2(x)
        y = self.dense(y)
        y = gelu(F, y)
        y = self.dropout(y)
        y = self.dense_2(y)
        y = self.dropout(y)
        return x + y


class ViT(gluon.HybridBlock):
    """image [N, 3, 224, 224] (NCHW) -> logits [N, 1000]"""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.conv2d = nn.Conv2D(
                768, 16, strides=16, in_channels=3, weight_initializer=mx.init.Xavier()
            )
            self.dropout = nn.Dropout(0.0)
            self.encoder_layers = stack(*[EncoderLayer() for _ in range(12)])
            self.layer_norm = nn.LayerNorm(epsilon=1e-6, in_channels=768)
            self.dense = nn.Dense(
                1000, in_units=768, weight_initializer=mx.init.Xavier()
            )
            self.class_token = self.params.get(
                "class_token", shape=(1, 1, 768), init=mx.init.Zero()
            )
            self.positions = self.params.get(
                "positions", shape=(1, 197, 768), init=mx.init.Normal(0.02)
            )

    def hybrid_forward(self, F, image, class_token, positions):
        x = self.conv2d(image)
        x = F.reshape(x, shape=(0, 768, 196))  # [N, 768, 196]
        y = F.broadcast_like(
            class_token,
            F.broadcast_axis(
                F.reshape(ruler(F, image, 0), shape=(-1, 1, 1)), axis=(2,), size=(768,)
            ),
        )
        x = F.broadcast_add(
            F.concat(F.reshape(y, shape=(0, 768, 1)), x, dim=2),
            F.transpose(positions, axes=(0, 2, 1)),
        )
        x = self.dropout(x)
        x = F.transpose(x, axes=(0, 2, 1))  # [N, 197, 768]
        for encoder_layer in self.encoder_layers:
            x = encoder_layer(x)
        x = self.layer_norm(x)
        x = F.squeeze(F.slice_axis(x, axis=1, begin=0, end=1), axis=1)
        return self.dense(x)
