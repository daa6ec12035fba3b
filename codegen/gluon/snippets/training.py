"""The loop over epochs and what it needs."""

import numpy as np
from mxnet import gluon

from codegen.python.snippets.epochs import print_epoch, stop_unless_finite


def together(*dicts):
    """The parameters of several networks or layers."""
    return {name: parameter for each in dicts for name, parameter in each.items()}


def as_batches(columns, size, orders=(), shuffle=False):
    """Columns in batches; the axes of images, in files [N, H, W, C], in MXNet's order."""
    if not columns:
        return None
    native = []
    for name, column in columns.items():
        turned = column.transpose(orders[name]) if name in orders else column
        native.append(np.ascontiguousarray(turned))
    dataset = gluon.data.ArrayDataset(*native)
    return gluon.data.DataLoader(dataset, size, shuffle=shuffle)


def run_epoch(step, batches, ctx, summaries):
    """Apply a step to every batch; the mean of its figures, each weighted with its batch.

    summaries: for figures that have several means, what makes one number of them.
    """
    totals: dict = {}
    rows = 0
    for batch in batches:
        columns = batch if isinstance(batch, list) else [batch]
        size = len(columns[0])
        with ctx:
            figures = step(*(column.as_in_context(ctx) for column in columns))
        for name, figure in figures.items():
            # Added up on the device: nothing waits for a number.
            totals[name] = totals.get(name, 0) + size * figure.detach()
        rows += size
    means = {name: total.asnumpy() / rows for name, total in totals.items()}
    return {
        name: summaries.get(name, np.ndarray.item)(mean) for name, mean in means.items()
    }


def fit(train, check, batches, held_out, *, epochs, losses, ctx, summaries=None):
    """Train for some epochs, and print what each of them came to."""
    summaries = summaries or {}
    for epoch in range(1, epochs + 1):
        figures = run_epoch(train, batches, ctx, summaries)
        stop_unless_finite(figures, losses)
        if held_out is not None:
            checked = run_epoch(check, held_out, ctx, summaries)
            figures.update({f"val_{name}": figure for name, figure in checked.items()})
        print_epoch(epoch, epochs, figures)
