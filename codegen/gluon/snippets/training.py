"""The loop over epochs and what it needs."""

import numpy as np
from mxnet import nd

from codegen.python.snippets.epochs import print_epoch, run_epoch


def together(*dicts):
    """The parameters of several networks or layers."""
    return {name: parameter for each in dicts for name, parameter in each.items()}


def as_native(columns, dtypes, orders=()):
    """The columns in their types; those of images, in files [N, H, W, C], in MXNet's order."""
    native = []
    for i, (column, dtype) in enumerate(zip(columns, dtypes)):
        turned = column.transpose(orders[i]) if i in orders else column
        native.append(np.ascontiguousarray(turned, dtype))
    return native


def on_arrays(step, *fixed):
    """The step for batches of NumPy arrays."""
    return lambda *batch: step(*fixed, *(nd.array(c, dtype=c.dtype) for c in batch))


def fit(train, validate, data, held_out, epochs, batch_size, seed):
    """Train for some epochs, and print what each of them came to."""
    rng = np.random.default_rng(seed)
    for epoch in range(1, epochs + 1):
        figures = run_epoch(train, data, rng.permutation(len(data[0])), batch_size)
        if held_out:
            order = np.arange(len(held_out[0]))
            found = run_epoch(validate, held_out, order, batch_size)
            figures.update((f"val_{name}", value) for name, value in found.items())
        print_epoch(epoch, epochs, figures)


def epochs_of(steps, data, batch_size):
    """Epochs that come to a number of steps."""
    return -(-steps // -(-len(data[0]) // batch_size))
