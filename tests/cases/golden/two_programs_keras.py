"""Made from two_programs.nn."""

import argparse
import math
import sys
import zipfile
import zlib
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops


@keras.saving.register_keras_serializable(package="two_programs")
class Small(keras.Model):
    """Two ways to train one classifier, and one that shares its trunk.

    x [N, 5] -> logits [N, 3]
    """

    def __init__(self, width: int = 6, **kwargs):
        super().__init__(**kwargs)
        self.width = width
        self.dense = layers.Dense(
            width,
            kernel_initializer=keras.initializers.VarianceScaling(
                scale=2.0, mode="fan_in", distribution="untruncated_normal"
            ),
            activation="relu",
        )
        self.dense_2 = layers.Dense(3, name="dense_2")
        # Called on symbols, it makes its weights.
        self(keras.Input((5,)))

    def call(self, x):
        trunk = self.dense(x)
        return self.dense_2(trunk)

    def get_config(self):
        return super().get_config() | {"width": self.width}


@keras.saving.register_keras_serializable(package="two_programs")
class SmallWidth4(Small):
    """x [N, 5] -> logits [N, 3]"""

    def __init__(self, **kwargs):
        super().__init__(**({"width": 4} | kwargs))


@keras.saving.register_keras_serializable(package="two_programs")
class Teacher(keras.Model):
    """x [N, 5] -> logits [N, 3]"""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense = layers.Dense(8, activation="tanh")
        self.dense_2 = layers.Dense(3, use_bias=False, name="dense_2")
        # Called on symbols, it makes its weights.
        self(keras.Input((5,)))

    def call(self, x):
        x = self.dense(x)
        return self.dense_2(x)


@keras.saving.register_keras_serializable(package="optimizers")
class Adam(keras.optimizers.Adam):
    """Adam as in the paper and in PyTorch: epsilon is added to the corrected root.

    Keras's own adds it to the root before its correction.
    """

    def update_step(self, gradient, variable, learning_rate):
        # Added to zeros, the sparse gradient of an embedding becomes a dense one.
        gradient = ops.zeros_like(variable) + gradient
        step = ops.cast(self.iterations + 1, variable.dtype)
        index = self._get_variable_index(variable)
        m, v = self._momentums[index], self._velocities[index]
        m.assign(self.beta_1 * m + (1 - self.beta_1) * gradient)
        v.assign(self.beta_2 * v + (1 - self.beta_2) * ops.square(gradient))
        mean = m / (1 - self.beta_1**step)
        root = ops.sqrt(v / (1 - self.beta_2**step))
        # What a schedule gives has Keras's own type.
        rate = ops.cast(learning_rate, variable.dtype)
        variable.assign_sub(rate * mean / (root + self.epsilon))


@keras.saving.register_keras_serializable(package="optimizers")
class DecayedAdam(Adam):
    """Adam with weight decay as a part of the gradient; Keras's own is apart from it."""

    def __init__(self, *args, decay=0.0, **kwargs):
        super().__init__(*args, **kwargs)
        self.decay = decay

    def update_step(self, gradient, variable, learning_rate):
        if self._use_weight_decay(variable):
            gradient = self.decay * variable + gradient
        super().update_step(gradient, variable, learning_rate)

    def get_config(self):
        return super().get_config() | {"decay": self.decay}


class StopUnlessFinite(keras.callbacks.Callback):
    """Ends a run whose loss is no number any more, before weights are written."""

    def __init__(self, losses):
        super().__init__()
        self.losses = losses

    def on_epoch_end(self, epoch, logs=None):
        for name in self.losses:
            if not math.isfinite(logs[name]):
                sys.exit(f"{name} is {logs[name]}: training stops, nothing is saved")


class Trainer(keras.Model):
    """Has a step of its own; reports the means of its figures over an epoch."""

    def __init__(self, figures):
        super().__init__()
        self.figures = [keras.metrics.Mean(name=name) for name in figures]
        self.built = True

    def report(self, figures, rows):
        """Take in the figures of a batch, which has so many rows."""
        for mean in self.figures:
            mean.update_state(figures[mean.name], sample_weight=rows)
        return {mean.name: mean.result() for mean in self.figures}


def load_weights(net, path) -> None:
    """Fill a network with the weights of a .weights.h5 file."""
    try:
        net.load_weights(path)
    except (KeyError, OSError, ValueError) as error:
        sys.exit(f"cannot load weights from {path}: {error}")


def save_weights(net, path) -> None:
    """Write the weights of a network to a .weights.h5 file."""
    try:
        net.save_weights(path)
    except OSError as error:
        sys.exit(f"cannot write weights to {path}: {error}")


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


