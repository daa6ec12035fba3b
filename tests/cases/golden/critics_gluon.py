"""Made from critics.nn."""

import argparse
import math
import sys
import zipfile
import zlib
from functools import partial
from pathlib import Path

import numpy as np

# MXNet 1.9.1 uses the name np.bool, which numpy 1.24 took out.
if "bool" not in vars(np):
    np.bool = bool

import mxnet as mx
from mxnet import autograd, gluon, nd
from mxnet.gluon import nn


def ruler(F, x, axis):
    """Zeros, as many as `x` is long along an axis: a size, where a Symbol has none."""
    return F.zeros_like(F.sum(x, axis=axis, exclude=True))


def d_derivative(F, x, dense_weight, dense_bias, dense_2_weight):
    """The derivative of a number by `x`, worked out so that it can be derived itself."""
    n = ruler(F, x, 0)
    y = F.transpose(dense_weight)  # [12, 16]
    x = F.tanh(F.broadcast_add(F.dot(x, y), dense_bias))
    z = F.transpose(dense_2_weight)  # [16, 1]
    x = F.dot(F.reshape(n, shape=(-1, 1)) + 1, F.transpose(z)) * (1 - x * x)
    return F.dot(x, F.transpose(y))


class Generator(gluon.HybridBlock):
    """z [N, 8] -> image [N, 12]"""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.dense = nn.Dense(16, in_units=8, weight_initializer=mx.init.Xavier())
            self.dense_2 = nn.Dense(
                12, in_units=16, weight_initializer=mx.init.Xavier()
            )

    def hybrid_forward(self, F, z):
        x = F.relu(self.dense(z))
        return self.dense_2(x)


class Critic(gluon.HybridBlock):
    """image [N, 12] -> score [N]"""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.dense = nn.Dense(16, in_units=12, weight_initializer=mx.init.Xavier())
            self.dense_2 = nn.Dense(1, in_units=16, weight_initializer=mx.init.Xavier())

    def hybrid_forward(self, F, image):
        x = F.tanh(self.dense(image))
        x = self.dense_2(x)
        return F.reshape(x, shape=(0,))


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


def network_path(path: str, network: str) -> Path:
    """The file of one of several networks: `trained-G.ext` for `trained.ext`."""
    stem, dot, suffix = Path(path).name.partition(".")
    return Path(path).with_name(f"{stem}-{network}{dot}{suffix}")


def make_optimizers_wgan(G, D):
    optimizer_D = gluon.Trainer(
        D.collect_params(), Adam(learning_rate=0.0001, beta1=0.0)
    )
    optimizer_G = gluon.Trainer(
        G.collect_params(), Adam(learning_rate=0.0001, beta1=0.0)
    )
    return optimizer_D, optimizer_G


def train_step_wgan(G, D, optimizer_D, optimizer_G, image):
    """Wasserstein, with a penalty on the critic's slope."""
    with autograd.record():
        noise = nd.random.normal(shape=(image.shape[0], 8))
        fake = G(noise)
    for _ in range(5):
        with autograd.record():
            # Between a drawing and a made one.
            share = nd.sigmoid(nd.random.normal(shape=(image.shape[0], 1)))
            noise = nd.random.normal(shape=(image.shape[0], 8))
            made = G(noise).detach()
            mixed = nd.broadcast_mul(image, share) + nd.broadcast_mul(made, 1 - share)
            x = d_derivative(
                nd,
                mixed,
                D.dense.weight.data(),
                D.dense.bias.data(),
                D.dense_2.weight.data(),
            )
            x = x**2
            slope = nd.sqrt(nd.sum(x, axis=-1))
            score = D(made)
            x = nd.mean(score)
            score = D(image)
            distance = x - nd.mean(score)
            loss_1 = distance + 10 * nd.mean((slope - 1) ** 2)
        loss_1.backward()
        # The loss is a mean already: nothing is left to divide by.
        optimizer_D.step(1)
    with autograd.record():
        score = D(fake)
        loss_2 = -nd.mean(score)
    loss_2.backward()
    optimizer_G.step(1)
    return {"loss_1": loss_1, "loss_2": loss_2, "apart": -distance}


def evaluate_wgan(G, D, image):
    """Losses and metrics of one batch, without an update."""
    noise = nd.random.normal(shape=(image.shape[0], 8))
    fake = G(noise)
    # Between a drawing and a made one.
    share = nd.sigmoid(nd.random.normal(shape=(image.shape[0], 1)))
    noise = nd.random.normal(shape=(image.shape[0], 8))
    made = G(noise).detach()
    mixed = nd.broadcast_mul(image, share) + nd.broadcast_mul(made, 1 - share)
    x = d_derivative(
        nd, mixed, D.dense.weight.data(), D.dense.bias.data(), D.dense_2.weight.data()
    )
    x = x**2
    slope = nd.sqrt(nd.sum(x, axis=-1))
    score = D(made)
    x = nd.mean(score)
    score = D(image)
    distance = x - nd.mean(score)
    loss_1 = distance + 10 * nd.mean((slope - 1) ** 2)
    score = D(fake)
    loss_2 = -nd.mean(score)
    return {"loss_1": loss_1, "loss_2": loss_2, "apart": -distance}


