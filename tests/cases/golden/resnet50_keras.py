"""Made from resnet50.nn.

ResNet-50 (He et al. 2015, "Deep Residual Learning for Image Recognition",
arXiv:1512.03385), as torchvision has it.

input 224x224x3; 25,557,032 parameters; 4.09 G multiply-adds.
"""

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable(package="resnet50")
class ConvBN(layers.Layer):
    """A convolution, its batch normalised, an activation (Ioffe and Szegedy 2015)."""

    def __init__(self, padding: int, filters: int, kernel: int, **kwargs):
        super().__init__(**kwargs)
        self.padding = padding
        self.filters = filters
        self.kernel = kernel
        self.conv2d_padding = layers.ZeroPadding2D(padding)
        self.conv2d = layers.Conv2D(filters, kernel, strides=2, use_bias=False)
        self.batch_norm = layers.BatchNormalization(momentum=0.9, epsilon=1e-5)

    def call(self, x):
        x = self.conv2d(self.conv2d_padding(x))
        x = self.batch_norm(x)
        return ops.relu(x)

    def get_config(self):
        return super().get_config() | {
            "padding": self.padding,
            "filters": self.filters,
            "kernel": self.kernel,
        }


@keras.saving.register_keras_serializable(package="resnet50")
class ConvBNStride1(layers.Layer):
    """A convolution, its batch normalised, an activation (Ioffe and Szegedy 2015)."""

    def __init__(self, filters: int, kernel: int, padding: str = "valid", **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.kernel = kernel
        self.padding = padding
        self.conv2d = layers.Conv2D(filters, kernel, padding=padding, use_bias=False)
        self.batch_norm = layers.BatchNormalization(momentum=0.9, epsilon=1e-5)

    def call(self, x):
        x = self.conv2d(x)
        x = self.batch_norm(x)
        return ops.relu(x)

    def get_config(self):
        return super().get_config() | {
            "filters": self.filters,
            "kernel": self.kernel,
            "padding": self.padding,
        }


@keras.saving.register_keras_serializable(package="resnet50")
class ConvBN2(layers.Layer):
    """A convolution, its batch normalised, an activation (Ioffe and Szegedy 2015)."""

    def __init__(self, filters: int, stride: int = 1, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.stride = stride
        self.conv2d = layers.Conv2D(filters, 1, strides=stride, use_bias=False)
        self.batch_norm = layers.BatchNormalization(momentum=0.9, epsilon=1e-5)

    def call(self, x):
        x = self.conv2d(x)
        return self.batch_norm(x)

    def get_config(self):
        return super().get_config() | {"filters": self.filters, "stride": self.stride}


@keras.saving.register_keras_serializable(package="resnet50")
class Bottleneck(layers.Layer):
    """Narrowed, convolved, widened, and a way around (He et al. 2016)."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.conv_bn = ConvBNStride1(64, 1)
        self.conv_bn_2 = ConvBNStride1(64, 3, padding="same", name="conv_bn_2")
        self.conv_bn_3 = ConvBN2(256, name="conv_bn_3")
        self.shortcut = ConvBN2(256)

    def call(self, x):
        y = self.conv_bn(x)
        y = self.conv_bn_2(y)
        y = self.conv_bn_3(y)
        x = self.shortcut(x)
        return ops.relu(x + y)


@keras.saving.register_keras_serializable(package="resnet50")
class Bottleneck2(layers.Layer):
    """Narrowed, convolved, widened, and a way around (He et al. 2016)."""

    def __init__(self, filters: int, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.conv_bn = ConvBNStride1(filters, 1)
        self.conv_bn_2 = ConvBNStride1(filters, 3, padding="same", name="conv_bn_2")
        self.conv_bn_3 = ConvBN2(4 * filters, name="conv_bn_3")

    def call(self, x):
        y = self.conv_bn(x)
        y = self.conv_bn_2(y)
        y = self.conv_bn_3(y)
        return ops.relu(x + y)

    def get_config(self):
        return super().get_config() | {"filters": self.filters}


@keras.saving.register_keras_serializable(package="resnet50")
class BottleneckStride2(layers.Layer):
    """Narrowed, convolved, widened, and a way around (He et al. 2016)."""

    def __init__(self, filters: int, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.conv_bn = ConvBNStride1(filters, 1)
        self.conv_bn_2 = ConvBN(1, filters, 3, name="conv_bn_2")
        self.conv_bn_3 = ConvBN2(4 * filters, name="conv_bn_3")
        self.shortcut = ConvBN2(4 * filters, stride=2)

    def call(self, x):
        y = self.conv_bn(x)
        y = self.conv_bn_2(y)
        y = self.conv_bn_3(y)
        x = self.shortcut(x)
        return ops.relu(x + y)

    def get_config(self):
        return super().get_config() | {"filters": self.filters}


@keras.saving.register_keras_serializable(package="resnet50")
class ResNet50(keras.Model):
    """image [N, 224, 224, 3] (NHWC) -> logits [N, 1000]"""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.conv_bn = ConvBN(3, 64, 7)
        self.max_pool2d = layers.MaxPooling2D(3, strides=2)
        self.stage = keras.Sequential([Bottleneck(), Bottleneck2(64), Bottleneck2(64)])
        self.stage_2 = keras.Sequential(
            [BottleneckStride2(128), *[Bottleneck2(128) for _ in range(3)]],
            name="stage_2",
        )
        self.stage_3 = keras.Sequential(
            [BottleneckStride2(256), *[Bottleneck2(256) for _ in range(5)]],
            name="stage_3",
        )
        self.stage_4 = keras.Sequential(
            [BottleneckStride2(512), Bottleneck2(512), Bottleneck2(512)], name="stage_4"
        )
        self.dense = layers.Dense(1000)
        # Called on symbols, it makes its weights.
        self(keras.Input((224, 224, 3)))

    def call(self, image, training=None):
        # Keras tells the layers inside whether this is training.
        x = self.conv_bn(image)
        x = ops.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=float("-inf"))
        x = self.max_pool2d(x)
        x = self.stage(x)
        x = self.stage_2(x)
        x = self.stage_3(x)
        x = self.stage_4(x)
        x = ops.mean(x, axis=(1, 2))
        return self.dense(x)
