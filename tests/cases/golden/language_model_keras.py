"""Made from language_model.nn."""

import argparse
import sys
import zipfile

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


def make_trainer(net: keras.Model) -> keras.Model:
    trainer = LanguageModelTrainer(net)
    trainer.compile(
        optimizer=keras.optimizers.SGD(learning_rate=0.1, momentum=0.9, nesterov=True)
    )
    return trainer


def prepare(ids: np.ndarray, next_: np.ndarray):
    """Columns of a data set as the trainer takes them."""
    return {"ids": ids.astype("int64"), "next": next_.astype("int64")}


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data", required=True, help=".npz file with the columns ids, next"
    )
    parser.add_argument("--weights", help="file of weights to start from")
    parser.add_argument("--save", help="file to write the trained weights to")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def main() -> None:
    args = parse_arguments()
    if args.save and not args.save.endswith(".weights.h5"):
        sys.exit("--save takes a name that ends in .weights.h5")
    columns, held_out = load_data(args.data, ["ids", "next"])
    keras.utils.set_random_seed(args.seed)
    net = LanguageModel()
    if args.weights:
        load_weights(net, args.weights)
    trainer = make_trainer(net)
    trainer.fit(
        prepare(*columns),
        batch_size=args.batch_size,
        epochs=args.epochs,
        validation_data=prepare(*held_out) if held_out else None,
        verbose=2,
    )
    if args.save:
        save_weights(net, args.save)


if __name__ == "__main__":
    main()
