"""Made from language_model.nn."""

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
from mxnet import autograd, gluon, nd
from mxnet.gluon import nn


def stack(*layers):
    """A container of layers, to be applied one after the other or one by one."""
    container = nn.HybridSequential()
    container.add(*layers)
    return container


class LSTM(gluon.rnn.LSTM):
    """One layer over [N, T, C], with one bias: MXNet's second one stays zero."""

    def __init__(self, units, input_size, **kwargs):
        super().__init__(
            units,
            layout="NTC",
            input_size=input_size,
            i2h_weight_initializer=mx.init.Xavier(),
            h2h_weight_initializer=mx.init.Orthogonal(1.0),
            i2h_bias_initializer=mx.init.LSTMBias(forget_bias=1.0),
            **kwargs,
        )
        for name, parameter in self._reg_params.items():
            if name.endswith("h2h_bias"):
                parameter.grad_req = "null"


class Mixer(gluon.HybridBlock):
    """One layer of a stack."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.lstm = LSTM(16, 16)
            self.dropout = nn.Dropout(0.1)
            self.dense = nn.Dense(
                16, flatten=False, in_units=16, weight_initializer=mx.init.Xavier()
            )

    def hybrid_forward(self, F, x):
        y = self.lstm(x)
        y = self.dropout(y)
        h = self.dense(y)
        return x + h


class Sequential(gluon.HybridBlock):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.dense = nn.Dense(
                64, flatten=False, in_units=16, weight_initializer=mx.init.Xavier()
            )
            self.dense_2 = nn.Dense(
                16, flatten=False, in_units=64, weight_initializer=mx.init.Xavier()
            )

    def hybrid_forward(self, F, x):
        x = F.relu(self.dense(x))
        return self.dense_2(x)


class LanguageModel(gluon.HybridBlock):
    """Predicts the next token; the output layer is the embedding's own table.

    ids i64[N, T] -> logits [N, T, 30] (as in the spec)
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.embed = nn.Embedding(30, 16, weight_initializer=mx.init.Normal(0.02))
            self.mixers = stack(*[Mixer() for _ in range(3)])
            self.sequentials = stack(*[Sequential() for _ in range(2)])
            self.position = self.params.get(
                "position", shape=(1, 1, 16), init=mx.init.Normal(0.1)
            )
            self.embed_weight = self.embed.weight

    def hybrid_forward(self, F, ids, position, embed_weight):
        x = F.broadcast_add(self.embed(ids), position)
        for mixer in self.mixers:
            x = mixer(x)
        for sequential in self.sequentials:
            x = sequential(x)
        return F.dot(x, F.transpose(embed_weight))


def cross_entropy(logits, labels):
    """The mean of -log softmax(logits)[label]."""
    return gluon.loss.SoftmaxCrossEntropyLoss()(logits, labels).mean()


def accuracy(logits, labels):
    """Share of the rows whose greatest score stands at the label."""
    # MXNet's argmax gives floats.
    right = logits.argmax(axis=-1).astype("int64") == labels.astype("int64")
    return right.astype("float32").mean()


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
    return gluon.Trainer(
        net.collect_params(), mx.optimizer.NAG(learning_rate=lr, momentum=0.9)
    )


def train_step(net, optimizer, ids, next_):
    """Update the weights on one batch; its losses and metrics."""
    with autograd.record():
        logits = net(ids)
        loss = cross_entropy(logits, next_)
    loss.backward()
    # The loss is a mean already: nothing is left to divide by.
    optimizer.step(1)
    return {
        "loss": loss,
        "perplexity": nd.exp(loss),
        "accuracy": accuracy(logits, next_),
    }


def evaluate(net, ids, next_):
    """Losses and metrics of one batch, without an update."""
    logits = net(ids)
    loss = cross_entropy(logits, next_)
    return {
        "loss": loss,
        "perplexity": nd.exp(loss),
        "accuracy": accuracy(logits, next_),
    }


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data", required=True, help=".npz file with the columns ids, next"
    )
    parser.add_argument("--weights", help="file of weights to start from")
    parser.add_argument("--save", help="file to write the trained weights to")
    parser.add_argument("--epochs", type=int, default=3)
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
        args.data, {"ids": ("int64", (None,)), "next": ("int64", (None,))}
    )
    net = LanguageModel()
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
