"""Made from wavenet.nn.

WaveNet (van den Oord et al. 2016, "WaveNet: A Generative Model for Raw Audio",
arXiv:1609.03499): what sample comes next, of 256 by the mu-law, from all before it.

input T samples, as numbers from 0 to 255; 1,283,776 parameters.
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


class Gated(gluon.HybridBlock):
    """A gated convolution over what was, with a way around; and what it tells."""

    def __init__(self, dilation=1, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.dilation = dilation
            self.conv1d = nn.Conv1D(
                64,
                2,
                dilation=dilation,
                in_channels=64,
                weight_initializer=mx.init.Xavier(),
            )
            self.conv1d_2 = nn.Conv1D(
                64,
                2,
                dilation=dilation,
                in_channels=64,
                weight_initializer=mx.init.Xavier(),
            )
            self.conv1d_3 = nn.Conv1D(
                64, 1, in_channels=64, weight_initializer=mx.init.Xavier()
            )
            self.conv1d_4 = nn.Conv1D(
                256, 1, in_channels=64, weight_initializer=mx.init.Xavier()
            )

    def hybrid_forward(self, F, x):
        y = F.squeeze(
            F.pad(
                F.expand_dims(x, axis=2),
                mode="constant",
                pad_width=(0, 0, 0, 0, 0, 0, self.dilation, 0),
                constant_value=0,
            ),
            axis=2,
        )
        z = F.squeeze(
            F.pad(
                F.expand_dims(x, axis=2),
                mode="constant",
                pad_width=(0, 0, 0, 0, 0, 0, self.dilation, 0),
                constant_value=0,
            ),
            axis=2,
        )
        y = F.tanh(self.conv1d(y)) * F.sigmoid(self.conv1d_2(z))
        output = x + self.conv1d_3(y)
        output_2 = self.conv1d_4(y)
        return output, output_2


class WaveNet(gluon.HybridBlock):
    """samples i64[N, T] -> logits [N, T, 256] (as in the spec)"""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.conv1d = nn.Conv1D(
                64, 2, in_channels=256, weight_initializer=mx.init.Xavier()
            )
            self.gated_layers = stack(
                *[Gated(2**i) for _ in range(3) for i in range(10)]
            )
            self.conv1d_2 = nn.Conv1D(
                256, 1, in_channels=256, weight_initializer=mx.init.Xavier()
            )
            self.conv1d_3 = nn.Conv1D(
                256, 1, in_channels=256, weight_initializer=mx.init.Xavier()
            )

    def hybrid_forward(self, F, samples):
        x = F.squeeze(
            F.pad(
                F.expand_dims(F.one_hot(samples, 256), axis=1),
                mode="constant",
                pad_width=(0, 0, 0, 0, 1, 0, 0, 0),
                constant_value=0,
            ),
            axis=1,
        )
        x = F.transpose(x, axes=(0, 2, 1))  # [N, 256, T + 1]
        x = self.conv1d(x)
        x, more = self.gated_layers[0](x)
        told = more
        for gated in self.gated_layers[1:]:
            x, more = gated(x)
            told = told + more
        x = F.relu(told)
        x = F.relu(self.conv1d_2(x))
        logits = self.conv1d_3(x)
        return F.transpose(logits, axes=(0, 2, 1))
