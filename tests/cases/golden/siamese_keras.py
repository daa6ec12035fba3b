"""Made from siamese.nn."""

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable(package="siamese")
class Branches(layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.conv2d = layers.Conv2D(8, 1)
        self.avg_pool2d = layers.AveragePooling2D(3, strides=1, padding="same")

    def call(self, x):
        return self.conv2d(x), self.avg_pool2d(x), x


@keras.saving.register_keras_serializable(package="siamese")
class Siamese(keras.Model):
    """Two inputs through one encoder, compared; bound compositions and parallels.

    left [N, 12, 10, 3] (NHWC), right [N, 12, 10, 3] (NHWC) -> distance [N], similarity
    [N], code_a [N, 16]
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.stem = keras.Sequential(
            [
                layers.Conv2D(8, 3, padding="same"),
                layers.BatchNormalization(momentum=0.9, epsilon=1e-5),
                layers.ReLU(),
                layers.MaxPooling2D(2),
            ],
        )
        self.branches = Branches()
        self.head = keras.Sequential(
            [layers.Dense(32, activation="tanh"), layers.Dropout(0.2), layers.Dense(16)]
        )
        # Called on symbols, it makes its weights.
        self(keras.Input((12, 10, 3)), keras.Input((12, 10, 3)))

    def call(self, left, right, training=None):
        # Keras tells the layers inside whether this is training.
        a = self.stem(left)
        b = self.stem(right)
        x, y, z = self.branches(a)
        c = ops.concatenate([x, y, z], axis=-1)  # [N, 6, 5, 24]
        x, y, z = self.branches(b)
        d = ops.concatenate([x, y, z], axis=-1)  # [N, 6, 5, 24]
        # Both codes come from the same head.
        x = ops.reshape(c, (-1, 720))  # [N, 720]
        code_a = self.head(x)
        x = ops.reshape(d, (-1, 720))  # [N, 720]
        code_b = self.head(x)
        x = (code_a - code_b) * (code_a - code_b)
        distance = ops.mean(x, axis=-1)
        return distance, ops.exp(-distance), code_a