def make_optimizers_nested(G, D):
    optimizer_D = gluon.Trainer(
        D.collect_params(), mx.optimizer.SGD(learning_rate=0.001)
    )
    optimizer_D_2 = gluon.Trainer(D.collect_params(), Adam(learning_rate=0.001))
    optimizer_G = gluon.Trainer(
        G.collect_params(), mx.optimizer.SGD(learning_rate=0.001)
    )
    return optimizer_D, optimizer_D_2, optimizer_G


def train_step_nested(G, D, optimizer_D, optimizer_D_2, optimizer_G, image, other):
    """Small steps, and an inner loop."""
    for _ in range(3):
        for _ in range(2):
            with autograd.record():
                score = D(image)
                loss_1 = nd.square(score - 1).mean()
            loss_1.backward()
            # The loss is a mean already: nothing is left to divide by.
            optimizer_D.step(1)
        with autograd.record():
            score = D(other)
            loss_2 = nd.square(score - 2).mean()
        loss_2.backward()
        optimizer_D_2.step(1)
    with autograd.record():
        noise = nd.random.normal(shape=(image.shape[0], 8))
        loss_3 = 1 * nd.mean(G(noise) ** 2)
    loss_3.backward()
    optimizer_G.step(1)
    with autograd.record():
        noise = nd.random.normal(shape=(image.shape[0], 8))
        loss_4 = 2 * nd.mean(G(noise) ** 2)
    loss_4.backward()
    optimizer_G.step(1)
    return {"loss_1": loss_1, "loss_2": loss_2, "loss_3": loss_3, "loss_4": loss_4}


def evaluate_nested(G, D, image, other):
    """Losses and metrics of one batch, without an update."""
    score = D(image)
    loss_1 = nd.square(score - 1).mean()
    score = D(other)
    loss_2 = nd.square(score - 2).mean()
    noise = nd.random.normal(shape=(image.shape[0], 8))
    loss_3 = 1 * nd.mean(G(noise) ** 2)
    noise = nd.random.normal(shape=(image.shape[0], 8))
    loss_4 = 2 * nd.mean(G(noise) ** 2)
    return {"loss_1": loss_1, "loss_2": loss_2, "loss_3": loss_3, "loss_4": loss_4}


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", choices=["WGAN", "Nested"], default="WGAN")
    parser.add_argument(
        "--data", required=True, help=".npz file with the columns image, other"
    )
    parser.add_argument("--weights", help="file of weights to start from")
    parser.add_argument("--save", help="file to write the trained weights to")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="gpu" if mx.context.num_gpus() else "cpu")
    return parser.parse_args()


def main_wgan(args: argparse.Namespace) -> None:
    mx.random.seed(args.seed)
    np.random.seed(args.seed)
    ctx = mx.Context(args.device)
    columns, held_out = load_data(args.data, {"image": ("float32", (12,))})
    G = Generator()
    G.initialize(ctx=ctx)
    D = Critic()
    D.initialize(ctx=ctx)
    if args.weights:
        load_weights(G, network_path(args.weights, "G"))
        load_weights(D, network_path(args.weights, "D"))
    G.hybridize()
    D.hybridize()
    optimizer_D, optimizer_G = make_optimizers_wgan(G, D)
    fit(
        partial(train_step_wgan, G, D, optimizer_D, optimizer_G),
        partial(evaluate_wgan, G, D),
        as_batches(columns, args.batch_size or 16, shuffle=True),
        as_batches(held_out, args.batch_size or 16),
        epochs=args.epochs or 2,
        losses=["loss_1", "loss_2"],
        ctx=ctx,
    )
    if args.save:
        save_weights(G, network_path(args.save, "G"))
        save_weights(D, network_path(args.save, "D"))


def main_nested(args: argparse.Namespace) -> None:
    mx.random.seed(args.seed)
    np.random.seed(args.seed)
    ctx = mx.Context(args.device)
    columns, held_out = load_data(
        args.data, {"image": ("float32", (12,)), "other": ("float32", (12,))}
    )
    G = Generator()
    G.initialize(ctx=ctx)
    D = Critic()
    D.initialize(ctx=ctx)
    if args.weights:
        load_weights(G, network_path(args.weights, "G"))
        load_weights(D, network_path(args.weights, "D"))
    G.hybridize()
    D.hybridize()
    optimizer_D, optimizer_D_2, optimizer_G = make_optimizers_nested(G, D)
    fit(
        partial(train_step_nested, G, D, optimizer_D, optimizer_D_2, optimizer_G),
        partial(evaluate_nested, G, D),
        as_batches(columns, args.batch_size or 32, shuffle=True),
        as_batches(held_out, args.batch_size or 32),
        epochs=args.epochs or 1,
        losses=["loss_1", "loss_2", "loss_3", "loss_4"],
        ctx=ctx,
    )
    if args.save:
        save_weights(G, network_path(args.save, "G"))
        save_weights(D, network_path(args.save, "D"))


def main() -> None:
    args = parse_arguments()
    {"WGAN": main_wgan, "Nested": main_nested}[args.program](args)


if __name__ == "__main__":
    main()
