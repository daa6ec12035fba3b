"""Made from critics.nn."""

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


@keras.saving.register_keras_serializable(package="critics")
class Generator(keras.Model):
    """z [N, 8] -> image [N, 12]"""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense = layers.Dense(16, activation="relu")
        self.dense_2 = layers.Dense(12, name="dense_2")
        # Called on symbols, it makes its weights.
        self(keras.Input((8,)))

    def call(self, z):
        x = self.dense(z)
        return self.dense_2(x)


@keras.saving.register_keras_serializable(package="critics")
class Critic(keras.Model):
    """image [N, 12] -> score [N]"""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense = layers.Dense(16, activation="tanh")
        self.dense_2 = layers.Dense(1, name="dense_2")
        # Called on symbols, it makes its weights.
        self(keras.Input((12,)))

    def call(self, image):
        x = self.dense(image)
        x = self.dense_2(x)
        return ops.reshape(x, (-1,))


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


def network_path(path: str, network: str) -> Path:
    """The file of one of several networks: `trained-G.ext` for `trained.ext`."""
    stem, dot, suffix = Path(path).name.partition(".")
    return Path(path).with_name(f"{stem}-{network}{dot}{suffix}")


class WGANTrainer(Trainer):
    """Wasserstein, with a penalty on the critic's slope."""

    def __init__(self, G, D, optimizer_D, optimizer_G):
        super().__init__(("loss_1", "loss_2", "apart"))
        self.G = G
        self.D = D
        self.optimizer_D = optimizer_D
        self.optimizer_G = optimizer_G

    def train_step(self, data):
        image = data["image"]
        noise = keras.random.normal((ops.shape(image)[0], 8))
        with tf.GradientTape() as tape_G:
            fake = self.G(noise, training=True)
            for _ in range(5):
                # Between a drawing and a made one.
                share = ops.sigmoid(keras.random.normal((ops.shape(image)[0], 1)))
                noise = keras.random.normal((ops.shape(image)[0], 8))
                made = ops.stop_gradient(self.G(noise, training=True))
                mixed = image * share + made * (1 - share)
                with tf.GradientTape() as tape_D:
                    with tf.GradientTape() as inner:
                        inner.watch(mixed)
                        score = self.D(mixed, training=True)
                        x = ops.sum(score)
                    slope = ops.sqrt(ops.sum(inner.gradient(x, mixed) ** 2, axis=-1))
                    score = self.D(made, training=True)
                    x = ops.mean(score)
                    score = self.D(image, training=True)
                    distance = x - ops.mean(score)
                    loss_1 = distance + 10 * ops.mean((slope - 1) ** 2)
                weights = self.D.trainable_variables
                self.optimizer_D.apply(tape_D.gradient(loss_1, weights), weights)
            score = self.D(fake, training=True)
            loss_2 = -ops.mean(score)
        weights = self.G.trainable_variables
        self.optimizer_G.apply(tape_G.gradient(loss_2, weights), weights)
        apart = -distance
        return self.report(
            {"loss_1": loss_1, "loss_2": loss_2, "apart": apart},
            ops.shape(data["image"])[0],
        )

    def test_step(self, data):
        image = data["image"]
        noise = keras.random.normal((ops.shape(image)[0], 8))
        fake = self.G(noise, training=False)
        # Between a drawing and a made one.
        share = ops.sigmoid(keras.random.normal((ops.shape(image)[0], 1)))
        noise = keras.random.normal((ops.shape(image)[0], 8))
        made = ops.stop_gradient(self.G(noise, training=False))
        mixed = image * share + made * (1 - share)
        with tf.GradientTape() as inner:
            inner.watch(mixed)
            score = self.D(mixed, training=False)
            x = ops.sum(score)
        slope = ops.sqrt(ops.sum(inner.gradient(x, mixed) ** 2, axis=-1))
        score = self.D(made, training=False)
        x = ops.mean(score)
        score = self.D(image, training=False)
        distance = x - ops.mean(score)
        loss_1 = distance + 10 * ops.mean((slope - 1) ** 2)
        score = self.D(fake, training=False)
        loss_2 = -ops.mean(score)
        apart = -distance
        return self.report(
            {"loss_1": loss_1, "loss_2": loss_2, "apart": apart},
            ops.shape(data["image"])[0],
        )


def make_trainer_wgan(G: keras.Model, D: keras.Model) -> keras.Model:
    trainer = WGANTrainer(
        G,
        D,
        Adam(learning_rate=0.0001, beta_1=0.0, epsilon=1e-8),
        Adam(learning_rate=0.0001, beta_1=0.0, epsilon=1e-8),
    )
    trainer.compile(optimizer=None)
    return trainer


