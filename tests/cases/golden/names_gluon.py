"""Made from names.nn.

A file that tries \"\"\" and \\ in its own words.

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


class Linear(gluon.HybridBlock):
    """Names that mean something else in the frameworks: \"\"\" and \\ and {braces}
    # type: ignore
    # fmt: off
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.dense = nn.Dense(3, in_units=4)

    def hybrid_forward(self, F, x):
        return self.dense(x)


class NN(gluon.HybridBlock):
    """\"\"\"); import os; os.system("true") #

    input [N, 5], self [N, 5] -> type [N, 2], x [N, 2], print [N, 3]
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.eval = nn.Dense(4, in_units=5)
            self.forward_ = nn.Dense(4, in_units=5)
            self.linear = Linear()
            self.dense = nn.Dense(2, in_units=3)

    def hybrid_forward(self, F, input_, self_):
        torch = self.eval(input_)
        F_ = self.forward_(self_)
        # (noqa: E501  and a very long comment that goes on and on until no line of
        # eighty-eight columns could ever hold it)
        class_ = torch + F_
        l_ = F.relu(self.linear(class_))
        type_ = self.dense(l_)
        return type_, F.sigmoid(type_), l_


def make_optimizer(main_):
    return gluon.Trainer(main_.collect_params(), Adam(learning_rate=0.001))


def train_step(main_, optimizer_2, input_, optimizer):
    """Update the weights on one batch; its losses and metrics."""
    with autograd.record():
        a, _, b = main_(input_, optimizer)
        loss = nd.square(a - 0.5).mean() + nd.mean(b)
    loss.backward()
    # The loss is a mean already: nothing is left to divide by.
    optimizer_2.step(1)
    return {"loss": loss.asscalar()}


def evaluate(main_, input_, optimizer):
    """Losses and metrics of one batch, without an update."""
    a, _, b = main_(input_, optimizer)
    loss = nd.square(a - 0.5).mean() + nd.mean(b)
    return {"loss": loss.asscalar()}


def main():
    """Train, and save the weights."""
    args = parse_arguments()
    mx.random.seed(args.seed)
    data, held_out = load_data(args.data, ["input", "optimizer"])
    data = as_native(data, ["float32", "float32"])
    held_out = as_native(held_out, ["float32", "float32"])

    main_ = NN()
    main_.initialize(mx.init.Xavier())
    if args.weights:
        load_weights(main_, args.weights)
    main_.hybridize()
    optimizer_2 = make_optimizer(main_)

    fit(
        on_arrays(train_step, main_, optimizer_2),
        on_arrays(evaluate, main_),
        data,
        held_out,
        args.epochs,
        args.batch_size,
        args.seed,
    )
    if args.save:
        main_.save_parameters(args.save)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data", required=True, help=".npz file with the columns input, optimizer"
    )
    parser.add_argument("--weights", help="file of weights to start from")
    parser.add_argument("--save", help="file to write the trained weights to")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
