"""Made from resnet.nn."""

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable(package="resnet")
class Residual(layers.Layer):
    """Two convolutions and a way around them (He et al. 2016)."""

    def __init__(self, filters: int, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.conv2d = layers.Conv2D(filters, 3, padding="same", use_bias=False)
        self.batch_norm = layers.BatchNormalization(momentum=0.9, epsilon=1e-5)
        self.conv2d_2 = layers.Conv2D(
            filters, 3, padding="same", use_bias=False, name="conv2d_2"
        )
        self.batch_norm_2 = layers.BatchNormalization(
            momentum=0.9, epsilon=1e-5, name="batch_norm_2"
        )

    def call(self, x):
        y = self.conv2d(x)
        y = ops.relu(self.batch_norm(y))
        y = self.conv2d_2(y)
        y = self.batch_norm_2(y)
        return ops.relu(y + x)

    def get_config(self):
        return super().get_config() | {"filters": self.filters}


@keras.saving.register_keras_serializable(package="resnet")
class ResidualStride2(layers.Layer):
    """Two convolutions and a way around them (He et al. 2016)."""

    def __init__(self, filters: int, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.conv2d = layers.Conv2D(
            filters, 3, strides=2, padding="same", use_bias=False
        )
        self.batch_norm = layers.BatchNormalization(momentum=0.9, epsilon=1e-5)
        self.conv2d_2 = layers.Conv2D(
            filters, 3, padding="same", use_bias=False, name="conv2d_2"
        )
        self.batch_norm_2 = layers.BatchNormalization(
            momentum=0.9, epsilon=1e-5, name="batch_norm_2"
        )
        self.conv2d_3 = layers.Conv2D(
            filters, 1, strides=2, use_bias=False, name="conv2d_3"
        )
        self.batch_norm_3 = layers.BatchNormalization(
            momentum=0.9, epsilon=1e-5, name="batch_norm_3"
        )

    def call(self, x):
        y = self.conv2d(x)
        y = ops.relu(self.batch_norm(y))
        y = self.conv2d_2(y)
        y = self.batch_norm_2(y)
        x = self.conv2d_3(x)
        shortcut = self.batch_norm_3(x)
        return ops.relu(y + shortcut)

    def get_config(self):
        return super().get_config() | {"filters": self.filters}


@keras.saving.register_keras_serializable(package="resnet")
class ResNet(keras.Model):
    """A small residual network.

    image [N, 32, 32, 3] (NHWC) -> logits [N, 10]
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.conv2d = layers.Conv2D(16, 3, padding="same", use_bias=False)
        self.batch_norm = layers.BatchNormalization(momentum=0.9, epsilon=1e-5)
        self.residuals = [Residual(16) for _ in range(2)]
        self.residuals_2 = [Residual(16) for _ in range(2)]
        self.residual_3 = ResidualStride2(32, name="residual_3")
        self.residual_4 = Residual(32, name="residual_4")
        self.residual_5 = ResidualStride2(64, name="residual_5")
        self.dense = layers.Dense(10)
        # Called on symbols, it makes its weights.
        self(keras.Input((32, 32, 3)))

    def call(self, image, training=None):
        # Keras tells the layers inside whether this is training.
        x = self.conv2d(image)
        x = ops.relu(self.batch_norm(x))
        for residual in self.residuals:
            x = residual(x)
        for residual in self.residuals_2:
            x = residual(x)
        x = self.residual_3(x)
        x = self.residual_4(x)
        x = self.residual_5(x)
        x = ops.mean(x, axis=(1, 2))
        return self.dense(x)
