"""Made from llama.nn.

A decoder in the style of Llama (Touvron et al. 2023, "Llama 2", arXiv:2307.09288) of
the size of SmolLM-135M (Hugging Face 2024), its embedding tied to its output; with
`tied = false` the output has a matrix of its own, as Llama 2 does.

input tokens of a vocabulary of 49,152; 134,515,008 parameters.
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


def rotary(F, x):
    """Rotary position embedding (Su et al. 2021): pairs of features turn by angles that
    grow with the place.
    """
    numbers = F.slice_axis(F.contrib.arange_like(x, axis=3), axis=0, begin=0, end=32)
    angles = F.broadcast_mul(
        F.expand_dims(F.contrib.arange_like(x, axis=2), axis=1),
        F.exp(numbers * -0.28782313662425574),
    )
    cos = F.cos(angles)
    sin = F.sin(angles)
    first = F.slice_axis(x, axis=3, begin=0, end=32)
    second = F.slice_axis(x, axis=3, begin=32, end=None)
    x = F.broadcast_mul(first, cos) - F.broadcast_mul(second, sin)
    y = F.broadcast_mul(second, cos) + F.broadcast_mul(first, sin)
    return F.concat(x, y, dim=-1)


def attention(F, query, key, value):
    """Scaled dot-product attention (Vaswani et al. 2017): `softmax(query key^T * scale)
    value`.

    attention(causal = true)
    """
    x = F.repeat(key, repeats=3, axis=1)
    y = F.repeat(value, repeats=3, axis=1)
    scores = F.linalg_gemm2(query * 0.125, F.transpose(x, axes=(0, 1, 3, 2)))
    z = F.cast(F.contrib.arange_like(query, axis=2), dtype="int64")
    x = F.broadcast_sub(
        F.expand_dims(z, axis=1),
        F.cast(F.contrib.arange_like(x, axis=2), dtype="int64"),
    )
    x = F.broadcast_like(
        F.expand_dims(F.expand_dims(F.cast(x >= 0, dtype="int8"), axis=0), axis=0),
        scores,
    )
    x = F.where(x, scores, F.zeros_like(scores) + -1e30)
    return F.linalg_gemm2(F.softmax(x), y)


class RMSNorm(gluon.HybridBlock):
    """The features of each place divided by their root mean square, then scaled (Zhang
    and Sennrich 2019).

    RMSNorm(epsilon = 1e-5)
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.weight = self.params.get("weight", shape=(576,), init=mx.init.One())

    def hybrid_forward(self, F, x, weight):
        x = F.broadcast_div(x, F.sqrt(F.mean(x * x, axis=2, keepdims=True) + 1e-5))
        return F.broadcast_mul(x, weight)


class RotaryAttention(gluon.HybridBlock):
    """Attention whose queries and keys turn with their place (Su et al. 2021)."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.query = nn.Dense(
                576,
                use_bias=False,
                flatten=False,
                in_units=576,
                weight_initializer=mx.init.Xavier(),
            )
            self.key = nn.Dense(
                192,
                use_bias=False,
                flatten=False,
                in_units=576,
                weight_initializer=mx.init.Xavier(),
            )
            self.value = nn.Dense(
                192,
                use_bias=False,
                flatten=False,
                in_units=576,
                weight_initializer=mx.init.Xavier(),
            )
            self.output = nn.Dense(
                576,
                use_bias=False,
                flatten=False,
                in_units=576,
                weight_initializer=mx.init.Xavier(),
            )

    def hybrid_forward(self, F, x):
        y = self.query(x)
        y = F.transpose(F.reshape(y, shape=(0, 0, 9, 64)), axes=(0, 2, 1, 3))
        q = rotary(F, y)
        y = self.key(x)
        y = F.transpose(F.reshape(y, shape=(0, 0, 3, 64)), axes=(0, 2, 1, 3))
        k = rotary(F, y)
        x = self.value(x)
        v = F.transpose(F.reshape(x, shape=(0, 0, 3, 64)), axes=(0, 2, 1, 3))
        y = attention(F, q, k, v)
        x = F.transpose(y, axes=(0, 2, 1, 3))
        x = F.reshape(x, shape=(0, 0, 576))
        return self.output(x)


class GatedFeedForward(gluon.HybridBlock):
    """`down(activation(gate(x)) * up(x))`: SwiGLU, and with `gelu` GEGLU (Shazeer 2020)."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.gate = nn.Dense(
                1536,
                use_bias=False,
                flatten=False,
                in_units=576,
                weight_initializer=mx.init.Xavier(),
            )
            self.up = nn.Dense(
                1536,
                use_bias=False,
                flatten=False,
                in_units=576,
                weight_initializer=mx.init.Xavier(),
            )
            self.down = nn.Dense(
                576,
                use_bias=False,
                flatten=False,
                in_units=1536,
                weight_initializer=mx.init.Xavier(),
            )

    def hybrid_forward(self, F, x):
        y = self.gate(x)
        x = y * F.sigmoid(y) * self.up(x)
        return self.down(x)


class Layer(gluon.HybridBlock):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.input_norm = RMSNorm()
            self.attention = RotaryAttention()
            self.mlp_norm = RMSNorm()
            self.mlp = GatedFeedForward()

    def hybrid_forward(self, F, x):
        y = self.input_norm(x)
        x = x + self.attention(y)
        y = self.mlp_norm(x)
        return x + self.mlp(y)


class Llama(gluon.HybridBlock):
    """ids i64[N, T] -> logits [N, T, 49152] (as in the spec)"""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.tokens = nn.Embedding(
                49152, 576, weight_initializer=mx.init.Normal(0.02)
            )
            self.layers = stack(*[Layer() for _ in range(30)])
            self.norm = RMSNorm()
            self.tokens_weight = self.tokens.weight

    def hybrid_forward(self, F, ids, tokens_weight):
        x = self.tokens(ids)
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


def make_optimizer(net, lr=0.0004):
    return gluon.Trainer(net.collect_params(), Adam(learning_rate=lr, beta2=0.95))


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
    parser.add_argument("--lr", type=float, default=0.0004)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="gpu" if mx.context.num_gpus() else "cpu")
    return parser.parse_args()


def main() -> None:
    args = parse_arguments()
    mx.random.seed(args.seed)
    np.random.seed(args.seed)
    ctx = mx.Context(args.device)
    columns, held_out = load_data(args.data, {"ids": ("int64", (None,))})
    net = Llama()
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
