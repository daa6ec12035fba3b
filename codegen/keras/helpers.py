"""Fixed text that generated Keras programs use."""

from __future__ import annotations

from collections.abc import Mapping

from codegen.keras import optimizers
from codegen.python import program
from codegen.python.source import Verbatim

_SAME_PADDING = '''
def same_padding(x, kernel, strides, dilation):
    """Pad an image so that a window finds size / stride places, the odd cell at the end."""
    around = []
    for size, k, s, d in zip(ops.shape(x)[1:3], kernel, strides, dilation):
        total = ops.maximum((-(-size // s) - 1) * s + d * (k - 1) + 1 - size, 0)
        around.append((total // 2, total - total // 2))
    return ops.pad(x, ((0, 0), *around, (0, 0)))
'''

_DILATED = '''
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
'''

_TRAINER = '''
class Trainer(keras.Model):
    """Has a step of its own; reports the means of its figures over an epoch."""

    def __init__(self, figures):
        super().__init__()
        self.figures = [keras.metrics.Mean(name=name) for name in figures]
        self.built = True

    def report(self, figures, rows):
        """Take in the figures of a batch, which has so many rows."""
        for mean in self.figures:
            mean.update_state(figures[mean.name], sample_weight=rows)
        return {mean.name: mean.result() for mean in self.figures}
'''

_LOAD_WEIGHTS = '''
def load_weights(net, path) -> None:
    """Fill a network with the weights of a .weights.h5 file."""
    try:
        net.load_weights(path)
    except (KeyError, OSError, ValueError) as error:
        sys.exit(f"cannot load weights from {path}: {error}")
'''

_SAVE_WEIGHTS = '''
def save_weights(net, path) -> None:
    """Write the weights of a network to a .weights.h5 file."""
    try:
        net.save_weights(path)
    except OSError as error:
        sys.exit(f"cannot write weights to {path}: {error}")
'''

HELPERS: Mapping[str, Verbatim] = {
    "same_padding": Verbatim(_SAME_PADDING, ("ops",)),
    "DilatedConv2DTranspose": Verbatim(_DILATED, ("keras", "layers", "ops")),
    **optimizers.HELPERS,
    "Trainer": Verbatim(_TRAINER, ("keras",)),
    "load_weights": Verbatim(_LOAD_WEIGHTS, ("sys",)),
    "save_weights": Verbatim(_SAVE_WEIGHTS, ("sys",)),
    "load_data": program.HELPERS["load_data"],
    "network_path": program.HELPERS["network_path"],
}
