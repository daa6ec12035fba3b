"""Made by nnspec 0.1.0 from digits_cnn.nn; regenerate with `nnspec build digits_cnn.nn
--target gluon`.
"""

import argparse
import math
import sys
import zipfile

import numpy as np

# MXNet 1.9.1 uses the name np.bool, which numpy 1.24 took out.
if "bool" not in vars(np):
    np.bool = bool

import mxnet as mx
from mxnet import autograd, gluon, nd
from mxnet.gluon import nn


def cross_entropy(logits, labels):
    """The mean of -log softmax(logits)[label]."""
    return gluon.loss.SoftmaxCrossEntropyLoss()(logits, labels).mean()


def accuracy(logits, labels):
    """Share of the rows whose greatest score stands at the label."""
    # MXNet's argmax gives floats.
    right = logits.argmax(axis=-1).astype("int64") == labels.astype("int64")
    return right.astype("float32").mean()


class Adam(mx.optimizer.Adam):
    """Adam with epsilon added after the bias correction, as in the paper and in PyTorch.

    MXNet adds it before, to the uncorrected root; scaled by sqrt(1 - beta2^t) it does the same.
    """

    def update(self, index, weight, grad, state):
        step = self._index_update_count.get(index, self.begin_num_update) + 1
        epsilon = self.epsilon
        self.epsilon = epsilon * math.sqrt(1 - self.beta2**step)
        super().update(index, weight, grad, state)
        self.epsilon = epsilon


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


def as_native(columns, dtypes, images=()):
    """The columns in their types; images, in files [N, H, W, C], become [N, C, H, W]."""
    native = []
    for i, (column, dtype) in enumerate(zip(columns, dtypes)):
        turned = column.transpose(0, 3, 1, 2) if i in images else column
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


class DigitsCNN(gluon.HybridBlock):
    """A convolutional classifier for handwritten digits.

    image [N, 1, 28, 28] (NCHW) -> logits [N, 10], probabilities [N, 10]
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.conv2d = nn.Conv2D(32, 3, in_channels=1)
            self.max_pool2d = nn.MaxPool2D(2)
            self.dense = nn.Dense(128, in_units=5408)
            self.dense_2 = nn.Dense(10, in_units=128)

    def hybrid_forward(self, F, image):
        x = F.relu(self.conv2d(image))
        x = self.max_pool2d(x)
        x = F.flatten(x)  # [N, 5408]
        x = F.relu(self.dense(x))
        logits = self.dense_2(x)
        return logits, F.softmax(logits)


def make_optimizer(net):
    return gluon.Trainer(net.collect_params(), Adam(learning_rate=0.001))


def train_step(net, optimizer, image, label):
    """Update the weights on one batch; its losses and metrics."""
    with autograd.record():
        logits, _ = net(image)
        loss = cross_entropy(logits, label)
    loss.backward()
    # The loss is a mean already: nothing is left to divide by.
    optimizer.step(1)
    return {"loss": loss.asscalar(), "accuracy": accuracy(logits, label).asscalar()}


def evaluate(net, image, label):
    """Losses and metrics of one batch, without an update."""
    logits, _ = net(image)
    loss = cross_entropy(logits, label)
    return {"loss": loss.asscalar(), "accuracy": accuracy(logits, label).asscalar()}


def main():
    """Train, and save the weights."""
    args = parse_arguments()
    mx.random.seed(args.seed)
    data, held_out = load_data(args.data, ["image", "label"])
    data = as_native(data, ["float32", "int64"], images=[0])
    held_out = as_native(held_out, ["float32", "int64"], images=[0])

    net = DigitsCNN()
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
        "--data", required=True, help=".npz file with the columns image, label"
    )
    parser.add_argument("--weights", help="file of weights to start from")
    parser.add_argument("--save", help="file to write the trained weights to")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
