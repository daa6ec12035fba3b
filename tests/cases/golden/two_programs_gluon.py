"""Made from two_programs.nn."""

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


class Small(gluon.HybridBlock):
    """Two ways to train one classifier, and one that shares its trunk.

    x [N, 5] -> logits [N, 3]
    """

    def __init__(self, width=6, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.dense = nn.Dense(
                width, in_units=5, weight_initializer=mx.init.Normal(0.632456)
            )
            self.dense_2 = nn.Dense(
                3, in_units=width, weight_initializer=mx.init.Xavier()
            )

    def hybrid_forward(self, F, x):
        trunk = F.relu(self.dense(x))
        return self.dense_2(trunk)


class SmallWidth4(Small):
    """x [N, 5] -> logits [N, 3]"""

    def __init__(self, **kwargs):
        super().__init__(**kwargs, width=4)


class Teacher(gluon.HybridBlock):
    """x [N, 5] -> logits [N, 3]"""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.dense = nn.Dense(8, in_units=5, weight_initializer=mx.init.Xavier())
            self.dense_2 = nn.Dense(
                3, use_bias=False, in_units=8, weight_initializer=mx.init.Xavier()
            )

    def hybrid_forward(self, F, x):
        x = F.tanh(self.dense(x))
        return self.dense_2(x)


def cross_entropy(logits, labels):
    """The mean of -log softmax(logits)[label]."""
    return gluon.loss.SoftmaxCrossEntropyLoss()(logits, labels).mean()


def accuracy(logits, labels):
    """Share of the rows whose greatest score stands at the label."""
    # MXNet's argmax gives floats.
    right = logits.argmax(axis=-1).astype("int64") == labels.astype("int64")
    return right.astype("float32").mean()


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


def epochs_of(steps: int, columns: dict, size: int) -> int:
    """Epochs that come to a number of steps."""
    rows = len(next(iter(columns.values())))
    return -(-steps // -(-rows // size))


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


def make_optimizer_plain(net):
    return gluon.Trainer(net.collect_params(), mx.optimizer.SGD(learning_rate=0.1))


def train_step_plain(net, optimizer, x, y):
    """Update the weights on one batch; its losses and metrics."""
    with autograd.record():
        logits = net(x)
        loss = cross_entropy(logits, y)
    loss.backward()
    # The loss is a mean already: nothing is left to divide by.
    optimizer.step(1)
    return {"loss": loss}


def evaluate_plain(net, x, y):
    """Losses and metrics of one batch, without an update."""
    logits = net(x)
    loss = cross_entropy(logits, y)
    return {"loss": loss}


def make_optimizers_distilled(student, teacher):
    optimizer_student = gluon.Trainer(
        student.collect_params(), Adam(learning_rate=0.01, wd=0.0001)
    )
    optimizer_teacher = gluon.Trainer(
        teacher.collect_params(), mx.optimizer.SGD(learning_rate=0.01, momentum=0.9)
    )
    return optimizer_student, optimizer_teacher


def train_step_distilled(student, teacher, optimizer_student, optimizer_teacher, x, y):
    """The student imitates the teacher, which learns from the labels; one pass of each."""
    with autograd.record():
        guess = student(x)
        target = teacher(x)
        loss_1 = nd.square(guess - target).mean()
    loss_1.backward(retain_graph=True)
    # The loss is a mean already: nothing is left to divide by.
    optimizer_student.step(1)
    with autograd.record():
        taught = cross_entropy(target, y)
    taught.backward()
    optimizer_teacher.step(1)
    return {"loss_1": loss_1, "taught": taught, "accuracy": accuracy(guess, y)}


def evaluate_distilled(student, teacher, x, y):
    """Losses and metrics of one batch, without an update."""
    guess = student(x)
    target = teacher(x)
    loss_1 = nd.square(guess - target).mean()
    taught = cross_entropy(target, y)
    return {"loss_1": loss_1, "taught": taught, "accuracy": accuracy(guess, y)}


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", choices=["Plain", "Distilled"], default="Plain")
    parser.add_argument("--data", required=True, help=".npz file with the columns x, y")
    parser.add_argument("--weights", help="file of weights to start from")
    parser.add_argument("--save", help="file to write the trained weights to")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="gpu" if mx.context.num_gpus() else "cpu")
    return parser.parse_args()


def main_plain(args: argparse.Namespace) -> None:
    mx.random.seed(args.seed)
    np.random.seed(args.seed)
    ctx = mx.Context(args.device)
    columns, held_out = load_data(
        args.data, {"x": ("float32", (5,)), "y": ("int64", ())}
    )
    net = Small()
    net.initialize(ctx=ctx)
    if args.weights:
        load_weights(net, args.weights)
    net.hybridize()
    optimizer = make_optimizer_plain(net)
    fit(
        partial(train_step_plain, net, optimizer),
        partial(evaluate_plain, net),
        as_batches(columns, args.batch_size or 32, shuffle=True),
        as_batches(held_out, args.batch_size or 32),
        epochs=args.epochs or epochs_of(20, columns, args.batch_size or 32),
        losses=["loss"],
        ctx=ctx,
    )
    if args.save:
        save_weights(net, args.save)


def main_distilled(args: argparse.Namespace) -> None:
    mx.random.seed(args.seed)
    np.random.seed(args.seed)
    ctx = mx.Context(args.device)
    columns, held_out = load_data(
        args.data, {"x": ("float32", (5,)), "y": ("int64", ())}
    )
    student = SmallWidth4()
    student.initialize(ctx=ctx)
    teacher = Teacher()
    teacher.initialize(ctx=ctx)
    if args.weights:
        load_weights(student, network_path(args.weights, "student"))
        load_weights(teacher, network_path(args.weights, "teacher"))
    student.hybridize()
    teacher.hybridize()
    optimizer_student, optimizer_teacher = make_optimizers_distilled(student, teacher)
    fit(
        partial(
            train_step_distilled, student, teacher, optimizer_student, optimizer_teacher
        ),
        partial(evaluate_distilled, student, teacher),
        as_batches(columns, args.batch_size or 8, shuffle=True),
        as_batches(held_out, args.batch_size or 8),
        epochs=args.epochs or 2,
        losses=["loss_1", "taught"],
        ctx=ctx,
    )
    if args.save:
        save_weights(student, network_path(args.save, "student"))
        save_weights(teacher, network_path(args.save, "teacher"))


def main() -> None:
    args = parse_arguments()
    {"Plain": main_plain, "Distilled": main_distilled}[args.program](args)


if __name__ == "__main__":
    main()
