"""Fixed pieces of a generated program's command line: data, weights, the loop over epochs."""

from __future__ import annotations

from collections.abc import Mapping

from codegen.python_source import Verbatim

HELPERS: Mapping[str, Verbatim] = {
    "BatchNorm": Verbatim(
        '''\
class BatchNorm(nn.BatchNorm):
    """Moves its running statistics in the forward pass, once for each application.

    MXNet moves them in the backward pass: twice where two updates go through it, and the
    last application first. Does nothing for a hybridized network.
    """

    def __init__(self, momentum=0.9, **kwargs):
        super().__init__(momentum=1.0, **kwargs)
        self.kept = momentum

    def hybrid_forward(self, F, x, gamma, beta, running_mean, running_var):
        if F is nd and autograd.is_training():
            with autograd.pause():
                mean = x.mean(axis=self._axis, exclude=True, keepdims=True)
                squares = nd.square(nd.broadcast_sub(x, mean))
                variance = squares.mean(axis=self._axis, exclude=True)
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
    "parse_options": Verbatim(
        '''\
def parse_options(epochs, batch_size, seed):
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="the data set, an .npz file")
    parser.add_argument("--weights", type=Path, help="weights to begin with, .params")
    parser.add_argument("--save", type=Path, help="where to save the weights")
    parser.add_argument("--epochs", type=int, default=epochs)
    parser.add_argument("--batch-size", type=int, default=batch_size)
    parser.add_argument("--seed", type=int, default=seed)
    return parser.parse_args()''',
        ("argparse", "Path"),
    ),
    "load_columns": Verbatim(
        '''\
def load_columns(path, dtypes, images=()):
    """The columns of a data set, and those of the part held out (none, where there is no such part).

    Files hold images as [N, H, W, C]; the network takes those as [N, C, H, W].
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        sys.exit(f"cannot read the data set {path}: {error}")

    def columns(prefix):
        missing = [name for name in dtypes if prefix + name not in arrays]
        if missing:
            found = ", ".join(arrays)
            sys.exit(f"{path} has no column {prefix}{missing[0]}; it has {found}")
        chosen = [arrays[prefix + name].astype(dtype) for name, dtype in dtypes.items()]
        return [
            np.ascontiguousarray(column.transpose(0, 3, 1, 2)) if name in images else column
            for name, column in zip(dtypes, chosen)
        ]

    held_out = any(name.startswith("validation_") for name in arrays)
    return columns(""), columns("validation_") if held_out else []''',
        ("np", "sys", "zipfile", "zlib"),
    ),
    "batches": Verbatim(
        '''\
def batches(columns, size, rng=None):
    """The columns cut into batches, shuffled if there is a generator; the last may be smaller."""
    count = len(columns[0])
    order = np.arange(count) if rng is None else rng.permutation(count)
    for start in range(0, count, size):
        rows = order[start : start + size]
        yield [nd.array(column[rows], dtype=column.dtype) for column in columns]''',
        ("np", "nd"),
    ),
    "average": Verbatim(
        '''\
def average(step, batches):
    """The mean over all samples of what a step gives for each batch."""
    totals, count = {}, 0
    for batch in batches:
        size = len(batch[0])
        count += size
        for name, value in step(*batch).items():
            totals[name] = totals.get(name, 0.0) + value.asscalar() * size
    return {name: total / count for name, total in totals.items()}'''
    ),
    "fit": Verbatim(
        '''\
def fit(train_step, evaluation_step, data, held_out, options):
    """Train for some epochs, and print what each of them came to."""
    rng = np.random.default_rng(options.seed)
    for epoch in range(1, options.epochs + 1):
        figures = average(train_step, batches(data, options.batch_size, rng))
        if held_out:
            found = average(evaluation_step, batches(held_out, options.batch_size))
            figures.update((f"val_{name}", value) for name, value in found.items())
        line = " - ".join(f"{name}: {value:.4f}" for name, value in figures.items())
        print(f"epoch {epoch}/{options.epochs} - {line}", flush=True)''',
        ("np", "average", "batches"),
    ),
    "fit_steps": Verbatim(
        '''\
def fit_steps(train_step, evaluation_step, data, held_out, options, steps):
    """Train for some steps (or epochs, if they are given), and print what each epoch came to."""
    rng = np.random.default_rng(options.seed)
    each = -(-len(data[0]) // options.batch_size)
    epochs = options.epochs or -(-steps // each)
    left = epochs * each if options.epochs else steps
    for epoch in range(1, epochs + 1):
        shuffled = islice(batches(data, options.batch_size, rng), left)
        figures = average(train_step, shuffled)
        left -= each
        if held_out:
            found = average(evaluation_step, batches(held_out, options.batch_size))
            figures.update((f"val_{name}", value) for name, value in found.items())
        line = " - ".join(f"{name}: {value:.4f}" for name, value in figures.items())
        print(f"epoch {epoch}/{epochs} - {line}", flush=True)''',
        ("np", "average", "batches", "islice"),
    ),
    "network_file": Verbatim(
        '''\
def network_file(path, network):
    """`trained-G.params` for `trained.params`; None stays None."""
    if path is None:
        return None
    stem, dot, suffix = path.name.partition(".")
    return path.with_name(f"{stem}-{network}{dot}{suffix}")'''
    ),
    "load_weights": Verbatim(
        '''\
def load_weights(net, path):
    """Begin with saved weights, if a file is given."""
    if path is None:
        return
    try:
        net.load_parameters(str(path))
    except (mx.MXNetError, AssertionError, OSError, ValueError) as error:
        sys.exit(f"cannot load {path}: {str(error).strip().splitlines()[-1]}")''',
        ("mx", "sys"),
    ),
    "save_weights": Verbatim(
        '''\
def save_weights(net, path):
    """Save the weights, if a file is given."""
    if path is not None:
        net.save_parameters(str(path))'''
    ),
}
