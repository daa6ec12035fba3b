"""Convolutions that Keras has not."""

import keras
from keras import layers, ops


class Dilated(layers.Layer):
    """Has zeros between the cells of its kernel.

    Keras's own cannot dilate and stride, nor dilate at all on every device.
    """

    def __init__(self, *args, dilation, **kwargs):
        super().__init__(*args, **kwargs)
        self.dilation = dilation

    def call(self, x):
        kernel = self.kernel
        for axis, (cells, step) in enumerate(zip(self.kernel_size, self.dilation)):
            spread = ops.stack(
                [kernel, *[ops.zeros_like(kernel)] * (step - 1)], axis + 1
            )
            before, after = kernel.shape[:axis], kernel.shape[axis + 1 :]
            kernel = ops.reshape(spread, (*before, cells * step, *after))
            kernel = kernel[(*[slice(None)] * axis, slice(step * (cells - 1) + 1))]
        x = ops.conv_transpose(x, kernel, self.strides, self.padding)
        return self.activation(x + self.bias if self.use_bias else x)

    def get_config(self):
        return super().get_config() | {"dilation": self.dilation}


@keras.saving.register_keras_serializable(package="layers")
class DilatedConv1DTranspose(Dilated, layers.Conv1DTranspose):
    pass


@keras.saving.register_keras_serializable(package="layers")
class DilatedConv2DTranspose(Dilated, layers.Conv2DTranspose):
    pass


@keras.saving.register_keras_serializable(package="layers")
class DilatedConv3DTranspose(Dilated, layers.Conv3DTranspose):
    pass
