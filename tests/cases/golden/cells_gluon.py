"""Made from cells.nn.

Cells of one's own along time: a long short-term memory, and one of two inputs and
several outputs.
"""

import argparse
import math
import sys
import zipfile
import zlib
from functools import partial

import numpy as np

# MXNet 1.9.1 uses the name np.bool, which numpy 1.24 took out.
if "bool" not in vars(np):
    np.bool = bool

import mxnet as mx
from mxnet import autograd, gluon
from mxnet.gluon import nn


def along_time(F, cell, inputs, sequences, states):
    """A cell at each step of its sequences [N, T, ...]: what it puts out, stacked, and its last states.

    sequences: the inputs of which it is given a step. states: those that it is given as they came out the
    step before, each with that output.
    """

    def step(parts, held):
        given = list(inputs)
        for place, tensor in (*zip(sequences, parts), *zip(states, held)):
            given[place] = tensor
        results = cell(*given)
        results = results if isinstance(results, (list, tuple)) else [results]
        last = states.values()
        others = [r for place, r in enumerate(results) if place not in last]
        return others, [results[place] for place in last]

    parts = [F.swapaxes(inputs[place], 0, 1) for place in sequences]
    stacked, held = F.contrib.foreach(step, parts, [inputs[place] for place in states])
    last, stacked = dict(zip(states.values(), held)), list(stacked)
    return tuple(
        last[place] if place in last else F.swapaxes(stacked.pop(0), 0, 1)
        for place in range(len(last) + len(stacked))
    )


def ruler(F, x, axis):
    """Zeros, as many as `x` is long along an axis: a size, where a Symbol has none."""
    return F.zeros_like(F.sum(x, axis=axis, exclude=True))


class Letters(gluon.HybridBlock):
    """Reads a word letter by letter, up to where its mask ends."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.dense = nn.Dense(4, in_units=3, weight_initializer=mx.init.Xavier())
            self.dense_2 = nn.Dense(
                4, use_bias=False, in_units=4, weight_initializer=mx.init.Xavier()
            )

    def hybrid_forward(self, F, x, h, known):
        new = F.tanh(self.dense(x) + self.dense_2(h))
        h = F.where(F.broadcast_like(F.expand_dims(known, axis=1), new), new, h)
        return 2 * h, h


class Words(gluon.HybridBlock):
    """A cell with a cell inside."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.letters = Letters()
            self.dense = nn.Dense(4, in_units=4, weight_initializer=mx.init.Xavier())

    def hybrid_forward(self, F, word, h, known, total):
        y, last = along_time(
            F, self.letters, (word, h, known), sequences=(0, 2), states={1: 1}
        )
        x = h + last
        z = F.mean(y, axis=1)
        return y, x + self.dense(z), total + F.sum(y, axis=1)