def network_path(path: str, network: str) -> Path:
    """The file of one of several networks: `trained-G.ext` for `trained.ext`."""
    stem, dot, suffix = Path(path).name.partition(".")
    return Path(path).with_name(f"{stem}-{network}{dot}{suffix}")


def compile_model_plain(net: keras.Model) -> None:
    net.compile(
        optimizer=keras.optimizers.SGD(learning_rate=0.1),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )


def prepare_plain(columns: dict):
    """What the network reads, and what its outputs are compared with."""
    return columns["x"], columns["y"]


class DistilledTrainer(Trainer):
    """The student imitates the teacher, which learns from the labels; one pass of each."""

    def __init__(self, student, teacher, optimizer_student, optimizer_teacher):
        super().__init__(("loss_1", "taught", "accuracy"))
        self.student = student
        self.teacher = teacher
        self.optimizer_student = optimizer_student
        self.optimizer_teacher = optimizer_teacher

    def train_step(self, data):
        x = data["x"]
        y = data["y"]
        with tf.GradientTape() as tape_teacher:
            with tf.GradientTape() as tape_student:
                guess = self.student(x, training=True)
                target = self.teacher(x, training=True)
                loss_1 = ops.mean(ops.square(guess - target))
            weights = self.student.trainable_variables
            self.optimizer_student.apply(
                tape_student.gradient(loss_1, weights), weights
            )
            taught = ops.mean(
                ops.sparse_categorical_crossentropy(y, target, from_logits=True)
            )
        weights = self.teacher.trainable_variables
        self.optimizer_teacher.apply(tape_teacher.gradient(taught, weights), weights)
        accuracy = ops.mean(keras.metrics.sparse_categorical_accuracy(y, guess))
        return self.report(
            {"loss_1": loss_1, "taught": taught, "accuracy": accuracy},
            ops.shape(data["x"])[0],
        )

    def test_step(self, data):
        x = data["x"]
        y = data["y"]
        guess = self.student(x, training=False)
        target = self.teacher(x, training=False)
        loss_1 = ops.mean(ops.square(guess - target))
        taught = ops.mean(
            ops.sparse_categorical_crossentropy(y, target, from_logits=True)
        )
        accuracy = ops.mean(keras.metrics.sparse_categorical_accuracy(y, guess))
        return self.report(
            {"loss_1": loss_1, "taught": taught, "accuracy": accuracy},
            ops.shape(data["x"])[0],
        )


def make_trainer_distilled(student: keras.Model, teacher: keras.Model) -> keras.Model:
    trainer = DistilledTrainer(
        student,
        teacher,
        DecayedAdam(learning_rate=0.01, epsilon=1e-8, decay=0.0001),
        keras.optimizers.SGD(learning_rate=0.01, momentum=0.9),
    )
    trainer.compile(optimizer=None)
    return trainer


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


def main_plain(args: argparse.Namespace) -> None:
    if args.save and not args.save.endswith(".weights.h5"):
        sys.exit("--save takes a name that ends in .weights.h5")
    keras.utils.set_random_seed(args.seed)
    columns, held_out = load_data(
        args.data, {"x": ("float32", (5,)), "y": ("int64", ())}
    )
    net = Small()
    if args.weights:
        load_weights(net, args.weights)
    compile_model_plain(net)
    net.fit(
        *prepare_plain(columns),
        batch_size=args.batch_size or 32,
        epochs=args.epochs or epochs_of(20, columns, args.batch_size or 32),
        validation_data=prepare_plain(held_out) if held_out else None,
        callbacks=[StopUnlessFinite(["loss"])],
        verbose=1 if sys.stdout.isatty() else 2,
    )
    if args.save:
        save_weights(net, args.save)


def main_distilled(args: argparse.Namespace) -> None:
    if args.save and not args.save.endswith(".weights.h5"):
        sys.exit("--save takes a name that ends in .weights.h5")
    keras.utils.set_random_seed(args.seed)
    columns, held_out = load_data(
        args.data, {"x": ("float32", (5,)), "y": ("int64", ())}
    )
    student = SmallWidth4()
    teacher = Teacher()
    if args.weights:
        load_weights(student, network_path(args.weights, "student"))
        load_weights(teacher, network_path(args.weights, "teacher"))
    trainer = make_trainer_distilled(student, teacher)
    trainer.fit(
        columns,
        batch_size=args.batch_size or 8,
        epochs=args.epochs or 2,
        validation_data=held_out or None,
        callbacks=[StopUnlessFinite(["loss_1", "taught"])],
        verbose=1 if sys.stdout.isatty() else 2,
    )
    if args.save:
        save_weights(student, network_path(args.save, "student"))
        save_weights(teacher, network_path(args.save, "teacher"))


def main() -> None:
    args = parse_arguments()
    {"Plain": main_plain, "Distilled": main_distilled}[args.program](args)


if __name__ == "__main__":
    main()