class NestedTrainer(Trainer):
    """Small steps, and an inner loop."""

    def __init__(self, G, D, optimizer_D, optimizer_D_2, optimizer_G):
        super().__init__(("loss_1", "loss_2", "loss_3", "loss_4"))
        self.G = G
        self.D = D
        self.optimizer_D = optimizer_D
        self.optimizer_D_2 = optimizer_D_2
        self.optimizer_G = optimizer_G

    def train_step(self, data):
        image = data["image"]
        other = data["other"]
        for _ in range(3):
            for _ in range(2):
                with tf.GradientTape() as tape_D:
                    score = self.D(image, training=True)
                    loss_1 = ops.mean(ops.square(score - 1))
                weights = self.D.trainable_variables
                self.optimizer_D.apply(tape_D.gradient(loss_1, weights), weights)
            with tf.GradientTape() as tape_D_2:
                score = self.D(other, training=True)
                loss_2 = ops.mean(ops.square(score - 2))
            weights = self.D.trainable_variables
            self.optimizer_D_2.apply(tape_D_2.gradient(loss_2, weights), weights)
        noise = keras.random.normal((ops.shape(image)[0], 8))
        with tf.GradientTape() as tape_G:
            x = ops.mean(self.G(noise, training=True) ** 2)
            loss_3 = 1 * x
        weights = self.G.trainable_variables
        self.optimizer_G.apply(tape_G.gradient(loss_3, weights), weights)
        noise = keras.random.normal((ops.shape(image)[0], 8))
        with tf.GradientTape() as tape_G_2:
            x = ops.mean(self.G(noise, training=True) ** 2)
            loss_4 = 2 * x
        weights = self.G.trainable_variables
        self.optimizer_G.apply(tape_G_2.gradient(loss_4, weights), weights)
        return self.report(
            {"loss_1": loss_1, "loss_2": loss_2, "loss_3": loss_3, "loss_4": loss_4},
            ops.shape(data["image"])[0],
        )

    def test_step(self, data):
        image = data["image"]
        other = data["other"]
        score = self.D(image, training=False)
        loss_1 = ops.mean(ops.square(score - 1))
        score = self.D(other, training=False)
        loss_2 = ops.mean(ops.square(score - 2))
        noise = keras.random.normal((ops.shape(image)[0], 8))
        x = ops.mean(self.G(noise, training=False) ** 2)
        loss_3 = 1 * x
        noise = keras.random.normal((ops.shape(image)[0], 8))
        x = ops.mean(self.G(noise, training=False) ** 2)
        loss_4 = 2 * x
        return self.report(
            {"loss_1": loss_1, "loss_2": loss_2, "loss_3": loss_3, "loss_4": loss_4},
            ops.shape(data["image"])[0],
        )


def make_trainer_nested(G: keras.Model, D: keras.Model) -> keras.Model:
    trainer = NestedTrainer(
        G,
        D,
        keras.optimizers.SGD(learning_rate=0.001),
        Adam(epsilon=1e-8),
        keras.optimizers.SGD(learning_rate=0.001),
    )
    trainer.compile(optimizer=None)
    return trainer


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
    return parser.parse_args()


def main_wgan(args: argparse.Namespace) -> None:
    if args.save and not args.save.endswith(".weights.h5"):
        sys.exit("--save takes a name that ends in .weights.h5")
    keras.utils.set_random_seed(args.seed)
    columns, held_out = load_data(args.data, {"image": ("float32", (12,))})
    G = Generator()
    D = Critic()
    if args.weights:
        load_weights(G, network_path(args.weights, "G"))
        load_weights(D, network_path(args.weights, "D"))
    trainer = make_trainer_wgan(G, D)
    trainer.fit(
        columns,
        batch_size=args.batch_size or 16,
        epochs=args.epochs or 2,
        validation_data=held_out or None,
        callbacks=[StopUnlessFinite(["loss_1", "loss_2"])],
        verbose=1 if sys.stdout.isatty() else 2,
    )
    if args.save:
        save_weights(G, network_path(args.save, "G"))
        save_weights(D, network_path(args.save, "D"))


def main_nested(args: argparse.Namespace) -> None:
    if args.save and not args.save.endswith(".weights.h5"):
        sys.exit("--save takes a name that ends in .weights.h5")
    keras.utils.set_random_seed(args.seed)
    columns, held_out = load_data(
        args.data, {"image": ("float32", (12,)), "other": ("float32", (12,))}
    )
    G = Generator()
    D = Critic()
    if args.weights:
        load_weights(G, network_path(args.weights, "G"))
        load_weights(D, network_path(args.weights, "D"))
    trainer = make_trainer_nested(G, D)
    trainer.fit(
        columns,
        batch_size=args.batch_size or 32,
        epochs=args.epochs or 1,
        validation_data=held_out or None,
        callbacks=[StopUnlessFinite(["loss_1", "loss_2", "loss_3", "loss_4"])],
        verbose=1 if sys.stdout.isatty() else 2,
    )
    if args.save:
        save_weights(G, network_path(args.save, "G"))
        save_weights(D, network_path(args.save, "D"))


def main() -> None:
    args = parse_arguments()
    {"WGAN": main_wgan, "Nested": main_nested}[args.program](args)


if __name__ == "__main__":
    main()
