"""Made from densenet.nn."""

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable(package="densenet")
class DenseLayer(layers.Layer):
    """What a layer finds is set beside what it was given (Huang et al. 2017)."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.batch_norm = layers.BatchNormalization(momentum=0.9, epsilon=1e-5)
        self.conv2d = layers.Conv2D(8, 3, padding="same", use_bias=False)

    def call(self, x):
        y = ops.relu(self.batch_norm(x))
        found = self.conv2d(y)
        return ops.concatenate([x, found], axis=-1)


@keras.saving.register_keras_serializable(package="densenet")
class Stage(layers.Layer):
    """A stage of one width."""

    def __init__(self, filters: int, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.conv2d = layers.Conv2D(filters, 3, padding="same", activation="relu")

    def call(self, x):
        return self.conv2d(x)

    def get_config(self):
        return super().get_config() | {"filters": self.filters}


@keras.saving.register_keras_serializable(package="densenet")
class DenseNet(keras.Model):
    """Layers that grow by the same amount, stages in runs, one pool for all.

    image [N, 32, 32, 3] (NHWC) -> logits [N, 10]
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.conv2d = layers.Conv2D(16, 3, padding="same")
        self.dense_layers = [DenseLayer() for _ in range(6)]
        self.max_pool2d = layers.MaxPooling2D(2)
        self.body = keras.Sequential([Stage(64), Stage(64), Stage(128), Stage(128)])
        self.dense = layers.Dense(10)
        # Called on symbols, it makes its weights.
        self(keras.Input((32, 32, 3)))

    def call(self, image, training=None):
        # Keras tells the layers inside whether this is training.
        x = self.conv2d(image)
        for dense_layer in self.dense_layers:
            x = dense_layer(x)
        x = self.max_pool2d(x)
        x = self.body(x)
        x = self.max_pool2d(x)
        x = ops.mean(x, axis=(1, 2))
        return self.dense(x)
