"""Made from swin_t.nn.

Swin-T (Liu et al. 2021, "Swin Transformer: Hierarchical Vision Transformer using
Shifted Windows", arXiv:2103.14030), without the random depth of its training.

input 224x224x3; 28,288,354 parameters; 4.5 G multiply-adds.
"""

import keras
from keras import layers, ops


def distances(x):
    """For each two cells of a window, which row of the table of biases is theirs."""
    place = ops.arange(x.shape[1], dtype="int64")[:7]
    apart = ops.expand_dims(place, axis=1) - place + 6
    x = 13 * ops.expand_dims(ops.expand_dims(apart, axis=1), axis=3)
    rows = x + ops.expand_dims(ops.expand_dims(apart, axis=0), axis=2)
    return ops.reshape(rows, (49, 49))


def windows(x):
    """An image cut into windows: `[N, H, W, C]` to `[N, windows, side * side, C]`."""
    size = x.shape[1] * x.shape[2] // 49
    size_2 = x.shape[3]
    cells = ops.reshape(x, (-1, x.shape[1] // 7, 7, x.shape[2] // 7, 7, x.shape[3]))
    x = ops.transpose(cells, (0, 1, 3, 2, 4, 5))
    return ops.reshape(x, (-1, size, 49, size_2))


def whole(x, image):
    """The windows put together again, beside the image that they were cut from."""
    cells = ops.reshape(
        x, (-1, image.shape[1] // 7, image.shape[2] // 7, 7, 7, x.shape[3])
    )
    x = ops.transpose(cells, (0, 1, 3, 2, 4, 5))
    return ops.reshape(x, (-1, image.shape[1], image.shape[2], image.shape[3]))


def rolled(x, shift):
    """The image moved up and left by `shift` cells; what leaves it comes in at the
    other end.
    """
    x = ops.concatenate([x[:, shift:], x[:, :shift]], axis=1)
    return ops.concatenate([x[:, :, shift:], x[:, :, :shift]], axis=2)


def neighbours(x):
    """Which cells of a shifted window were neighbours before: `[windows, 1, cells,
    cells]`.
    """
    down = ops.arange(x.shape[1], dtype=x.dtype)
    across = ops.arange(x.shape[2], dtype=x.dtype)
    strip = ops.cast(down >= x.shape[1] - 7, "float32") + ops.cast(
        down >= x.shape[1] - 3, "float32"
    )
    band = ops.cast(across >= x.shape[2] - 7, "float32") + ops.cast(
        across >= x.shape[2] - 3, "float32"
    )
    regions = 3 * ops.expand_dims(strip, axis=1) + band
    x = ops.expand_dims(ops.expand_dims(regions, axis=0), axis=3)
    x = windows(x)
    region = x[0, :, :, 0]
    x = ops.equal(ops.expand_dims(region, axis=2), ops.expand_dims(region, axis=1))
    return ops.expand_dims(x, axis=1)


@keras.saving.register_keras_serializable(package="swin_t")
class WindowAttention(layers.Layer):
    """Attention within windows, with a bias learnt for each distance between two cells."""

    def __init__(self, units: int, heads: int, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.heads = heads
        self.dense = layers.Dense(units)
        self.dense_2 = layers.Dense(units // 3, name="dense_2")
        self.table = self.add_weight(
            shape=(169, heads),
            initializer=keras.initializers.RandomNormal(stddev=0.02),
            name="table",
        )

    def call(self, x):
        y = distances(x)
        y = ops.take(self.table, y, axis=0)
        bias = ops.transpose(y, (2, 0, 1))
        cells = windows(x)
        y = self.dense(cells)
        qkv = ops.transpose(
            ops.reshape(y, (-1, x.shape[1] * x.shape[2] // 49, 49, 3, self.heads, 32)),
            (3, 0, 1, 4, 2, 5),
        )
        y = ops.transpose(qkv[1], (0, 1, 2, 4, 3))
        scores = qkv[0] * 0.1767766952966369 @ y + bias
        seen = ops.transpose(ops.softmax(scores) @ qkv[2], (0, 1, 3, 2, 4))
        y = ops.reshape(seen, (-1, x.shape[1] * x.shape[2] // 49, 49, x.shape[3]))
        y = self.dense_2(y)
        return whole(y, x)

    def get_config(self):
        return super().get_config() | {"units": self.units, "heads": self.heads}


@keras.saving.register_keras_serializable(package="swin_t")
class Layer(layers.Layer):
    def __init__(self, units: int, heads: int, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.heads = heads
        self.layer_norm = layers.LayerNormalization(epsilon=1e-5)
        self.window_attention = WindowAttention(units, heads)
        self.layer_norm_2 = layers.LayerNormalization(epsilon=1e-5, name="layer_norm_2")
        self.dense = layers.Dense(128 * heads, activation="gelu")
        self.dense_2 = layers.Dense(units // 3, name="dense_2")

    def call(self, x):
        y = self.layer_norm(x)
        x = x + self.window_attention(y)
        y = self.layer_norm_2(x)
        y = self.dense(y)
        return x + self.dense_2(y)

    def get_config(self):
        return super().get_config() | {"units": self.units, "heads": self.heads}


@keras.saving.register_keras_serializable(package="swin_t")
class WindowAttentionShift3(layers.Layer):
    """Attention within windows, with a bias learnt for each distance between two cells."""

    def __init__(self, units: int, heads: int, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.heads = heads
        self.dense = layers.Dense(units)
        self.dense_2 = layers.Dense(units // 3, name="dense_2")
        self.table = self.add_weight(
            shape=(169, heads),
            initializer=keras.initializers.RandomNormal(stddev=0.02),
            name="table",
        )

    def call(self, x):
        y = distances(x)
        y = ops.take(self.table, y, axis=0)
        bias = ops.transpose(y, (2, 0, 1))
        cells = rolled(x, 3)
        cells = windows(cells)
        y = self.dense(cells)
        qkv = ops.transpose(
            ops.reshape(y, (-1, x.shape[1] * x.shape[2] // 49, 49, 3, self.heads, 32)),
            (3, 0, 1, 4, 2, 5),
        )
        y = ops.transpose(qkv[1], (0, 1, 2, 4, 3))
        scores = qkv[0] * 0.1767766952966369 @ y + bias
        scores = ops.where(neighbours(x), scores, -1000000000.0)
        seen = ops.transpose(ops.softmax(scores) @ qkv[2], (0, 1, 3, 2, 4))
        y = ops.reshape(seen, (-1, x.shape[1] * x.shape[2] // 49, 49, x.shape[3]))
        y = self.dense_2(y)
        y = whole(y, x)
        return rolled(y, -3)

    def get_config(self):
        return super().get_config() | {"units": self.units, "heads": self.heads}


@keras.saving.register_keras_serializable(package="swin_t")
class Layer2(layers.Layer):
    def __init__(self, units: int, heads: int, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.heads = heads
        self.layer_norm = layers.LayerNormalization(epsilon=1e-5)
        self.window_attention = WindowAttentionShift3(units, heads)
        self.layer_norm_2 = layers.LayerNormalization(epsilon=1e-5, name="layer_norm_2")
        self.dense = layers.Dense(128 * heads, activation="gelu")
        self.dense_2 = layers.Dense(units // 3, name="dense_2")

    def call(self, x):
        y = self.layer_norm(x)
        x = x + self.window_attention(y)
        y = self.layer_norm_2(x)
        y = self.dense(y)
        return x + self.dense_2(y)

    def get_config(self):
        return super().get_config() | {"units": self.units, "heads": self.heads}


@keras.saving.register_keras_serializable(package="swin_t")
class Merge(layers.Layer):
    """Half the size, twice the features."""

    def __init__(self, units: int, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.layer_norm = layers.LayerNormalization(epsilon=1e-5)
        self.dense = layers.Dense(units, use_bias=False)

    def call(self, x):
        y = ops.concatenate(
            [x[:, ::2, ::2], x[:, 1::2, ::2], x[:, ::2, 1::2], x[:, 1::2, 1::2]],
            axis=-1,
        )
        x = self.layer_norm(y)
        return self.dense(x)

    def get_config(self):
        return super().get_config() | {"units": self.units}


@keras.saving.register_keras_serializable(package="swin_t")
class SwinT(keras.Model):
    """image [N, 224, 224, 3] (NHWC) -> logits [N, 1000]"""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.conv2d = layers.Conv2D(96, 4, strides=4)
        self.layer_norm = layers.LayerNormalization(epsilon=1e-5)
        self.layer = [Layer(288, 3), Layer2(288, 3)]
        self.merge = Merge(192)
        self.layers_3 = [Layer(576, 6), Layer2(576, 6)]
        self.merge_2 = Merge(384, name="merge_2")
        self.layers_5 = [
            Layer(1152, 12),
            Layer2(1152, 12),
            Layer(1152, 12),
            Layer2(1152, 12),
            Layer(1152, 12),
            Layer2(1152, 12),
        ]
        self.merge_3 = Merge(768, name="merge_3")
        self.layers_11 = [Layer(2304, 24) for _ in range(2)]
        self.layer_norm_2 = layers.LayerNormalization(epsilon=1e-5, name="layer_norm_2")
        self.dense = layers.Dense(1000)
        # Called on symbols, it makes its weights.
        self(keras.Input((224, 224, 3)))

    def call(self, image):
        x = self.conv2d(image)
        x = self.layer_norm(x)
        for layer in self.layer:
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
        x = ops.mean(x, axis=(1, 2))
        return self.dense(x)
