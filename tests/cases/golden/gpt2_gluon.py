"""Made from gpt2.nn.

GPT-2 small (Radford et al. 2019, "Language Models are Unsupervised Multitask
Learners"), as OpenAI published it: the scores of what comes next are those of the
embedding (tied).

input up to 1,024 tokens of a vocabulary of 50,257; 124,439,808 parameters.
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
from mxnet import autograd, gluon, nd
from mxnet.gluon import nn


def stack(*layers):
    """A container of layers, to be applied one after the other or one by one."""
    container = nn.HybridSequential()
    container.add(*layers)
    return container


def ruler(F, x, axis):
    """Zeros, as many as `x` is long along an axis: a size, where a Symbol has none."""
    return F.zeros_like(F.sum(x, axis=axis, exclude=True))


def attention(F, query, key, value):
    """Scaled dot-product attention (Vaswani et al. 2017): `softmax(query key^T * scale)
    value`.

    attention(causal = true)
    """
    scores = F.linalg_gemm2(query * 0.125, F.transpose(key, axes=(0, 1, 3, 2)))
    x = F.cast(F.contrib.arange_like(query, axis=2), dtype="int64")
    x = F.broadcast_sub(
        F.expand_dims(x, axis=1),
        F.cast(F.contrib.arange_like(key, axis=2), dtype="int64"),
    )
    x = F.broadcast_like(
        F.expand_dims(F.expand_dims(F.cast(x >= 0, dtype="int8"), axis=0), axis=0),
        scores,
    )
    x = F.where(x, scores, F.zeros_like(scores) + -1e30)
    return F.linalg_gemm2(F.softmax(x), value)


def gelu(F, x):
    """`x` times the share of normal numbers below it, `x * (1 + erf(x / sqrt(2))) / 2`
    (Hendrycks and Gimpel 2016).

    `approximate = true` is the same paper's form with `tanh`, as in GPT-2:
    `0.5 * x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x ** 3)))`.
    """
    return 0.5 * (x * (1 + F.tanh(0.7978845608028654 * (x + 0.044715 * (x * x * x)))))


class MultiHeadAttention(gluon.HybridBlock):
    """Attention of several heads, each with queries, keys and values of its own
    (Vaswani et al. 2017).

    MultiHeadAttention(causal = true)
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.query = nn.Dense(
                768,
                flatten=False,
                in_units=768,
                weight_initializer=mx.init.Normal(0.02),
            )
            self.key = nn.Dense(
                768,
                flatten=False,
                in_units=768,
                weight_initializer=mx.init.Normal(0.02),
            )
            self.value = nn.Dense(
                768,
                flatten=False,
                in_units=768,
                weight_initializer=mx.init.Normal(0.02),
            )
            self.output = nn.Dense(
                768,
                flatten=False,
                in_units=768,
                weight_initializer=mx.init.Normal(0.02),
            )

    def hybrid_forward(self, F, query):
        q = self.query(query)
        q = F.transpose(F.reshape(q, shape=(0, 0, 12, 64)), axes=(0, 2, 1, 3))
        k = self.key(query)
        k = F.transpose(F.reshape(k, shape=(0, 0, 12, 64)), axes=(0, 2, 1, 3))
        v = self.value(query)
        v = F.transpose(F.reshape(v, shape=(0, 0, 12, 64)), axes=(0, 2, 1, 3))
        x = attention(F, q, k, v)
        x = F.transpose(x, axes=(0, 2, 1, 3))
        x = F.reshape(x, shape=(0, 0, 768))
        return self.output(x)