class Nested(gluon.HybridBlock):
    """x [N, T, S, 3] (as in the spec), known bool[N, T, S] (as in the spec) -> seen [N,
    T, S, 4] (as in the spec), h [N, 4], total [N, 4]
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.words = Words()

    def hybrid_forward(self, F, x, known):
        h = F.cast(
            F.broadcast_axis(
                F.reshape(ruler(F, x, 0), shape=(-1, 1)), axis=(1,), size=(4,)
            ),
            dtype="float32",
        )
        total = F.cast(
            F.broadcast_axis(
                F.reshape(ruler(F, x, 0), shape=(-1, 1)), axis=(1,), size=(4,)
            ),
            dtype="float32",
        )
        seen, h, total = along_time(
            F, self.words, (x, h, known, total), sequences=(0, 2), states={1: 1, 3: 2}
        )
        return seen, h, total


class LSTMCell(gluon.HybridBlock):
    """A long short-term memory, its gates in PyTorch's order."""

    def __init__(self, units, in_units, units_2, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.dense = nn.Dense(
                units, in_units=in_units, weight_initializer=mx.init.Xavier()
            )
            self.dense_2 = nn.Dense(
                units,
                use_bias=False,
                in_units=units_2,
                weight_initializer=mx.init.Xavier(),
            )

    def hybrid_forward(self, F, x, h, c):
        x = self.dense(x) + self.dense_2(h)
        i, f, g, o = F.split(x, num_outputs=4)
        c = F.sigmoid(f) * c + F.sigmoid(i) * F.tanh(g)
        h = F.sigmoid(o) * F.tanh(c)
        return h, h, c


class Gated(gluon.HybridBlock):
    """Forgets where it is told to, and counts; `scale` is the same at every step."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.dense = nn.Dense(4, in_units=9, weight_initializer=mx.init.Xavier())
            self.bias = self.params.get("bias", shape=(4,), init=mx.init.Zero())

    def hybrid_forward(self, F, x, h, gate, count, scale, bias):
        y = F.concat(x, h)  # [N, 9]
        y = F.broadcast_mul(F.broadcast_mul(self.dense(y), F.sigmoid(gate)), scale)
        h = F.tanh(F.broadcast_add(y, bias))
        return 2 * h, h, count + 1, x


class Reader(gluon.HybridBlock):
    """x [N, T, 6] (as in the spec), scale [N, 1] -> wide [N, T, 4] (as in the spec),
    count [N, 1], again [N, T, 4] (as in the spec), raw [N, T, 5] (as in the spec), c
    [N, 5], ends [N, 1, 5] (as in the spec)
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.lstm_cell = LSTMCell(20, 6, 5)
            self.dense = nn.Dense(
                1, flatten=False, in_units=5, weight_initializer=mx.init.Xavier()
            )
            self.cell = Gated()

    def hybrid_forward(self, F, x, scale):
        n = ruler(F, x, 0)
        h = F.broadcast_axis(
            F.reshape(ruler(F, x, 0), shape=(-1, 1)), axis=(1,), size=(5,)
        )
        c = F.broadcast_axis(
            F.reshape(ruler(F, x, 0), shape=(-1, 1)), axis=(1,), size=(5,)
        )
        y, _, c = along_time(
            F, self.lstm_cell, (x, h, c), sequences=(0,), states={1: 1, 2: 2}
        )
        gate = self.dense(y)
        h = F.broadcast_axis(
            F.reshape(ruler(F, x, 0), shape=(-1, 1)), axis=(1,), size=(4,)
        )
        count = F.reshape(ruler(F, x, 0), shape=(-1, 1)) + 1
        wide, last, count, _ = along_time(
            F,
            self.cell,
            (y, h, gate, count, scale),
            sequences=(0, 2),
            states={1: 1, 3: 2},
        )
        x = 2 * y
        count_2 = F.reshape(n, shape=(-1, 1)) + 1
        again, _, _, raw = along_time(
            F,
            self.cell,
            (x, last, gate, count_2, scale),
            sequences=(0, 2),
            states={1: 1, 3: 2},
        )
        x = F.slice_axis(y, axis=1, begin=0, end=1)
        y = F.slice_axis(gate, axis=1, begin=0, end=1)
        count_2 = F.reshape(n, shape=(-1, 1)) + 1
        x = F.squeeze(F.slice_axis(x, axis=1, begin=0, end=1), axis=1)
        y = F.squeeze(F.slice_axis(y, axis=1, begin=0, end=1), axis=1)
        _, _, _, x = self.cell(x, last, y, count_2, scale)
        return wide, count, again, raw, c, F.stack(x, axis=1)


class Long(gluon.HybridBlock):
    """x [N, 10, 3] (as in the spec) -> label [N, 4]"""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.lstm_cell = LSTMCell(32, 3, 8)
            self.dense = nn.Dense(4, in_units=8, weight_initializer=mx.init.Xavier())

    def hybrid_forward(self, F, x):
        h = F.broadcast_axis(
            F.reshape(ruler(F, x, 0), shape=(-1, 1)), axis=(1,), size=(8,)
        )
        c = F.broadcast_axis(
            F.reshape(ruler(F, x, 0), shape=(-1, 1)), axis=(1,), size=(8,)
        )
        _, x, _ = along_time(
            F, self.lstm_cell, (x, h, c), sequences=(0,), states={1: 1, 2: 2}
        )
        return self.dense(x)


def cross_entropy(logits, labels):
    """The mean of -log softmax(logits)[label]."""
    return gluon.loss.SoftmaxCrossEntropyLoss()(logits, labels).mean()


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


def load_weights(net, path):
    """Fill a network with the weights of a .params file."""
    try:
        net.load_parameters(str(path))
    except (mx.MXNetError, AssertionError, OSError, ValueError) as error:
        sys.exit(f"cannot load {path}: {str(error).strip().splitlines()[-1]}")


def save_weights(net, path):
    """Write the weights of a network to a .params file."""
    try:
        net.save_parameters(str(path))
    except (mx.MXNetError, OSError) as error:
        sys.exit(f"cannot write {path}: {str(error).strip().splitlines()[-1]}")


def load_data(path: str, types: dict[str, tuple]) -> tuple[dict, dict]:
    """Columns of an .npz file by name: for training, and to validate with (if any).

    types: of each column, with the shape of a row (None: of any size).
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            found = {name: file[name] for name in file.files}
    except (EOFError, OSError, RuntimeError, TypeError, ValueError) as error:
        sys.exit(f"cannot read {path}: {error}")
    except (zipfile.BadZipFile, zlib.error) as error:
        sys.exit(f"cannot read {path}: {error}")
    columns = checked_columns(path, found, types)
    held_out = {f"validation_{name}": kind for name, kind in types.items()}
    if held_out.keys().isdisjoint(found):
        return columns, {}
    checked = checked_columns(path, found, held_out)
    return columns, dict(zip(types, checked.values(), strict=True))


def checked_columns(path: str, found: dict, types: dict[str, tuple]) -> dict:
    """The columns in their types; what does not fit ends the program."""
    missing = [name for name in types if name not in found]
    if missing:
        names = ", ".join(found) or "none"
        sys.exit(f"{path} has no column {', '.join(missing)} (found: {names})")
    columns = {}
    for name, (dtype, row) in types.items():
        column = found[name]
        sizes = list(zip(column.shape[1:], row))
        fits = column.ndim == len(row) + 1 and all(w in (n, None) for n, w in sizes)
        if not fits or not np.can_cast(column.dtype, dtype, "same_kind"):
            wanted = ", ".join("any" if n is None else str(n) for n in ("rows", *row))
            sys.exit(
                f"column {name} of {path} should be {dtype} [{wanted}], "
                f"found {column.dtype} {list(column.shape)}"
            )
        columns[name] = column.astype(dtype, copy=False)
    rows = {name: len(column) for name, column in columns.items()}
    if 0 in rows.values() or len(set(rows.values())) > 1:
        sys.exit(f"{path} should have some rows, as many in each column, found {rows}")
    return columns


def print_epoch(epoch: int, epochs: int, figures: dict[str, float]) -> None:
    shown = [f"{name}: {value:.4f}" for name, value in figures.items()]
    print(f"epoch {epoch}/{epochs}", *shown, sep=" - ", flush=True)


def stop_unless_finite(figures: dict[str, float], losses: list[str]) -> None:
    """End a run whose loss is no number any more, before weights are written."""
    for name in losses:
        if not math.isfinite(figures[name]):
            sys.exit(f"{name} is {figures[name]}: training stops, nothing is saved")


def make_optimizer(net, lr=0.1):
    return gluon.Trainer(net.collect_params(), mx.optimizer.SGD(learning_rate=lr))


def train_step(net, optimizer, x, label):
    """Update the weights on one batch; its losses and metrics."""
    with autograd.record():
        label_2 = net(x)
        loss = cross_entropy(label_2, label)
    loss.backward()
    # The loss is a mean already: nothing is left to divide by.
    optimizer.step(1)
    return {"loss": loss}


def evaluate(net, x, label):
    """Losses and metrics of one batch, without an update."""
    label_2 = net(x)
    loss = cross_entropy(label_2, label)
    return {"loss": loss}


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data", required=True, help=".npz file with the columns x, label"
    )
    parser.add_argument("--weights", help="file of weights to start from")
    parser.add_argument("--save", help="file to write the trained weights to")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--lr", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="gpu" if mx.context.num_gpus() else "cpu")
    return parser.parse_args()


def main() -> None:
    args = parse_arguments()
    mx.random.seed(args.seed)
    np.random.seed(args.seed)
    ctx = mx.Context(args.device)
    columns, held_out = load_data(
        args.data, {"x": ("float32", (10, 3)), "label": ("int64", ())}
    )
    net = Long()
    net.initialize(ctx=ctx)
    if args.weights:
        load_weights(net, args.weights)
    net.hybridize()
    optimizer = make_optimizer(net, args.lr)
    fit(
        partial(train_step, net, optimizer),
        partial(evaluate, net),
        as_batches(columns, args.batch_size, shuffle=True),
        as_batches(held_out, args.batch_size),
        epochs=args.epochs,
        losses=["loss"],
        ctx=ctx,
    )
    if args.save:
        save_weights(net, args.save)


if __name__ == "__main__":
    main()
