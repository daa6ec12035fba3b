"""Made from language_model.nn.

A network begins as the spec says with `net.initialize(mx.init.Xavier())`.
"""

import argparse
import sys
import zipfile

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


def cross_entropy(logits, labels):
    """The mean of -log softmax(logits)[label]."""
    return gluon.loss.SoftmaxCrossEntropyLoss()(logits, labels).mean()


def accuracy(logits, labels):
    """Share of the rows whose greatest score stands at the label."""
    # MXNet's argmax gives floats.
    right = logits.argmax(axis=-1).astype("int64") == labels.astype("int64")
    return right.astype("float32").mean()


class LSTM(gluon.rnn.LSTM):
    """One layer over [N, T, C], with one bias: MXNet's second one stays zero."""

    def __init__(self, units, input_size, **kwargs):
        super().__init__(
            units,
            layout="NTC",
            input_size=input_size,
            h2h_weight_initializer=mx.init.Orthogonal(1.0),
            i2h_bias_initializer=mx.init.LSTMBias(forget_bias=1.0),
            **kwargs,
        )
        for name, parameter in self._reg_params.items():
            if name.endswith("h2h_bias"):
                parameter.grad_req = "null"


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


def load_weights(net, path):
    """Begin with saved weights."""
    try:
        net.load_parameters(str(path))
    except (mx.MXNetError, AssertionError, OSError, ValueError) as error:
        sys.exit(f"cannot load {path}: {str(error).strip().splitlines()[-1]}")


def load_data(path: str, names: list[str]) -> tuple[list, list]:
    """Columns of an .npz file for training, and those to validate with (if any)."""
    try:
        with np.load(path, allow_pickle=False) as file:
            columns = {name: file[name] for name in file.files}
    except (EOFError, OSError, TypeError, ValueError, zipfile.BadZipFile) as error:
        sys.exit(f"cannot read {path}: {error}")
    missing = [name for name in names if name not in columns]
    if missing:
        found = ", ".join(columns) or "none"
        sys.exit(f"{path} has no column {', '.join(missing)} (found: {found})")
    held_out = [f"validation_{name}" for name in names]
    validation = all(name in columns for name in held_out)
    return (
        [columns[name] for name in names],
        [columns[name] for name in held_out] if validation else [],
    )


def run_epoch(step, columns: list, order: np.ndarray, size: int) -> dict[str, float]:
    """Apply a step to every batch; the mean of its figures, each weighted with its batch."""
    totals: dict[str, float] = {}
    for start in range(0, len(order), size):
        rows = order[start : start + size]
        for name, value in step(*(column[rows] for column in columns)).items():
            totals[name] = totals.get(name, 0.0) + value * len(rows)
    return {name: total / len(order) for name, total in totals.items()}


def print_epoch(epoch: int, epochs: int, figures: dict[str, float]) -> None:
    shown = [f"{name}: {value:.4f}" for name, value in figures.items()]
    print(f"epoch {epoch}/{epochs}", *shown, sep=" - ", flush=True)


class Mixer(gluon.HybridBlock):
    """One layer of a stack."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.lstm = LSTM(16, 16)
            self.dropout = nn.Dropout(0.1)
            self.dense = nn.Dense(16, flatten=False, in_units=16)

    def hybrid_forward(self, F, x):
        y = self.lstm(x)
        y = self.dropout(y)
        h = self.dense(y)
        return x + h


class Sequential(gluon.HybridBlock):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.dense = nn.Dense(64, flatten=False, in_units=16)
            self.dense_2 = nn.Dense(16, flatten=False, in_units=64)

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


def make_optimizer(net):
    return gluon.Trainer(
        net.collect_params(), mx.optimizer.NAG(learning_rate=0.1, momentum=0.9)
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
        "loss": loss.asscalar(),
        "perplexity": nd.exp(loss).asscalar(),
        "accuracy": accuracy(logits, next_).asscalar(),
    }


def evaluate(net, ids, next_):
    """Losses and metrics of one batch, without an update."""
    logits = net(ids)
    loss = cross_entropy(logits, next_)
    return {
        "loss": loss.asscalar(),
        "perplexity": nd.exp(loss).asscalar(),
        "accuracy": accuracy(logits, next_).asscalar(),
    }


def main():
    """Train, and save the weights."""
    args = parse_arguments()
    mx.random.seed(args.seed)
    data, held_out = load_data(args.data, ["ids", "next"])
    data = as_native(data, ["int64", "int64"])
    held_out = as_native(held_out, ["int64", "int64"])

    net = LanguageModel()
    net.initialize(mx.init.Xavier())
    if args.weights:
        load_weights(net, args.weights)
    net.hybridize()
    optimizer = make_optimizer(net)

    fit(
        on_arrays(train_step, net, optimizer),
        on_arrays(evaluate, net),
        data,
        held_out,
        args.epochs,
        args.batch_size,
        args.seed,
    )
    if args.save:
        net.save_parameters(args.save)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data", required=True, help=".npz file with the columns ids, next"
    )
    parser.add_argument("--weights", help="file of weights to start from")
    parser.add_argument("--save", help="file to write the trained weights to")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
