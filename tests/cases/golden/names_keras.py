"""Made from names.nn.

A file that tries \"\"\" and \\ in its own words.
"""

import argparse
import math
import sys
import zipfile
import zlib

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops


@keras.saving.register_keras_serializable(package="names")
class Linear(layers.Layer):
    """Names that mean something else in the frameworks: \"\"\" and \\ and {braces}
    # type: ignore
    # fmt: off
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense = layers.Dense(3)

    def call(self, x):
        return self.dense(x)


@keras.saving.register_keras_serializable(package="names")
class NN(keras.Model):
    """\"\"\"); import os; os.system("true") #

    input [N, 5], self [N, 5] -> type [N, 2], x [N, 2], print [N, 3]
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.eval = layers.Dense(4)
        self.forward = layers.Dense(4)
        self.linear = Linear()
        self.dense = layers.Dense(2)
        # Called on symbols, it makes its weights.
        self(keras.Input((5,)), keras.Input((5,)))

    def call(self, input_, self_):
        torch = self.eval(input_)
        F = self.forward(self_)
        # (noqa: E501  and a very long comment that goes on and on until no line of
        # eighty-eight columns could ever hold it)
        class_ = torch + F
        l_ = ops.relu(self.linear(class_))
        type_ = self.dense(l_)
        return type_, ops.sigmoid(type_), l_


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


class NNTrainer(Trainer):
    """Takes the steps of NN."""

    def __init__(self, main_):
        super().__init__(("loss",))
        self.main_ = main_

    def train_step(self, data):
        input_ = data["input"]
        optimizer = data["optimizer"]
        with tf.GradientTape() as tape:
            a, _, b = self.main_(input_, optimizer, training=True)
            loss = ops.mean(ops.square(a - 0.5)) + ops.mean(b)
        weights = self.main_.trainable_variables
        self.optimizer.apply(tape.gradient(loss, weights), weights)
        return self.report({"loss": loss}, ops.shape(data["input"])[0])

    def test_step(self, data):
        input_ = data["input"]
        optimizer = data["optimizer"]
        a, _, b = self.main_(input_, optimizer, training=False)
        loss = ops.mean(ops.square(a - 0.5)) + ops.mean(b)
        return self.report({"loss": loss}, ops.shape(data["input"])[0])


def make_trainer(main_: keras.Model, lr: float = 0.001) -> keras.Model:
    trainer = NNTrainer(main_)
    trainer.compile(optimizer=Adam(learning_rate=lr, epsilon=1e-8))
    return trainer


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
    return parser.parse_args()


def main() -> None:
    args = parse_arguments()
    if args.save and not args.save.endswith(".weights.h5"):
        sys.exit("--save takes a name that ends in .weights.h5")
    keras.utils.set_random_seed(args.seed)
    columns, held_out = load_data(
        args.data, {"input": ("float32", (5,)), "optimizer": ("float32", (5,))}
    )
    main_ = NN()
    if args.weights:
        load_weights(main_, args.weights)
    trainer = make_trainer(main_, args.lr)
    trainer.fit(
        columns,
        batch_size=args.batch_size,
        epochs=args.epochs,
        validation_data=held_out or None,
        callbacks=[StopUnlessFinite(["loss"])],
        verbose=1 if sys.stdout.isatty() else 2,
    )
    if args.save:
        save_weights(main_, args.save)


if __name__ == "__main__":
    main()
