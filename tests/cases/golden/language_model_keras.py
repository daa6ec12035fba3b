"""Made from language_model.nn."""

import argparse
import math
import sys
import zipfile
import zlib

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops


@keras.saving.register_keras_serializable(package="language_model")
class Mixer(layers.Layer):
    """One layer of a stack."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.lstm = layers.LSTM(16, return_sequences=True)
        self.dropout = layers.Dropout(0.1)
        self.dense = layers.Dense(16)

    def call(self, x):
        y = self.lstm(x)
        y = self.dropout(y)
        h = self.dense(y)
        return x + h


@keras.saving.register_keras_serializable(package="language_model")
class LanguageModel(keras.Model):
    """Predicts the next token; the output layer is the embedding's own table.

    ids i64[N, T] -> logits [N, T, 30] (as in the spec)
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.embed = layers.Embedding(
            30, 16, embeddings_initializer=keras.initializers.RandomNormal(stddev=0.02)
        )
        self.mixers = [Mixer() for _ in range(3)]
        self.sequentials = [
            keras.Sequential([layers.Dense(64, activation="relu"), layers.Dense(16)])
            for _ in range(2)
        ]
        self.position = self.add_weight(
            shape=(1, 1, 16),
            initializer=keras.initializers.RandomNormal(stddev=0.1),
            name="position",
        )
        # Called on symbols, it makes its weights.
        self(keras.Input((None,), dtype="int64"))

    def call(self, ids, training=None):
        # Keras tells the layers inside whether this is training.
        x = self.embed(ids) + self.position
        for mixer in self.mixers:
            x = mixer(x)
        for sequential in self.sequentials:
            x = sequential(x)
        return x @ ops.transpose(self.embed.embeddings)


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


class LanguageModelTrainer(Trainer):
    """Takes the steps of LanguageModel."""

    def __init__(self, net):
        super().__init__(("loss", "perplexity", "accuracy"))
        self.net = net

    def train_step(self, data):
        ids = data["ids"]
        next_ = data["next"]
        with tf.GradientTape() as tape:
            logits = self.net(ids, training=True)
            loss = ops.mean(
                ops.sparse_categorical_crossentropy(next_, logits, from_logits=True)
            )
        weights = self.net.trainable_variables
        self.optimizer.apply(tape.gradient(loss, weights), weights)
        perplexity = ops.exp(loss)
        accuracy = ops.mean(keras.metrics.sparse_categorical_accuracy(next_, logits))
        return self.report(
            {"loss": loss, "perplexity": perplexity, "accuracy": accuracy},
            ops.shape(data["ids"])[0],
        )

    def test_step(self, data):
        ids = data["ids"]
        next_ = data["next"]
        logits = self.net(ids, training=False)
        loss = ops.mean(
            ops.sparse_categorical_crossentropy(next_, logits, from_logits=True)
        )
        perplexity = ops.exp(loss)
        accuracy = ops.mean(keras.metrics.sparse_categorical_accuracy(next_, logits))
        return self.report(
            {"loss": loss, "perplexity": perplexity, "accuracy": accuracy},
            ops.shape(data["ids"])[0],
        )


def make_trainer(net: keras.Model, lr: float = 0.1) -> keras.Model:
    trainer = LanguageModelTrainer(net)
    trainer.compile(
        optimizer=keras.optimizers.SGD(learning_rate=lr, momentum=0.9, nesterov=True)
    )
    return trainer


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data", required=True, help=".npz file with the columns ids, next"
    )
    parser.add_argument("--weights", help="file of weights to start from")
    parser.add_argument("--save", help="file to write the trained weights to")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--lr", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def main() -> None:
    args = parse_arguments()
    if args.save and not args.save.endswith(".weights.h5"):
        sys.exit("--save takes a name that ends in .weights.h5")
    keras.utils.set_random_seed(args.seed)
    columns, held_out = load_data(
        args.data, {"ids": ("int64", (None,)), "next": ("int64", (None,))}
    )
    net = LanguageModel()
    if args.weights:
        load_weights(net, args.weights)
    trainer = make_trainer(net, args.lr)
    trainer.fit(
        columns,
        batch_size=args.batch_size,
        epochs=args.epochs,
        validation_data=held_out or None,
        callbacks=[StopUnlessFinite(["loss"])],
        verbose=1 if sys.stdout.isatty() else 2,
    )
    if args.save:
        save_weights(net, args.save)


if __name__ == "__main__":
    main()
