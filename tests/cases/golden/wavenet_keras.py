"""Made from wavenet.nn.

WaveNet (van den Oord et al. 2016, "WaveNet: A Generative Model for Raw Audio",
arXiv:1609.03499): what sample comes next, of 256 by the mu-law, from all before it.

input T samples, as numbers from 0 to 255; 1,283,776 parameters.
"""

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable(package="wavenet")
class Gated(layers.Layer):
    """A gated convolution over what was, with a way around; and what it tells."""

    def __init__(self, dilation: int = 1, **kwargs):
        super().__init__(**kwargs)
        self.dilation = dilation
        self.conv1d = layers.Conv1D(
            64, 2, padding="causal", dilation_rate=dilation, activation="tanh"
        )
        self.conv1d_2 = layers.Conv1D(
            64,
            2,
            padding="causal",
            dilation_rate=dilation,
            activation="sigmoid",
            name="conv1d_2",
        )
        self.conv1d_3 = layers.Conv1D(64, 1, name="conv1d_3")
        self.conv1d_4 = layers.Conv1D(256, 1, name="conv1d_4")

    def call(self, x):
        y = self.conv1d(x) * self.conv1d_2(x)
        output = x + self.conv1d_3(y)
        output_2 = self.conv1d_4(y)
        return output, output_2

    def get_config(self):
        return super().get_config() | {"dilation": self.dilation}


@keras.saving.register_keras_serializable(package="wavenet")
class WaveNet(keras.Model):
    """samples i64[N, T] -> logits [N, T, 256] (as in the spec)"""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.conv1d = layers.Conv1D(64, 2, padding="causal")
        self.gated_layers = [Gated(2**i) for _ in range(3) for i in range(10)]
        self.conv1d_2 = layers.Conv1D(256, 1, activation="relu", name="conv1d_2")
        self.conv1d_3 = layers.Conv1D(256, 1, name="conv1d_3")
        # Called on symbols, it makes its weights.
        self(keras.Input((None,), dtype="int64"))

    def call(self, samples):
        x = ops.one_hot(samples, 256)
        x = self.conv1d(x)
        x, more = self.gated_layers[0](x)
        told = more
        for gated in self.gated_layers[1:]:
            x, more = gated(x)
            told = told + more
        x = ops.relu(told)
        x = self.conv1d_2(x)
        return self.conv1d_3(x)
