"""Padding that depends on the size of the input."""

from keras import ops


def same_padding(x, kernel, strides, dilation):
    """Pad the input so that a window finds size / stride places, the odd cell at the end."""
    around = []
    for size, k, s, d in zip(ops.shape(x)[1:-1], kernel, strides, dilation):
        total = ops.maximum((-(-size // s) - 1) * s + d * (k - 1) + 1 - size, 0)
        around.append((total // 2, total - total // 2))
    return ops.pad(x, ((0, 0), *around, (0, 0)))
