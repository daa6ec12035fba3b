"""Fixed pieces of a generated program's command line: data, weights, the loop over epochs."""

from __future__ import annotations

from collections.abc import Mapping

from codegen.python.source import Verbatim

HELPERS: Mapping[str, Verbatim] = {
    "BatchNorm": Verbatim(
        '''\
class BatchNorm(nn.BatchNorm):
    """Moves its running statistics in the forward pass, once for each application.

    MXNet moves them in the backward pass: twice where two updates go through it, and the
    last application first. Does nothing for a hybridized network.
    """

    def __init__(self, axis=1, momentum=0.9, **kwargs):
        super().__init__(axis=axis, momentum=1.0, **kwargs)
        self.features, self.kept = axis, momentum

    def hybrid_forward(self, F, x, gamma, beta, running_mean, running_var):
        if F is nd and autograd.is_training():
            with autograd.pause():
                mean = x.mean(axis=self.features, exclude=True, keepdims=True)
                squares = nd.square(nd.broadcast_sub(x, mean))
                variance = squares.mean(axis=self.features, exclude=True)
                for running, batch in ((running_mean, mean), (running_var, variance)):
                    batch = batch.reshape(running.shape)
                    running[:] = self.kept * running + (1 - self.kept) * batch
        return super().hybrid_forward(F, x, gamma, beta, running_mean, running_var)''',
        ("nn", "nd", "autograd"),
    ),
    "together": Verbatim(
        '''\
def together(*dicts):
    """The parameters of several networks or layers."""
    return {name: parameter for each in dicts for name, parameter in each.items()}'''
    ),
    "as_native": Verbatim(
        '''\
def as_native(columns, dtypes, images=()):
    """The columns in their types; images, in files [N, H, W, C], become [N, C, H, W]."""
    native = []
    for i, (column, dtype) in enumerate(zip(columns, dtypes)):
        turned = column.transpose(0, 3, 1, 2) if i in images else column
        native.append(np.ascontiguousarray(turned, dtype))
    return native''',
        ("np",),
    ),
    "on_arrays": Verbatim(
        '''\
def on_arrays(step, *fixed):
    """The step for batches of NumPy arrays."""
    return lambda *batch: step(*fixed, *(nd.array(c, dtype=c.dtype) for c in batch))''',
        ("nd",),
    ),
    "fit": Verbatim(
        '''\
def fit(train, validate, data, held_out, epochs, batch_size, seed):
    """Train for some epochs, and print what each of them came to."""
    rng = np.random.default_rng(seed)
    for epoch in range(1, epochs + 1):
        figures = run_epoch(train, data, rng.permutation(len(data[0])), batch_size)
        if held_out:
            order = np.arange(len(held_out[0]))
            found = run_epoch(validate, held_out, order, batch_size)
            figures.update((f"val_{name}", value) for name, value in found.items())
        print_epoch(epoch, epochs, figures)''',
        ("np", "run_epoch", "print_epoch"),
    ),
    "epochs_of": Verbatim(
        '''\
def epochs_of(steps, data, batch_size):
    """Epochs that come to a number of steps."""
    return -(-steps // -(-len(data[0]) // batch_size))'''
    ),
    "load_weights": Verbatim(
        '''\
def load_weights(net, path):
    """Begin with saved weights."""
    try:
        net.load_parameters(str(path))
    except (mx.MXNetError, AssertionError, OSError, ValueError) as error:
        sys.exit(f"cannot load {path}: {str(error).strip().splitlines()[-1]}")''',
        ("mx", "sys"),
    ),
}
