"""Made from names.nn.

A file that tries \"\"\" and \\ in its own words.
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


class Linear(gluon.HybridBlock):
    """Names that mean something else in the frameworks: \"\"\" and \\ and {braces}
    # type: ignore
    # fmt: off
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.dense = nn.Dense(3, in_units=4, weight_initializer=mx.init.Xavier())

    def hybrid_forward(self, F, x):
        return self.dense(x)


class NN(gluon.HybridBlock):
    """\"\"\"); import os; os.system("true") #

    input [N, 5], self [N, 5] -> type [N, 2], x [N, 2], print [N, 3]
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.eval = nn.Dense(4, in_units=5, weight_initializer=mx.init.Xavier())
            self.forward_ = nn.Dense(4, in_units=5, weight_initializer=mx.init.Xavier())
            self.linear = Linear()
            self.dense = nn.Dense(2, in_units=3, weight_initializer=mx.init.Xavier())

    def hybrid_forward(self, F, input_, self_):
        torch = self.eval(input_)
        F_ = self.forward_(self_)
        # (noqa: E501  and a very long comment that goes on and on until no line of
        # eighty-eight columns could ever hold it)
        class_ = torch + F_
        l_ = F.relu(self.linear(class_))
        type_ = self.dense(l_)
        return type_, F.sigmoid(type_), l_


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


def make_optimizer(main_, lr=0.001):
    return gluon.Trainer(main_.collect_params(), Adam(learning_rate=lr))


def train_step(main_, optimizer_2, input_, optimizer):
    """Update the weights on one batch; its losses and metrics."""
    with autograd.record():
        a, _, b = main_(input_, optimizer)
        loss = nd.square(a - 0.5).mean() + nd.mean(b)
    loss.backward()
    # The loss is a mean already: nothing is left to divide by.
    optimizer_2.step(1)
    return {"loss": loss}


def evaluate(main_, input_, optimizer):
    """Losses and metrics of one batch, without an update."""
    a, _, b = main_(input_, optimizer)
    loss = nd.square(a - 0.5).mean() + nd.mean(b)
    return {"loss": loss}


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data", required=True, help=".npz file with the columns input, optimizer"
    )
    parser.add_argument("--weights", help="file of weights to start from")
    parser.add_argument("--save", help="file to write the trained weights to")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--lr", type=float, default=0.001)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="gpu" if mx.context.num_gpus() else "cpu")
    return parser.parse_args()


def main() -> None:
    args = parse_arguments()
    mx.random.seed(args.seed)
    np.random.seed(args.seed)
    ctx = mx.Context(args.device)
    columns, held_out = load_data(
        args.data, {"input": ("float32", (5,)), "optimizer": ("float32", (5,))}
    )
    main_ = NN()
    main_.initialize(ctx=ctx)
    if args.weights:
        load_weights(main_, args.weights)
    main_.hybridize()
    optimizer_2 = make_optimizer(main_, args.lr)
    fit(
        partial(train_step, main_, optimizer_2),
        partial(evaluate, main_),
        as_batches(columns, args.batch_size, shuffle=True),
        as_batches(held_out, args.batch_size),
        epochs=args.epochs,
        losses=["loss"],
        ctx=ctx,
    )
    if args.save:
        save_weights(main_, args.save)


if __name__ == "__main__":
    main()