class FeedForward(gluon.HybridBlock):
    """Two `Dense` with an activation between them (Vaswani et al. 2017)."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.up = nn.Dense(
                3072,
                flatten=False,
                in_units=768,
                weight_initializer=mx.init.Normal(0.02),
            )
            self.down = nn.Dense(
                768,
                flatten=False,
                in_units=3072,
                weight_initializer=mx.init.Normal(0.02),
            )

    def hybrid_forward(self, F, x):
        x = self.up(x)
        x = gelu(F, x)
        return self.down(x)


class EncoderLayer(gluon.HybridBlock):
    """Attention to itself, then a `FeedForward`, each added to what it was given."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.attention_norm = nn.LayerNorm(in_channels=768)
            self.attention = MultiHeadAttention()
            self.dropout = nn.Dropout(0.1)
            self.mlp_norm = nn.LayerNorm(in_channels=768)
            self.mlp = FeedForward()

    def hybrid_forward(self, F, x):
        y = self.attention_norm(x)
        y = self.attention(y)
        x = x + self.dropout(y)
        y = self.mlp_norm(x)
        y = self.mlp(y)
        return x + self.dropout(y)


class GPT2(gluon.HybridBlock):
    """ids i64[N, T] -> logits [N, T, 50257] (as in the spec)"""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.tokens = nn.Embedding(
                50257, 768, weight_initializer=mx.init.Normal(0.02)
            )
            self.dropout = nn.Dropout(0.1)
            self.layers = stack(*[EncoderLayer() for _ in range(12)])
            self.norm = nn.LayerNorm(in_channels=768)
            self.places = self.params.get(
                "places", shape=(1024, 768), init=mx.init.Normal(0.02)
            )
            self.tokens_weight = self.tokens.weight

    def hybrid_forward(self, F, ids, places, tokens_weight):
        x = F.slice_like(places, F.reshape(ruler(F, ids, 1), shape=(-1, 1)), axes=(0,))
        x = F.broadcast_add(self.tokens(ids), x)
        x = self.dropout(x)
        for layer in self.layers:
            x = layer(x)
        x = self.norm(x)
        return F.dot(x, F.transpose(tokens_weight))


def cross_entropy(logits, labels):
    """The mean of -log softmax(logits)[label]."""
    return gluon.loss.SoftmaxCrossEntropyLoss()(logits, labels).mean()


class Adam(mx.optimizer.Adam):
    """Adam as in the paper and in PyTorch: epsilon is added after the bias correction.

    MXNet adds it before, which differs where gradients are small.
    """

    def update(self, index, weight, grad, state):
        self._update_count(index)
        step = self._index_update_count[index]
        grad = self.rescale_grad * grad
        if self.wd:
            grad += self._get_wd(index) * weight
        mean, square = state
        mean += (1 - self.beta1) * (grad - mean)
        square += (1 - self.beta2) * (nd.square(grad) - square)
        root = nd.sqrt(square / (1 - self.beta2**step)) + self.epsilon
        weight -= self._get_lr(index) / (1 - self.beta1**step) * mean / root


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


def make_optimizer(net, lr=0.00025):
    return gluon.Trainer(net.collect_params(), Adam(learning_rate=lr))


def train_step(net, optimizer, ids):
    """Update the weights on one batch; its losses and metrics."""
    with autograd.record():
        logits = net(ids)
        x = nd.slice_axis(logits, axis=1, begin=0, end=-1)
        y = nd.slice_axis(ids, axis=1, begin=1, end=None)
        loss = cross_entropy(x, y)
    loss.backward()
    # The loss is a mean already: nothing is left to divide by.
    optimizer.step(1)
    return {"loss": loss}


def evaluate(net, ids):
    """Losses and metrics of one batch, without an update."""
    logits = net(ids)
    x = nd.slice_axis(logits, axis=1, begin=0, end=-1)
    y = nd.slice_axis(ids, axis=1, begin=1, end=None)
    loss = cross_entropy(x, y)
    return {"loss": loss}


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, help=".npz file with the columns ids")
    parser.add_argument("--weights", help="file of weights to start from")
    parser.add_argument("--save", help="file to write the trained weights to")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--lr", type=float, default=0.00025)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="gpu" if mx.context.num_gpus() else "cpu")
    return parser.parse_args()


def main() -> None:
    args = parse_arguments()
    mx.random.seed(args.seed)
    np.random.seed(args.seed)
    ctx = mx.Context(args.device)
    columns, held_out = load_data(args.data, {"ids": ("int64", (None,))})
    net = GPT2()
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
