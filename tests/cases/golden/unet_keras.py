"""Made from unet.nn.

U-Net (Ronneberger et al. 2015, "U-Net: Convolutional Networks for Biomedical Image
Segmentation", arXiv:1505.04597), padded and normalised as is usual today: the map has
the size of the image.

input 256x256x3; 31,037,633 parameters.
"""

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable(package="unet")
class ConvBN(layers.Layer):
    """A convolution, its batch normalised, an activation (Ioffe and Szegedy 2015)."""

    def __init__(self, filters: int, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.conv2d = layers.Conv2D(filters, 3, padding="same", use_bias=False)
        self.batch_norm = layers.BatchNormalization(momentum=0.9, epsilon=1e-5)

    def call(self, x):
        x = self.conv2d(x)
        x = self.batch_norm(x)
        return ops.relu(x)

    def get_config(self):
        return super().get_config() | {"filters": self.filters}


@keras.saving.register_keras_serializable(package="unet")
class Twice(layers.Layer):
    def __init__(self, filters: int, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.conv_bn = ConvBN(filters)
        self.conv_bn_2 = ConvBN(filters, name="conv_bn_2")

    def call(self, x):
        x = self.conv_bn(x)
        return self.conv_bn_2(x)

    def get_config(self):
        return super().get_config() | {"filters": self.filters}


@keras.saving.register_keras_serializable(package="unet")
class Up(layers.Layer):
    """Twice the size, beside what was seen at that size on the way down."""

    def __init__(self, filters: int, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.conv_transpose2d = layers.Conv2DTranspose(filters, 2, strides=2)
        self.twice = Twice(filters)

    def call(self, x, seen):
        y = self.conv_transpose2d(x)
        x = ops.concatenate([seen, y], axis=-1)
        return self.twice(x)

    def get_config(self):
        return super().get_config() | {"filters": self.filters}


@keras.saving.register_keras_serializable(package="unet")
class UNet(keras.Model):
    """image [N, 256, 256, 3] (NHWC) -> logits [N, 256, 256, 1] (NHWC)"""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.twice = Twice(64)
        self.max_pool2d = layers.MaxPooling2D(2)
        self.twice_2 = Twice(128, name="twice_2")
        self.twice_3 = Twice(256, name="twice_3")
        self.twice_4 = Twice(512, name="twice_4")
        self.twice_5 = Twice(1024, name="twice_5")
        self.up = Up(512)
        self.up_2 = Up(256, name="up_2")
        self.up_3 = Up(128, name="up_3")
        self.up_4 = Up(64, name="up_4")
        self.conv2d = layers.Conv2D(1, 1)
        # Called on symbols, it makes its weights.
        self(keras.Input((256, 256, 3)))

    def call(self, image, training=None):
        # Keras tells the layers inside whether this is training.
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
