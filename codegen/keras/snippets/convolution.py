"""Convolutions that Keras has not."""

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable(package="layers")
class DilatedConv2DTranspose(layers.Conv2DTranspose):
    """Has zeros between the cells of its kernel.

    Keras's own cannot dilate and stride, nor dilate at all on every device.
    """

    def __init__(self, *args, dilation, **kwargs):
        super().__init__(*args, **kwargs)
        self.dilation = dilation

    def call(self, x):
        (rows, columns), (down, across) = self.kernel_size, self.dilation
        *_, filters, channels = self.kernel.shape
        kernel = ops.reshape(self.kernel, (rows, 1, columns, 1, filters, channels))
        zeros = ((0, 0), (0, down - 1), (0, 0), (0, across - 1), (0, 0), (0, 0))
        kernel = ops.pad(kernel, zeros)
        kernel = ops.reshape(kernel, (rows * down, columns * across, filters, channels))
        kernel = kernel[: down * (rows - 1) + 1, : across * (columns - 1) + 1]
        x = ops.conv_transpose(x, kernel, self.strides, self.padding)
        return self.activation(x + self.bias if self.use_bias else x)

    def get_config(self):
        return super().get_config() | {"dilation": self.dilation}
