"""Made from two_programs.nn.

A network begins as the spec says with `net.initialize(mx.init.Xavier())`.
"""

import argparse
import sys
import zipfile
from pathlib import Path

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


def epochs_of(steps, data, batch_size):
    """Epochs that come to a number of steps."""
    return -(-steps // -(-len(data[0]) // batch_size))


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


def network_path(path: str, network: str) -> Path:
    """The file of one of several networks: `trained-G.ext` for `trained.ext`."""
    stem, dot, suffix = Path(path).name.partition(".")
    return Path(path).with_name(f"{stem}-{network}{dot}{suffix}")


class Small(gluon.HybridBlock):
    """Two ways to train one classifier, and one that shares its trunk.

    x [N, 5] -> logits [N, 3]
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.dense = nn.Dense(
                6, in_units=5, weight_initializer=mx.init.Normal(0.632456)
            )
            self.dense_2 = nn.Dense(3, in_units=6)

    def hybrid_forward(self, F, x):
        trunk = F.relu(self.dense(x))
        return self.dense_2(trunk)


class SmallWidth4(gluon.HybridBlock):
    """Two ways to train one classifier, and one that shares its trunk.

    x [N, 5] -> logits [N, 3]
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.dense = nn.Dense(
                4, in_units=5, weight_initializer=mx.init.Normal(0.632456)
            )
            self.dense_2 = nn.Dense(3, in_units=4)

    def hybrid_forward(self, F, x):
        trunk = F.relu(self.dense(x))
        return self.dense_2(trunk)


class Teacher(gluon.HybridBlock):
    """x [N, 5] -> logits [N, 3]"""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.dense = nn.Dense(8, in_units=5)
            self.dense_2 = nn.Dense(3, use_bias=False, in_units=8)

    def hybrid_forward(self, F, x):
        x = F.tanh(self.dense(x))
        return self.dense_2(x)


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
    return {"loss": loss.asscalar()}


def evaluate_plain(net, x, y):
    """Losses and metrics of one batch, without an update."""
    logits = net(x)
    loss = cross_entropy(logits, y)
    return {"loss": loss.asscalar()}


def main_plain(args):
    """Train, and save the weights."""
    mx.random.seed(args.seed)
    data, held_out = load_data(args.data, ["x", "y"])
    data = as_native(data, ["float32", "int64"])
    held_out = as_native(held_out, ["float32", "int64"])

    net = Small()
    net.initialize(mx.init.Xavier())
    if args.weights:
        load_weights(net, args.weights)
    net.hybridize()
    optimizer = make_optimizer_plain(net)

    fit(
        on_arrays(train_step_plain, net, optimizer),
        on_arrays(evaluate_plain, net),
        data,
        held_out,
        args.epochs or epochs_of(20, data, args.batch_size or 32),
        args.batch_size or 32,
        args.seed,
    )
    if args.save:
        net.save_parameters(args.save)


def make_optimizers_distilled(student, teacher):
    optimizer_student = gluon.Trainer(
        student.collect_params(), Adam(learning_rate=0.01, wd=0.0001)
    )
    optimizer_teacher = gluon.Trainer(
        teacher.collect_params(), mx.optimizer.SGD(learning_rate=0.01, momentum=0.9)
    )
    return optimizer_student, optimizer_teacher


def train_step_distilled(student, teacher, optimizer_student, optimizer_teacher, x, y):
    """Update the weights on one batch; its losses and metrics."""
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
    return {
        "loss_1": loss_1.asscalar(),
        "taught": taught.asscalar(),
        "accuracy": accuracy(guess, y).asscalar(),
    }


def evaluate_distilled(student, teacher, x, y):
    """Losses and metrics of one batch, without an update."""
    guess = student(x)
    target = teacher(x)
    loss_1 = nd.square(guess - target).mean()
    taught = cross_entropy(target, y)
    return {
        "loss_1": loss_1.asscalar(),
        "taught": taught.asscalar(),
        "accuracy": accuracy(guess, y).asscalar(),
    }


def main_distilled(args):
    """The student imitates the teacher, which learns from the labels; one pass of each."""
    mx.random.seed(args.seed)
    data, held_out = load_data(args.data, ["x", "y"])
    data = as_native(data, ["float32", "int64"])
    held_out = as_native(held_out, ["float32", "int64"])

    student = SmallWidth4()
    student.initialize(mx.init.Xavier())
    teacher = Teacher()
    teacher.initialize(mx.init.Xavier())
    if args.weights:
        load_weights(student, network_path(args.weights, "student"))
        load_weights(teacher, network_path(args.weights, "teacher"))
    student.hybridize()
    teacher.hybridize()
    optimizer_student, optimizer_teacher = make_optimizers_distilled(student, teacher)

    fit(
        on_arrays(
            train_step_distilled, student, teacher, optimizer_student, optimizer_teacher
        ),
        on_arrays(evaluate_distilled, student, teacher),
        data,
        held_out,
        args.epochs or 2,
        args.batch_size or 8,
        args.seed,
    )
    if args.save:
        student.save_parameters(str(network_path(args.save, "student")))
        teacher.save_parameters(str(network_path(args.save, "teacher")))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", choices=["Plain", "Distilled"], default="Plain")
    parser.add_argument("--data", required=True, help=".npz file with the columns x, y")
    parser.add_argument("--weights", help="file of weights to start from")
    parser.add_argument("--save", help="file to write the trained weights to")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    args = parse_arguments()
    {"Plain": main_plain, "Distilled": main_distilled}[args.program](args)
