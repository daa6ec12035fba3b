"""Made from llama.nn.

A decoder in the style of Llama (Touvron et al. 2023, "Llama 2", arXiv:2307.09288) of
the size of SmolLM-135M (Hugging Face 2024), its embedding tied to its output; with
`tied = false` the output has a matrix of its own, as Llama 2 does.

input tokens of a vocabulary of 49,152; 134,515,008 parameters.
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


def rotary(x):
    """Rotary position embedding (Su et al. 2021): pairs of features turn by angles that
    grow with the place.
    """
    y = ops.arange(ops.shape(x)[2], dtype=x.dtype)
    angles = ops.expand_dims(y, axis=1) * ops.exp(
        ops.arange(64, dtype=x.dtype)[:32] * -0.28782313662425574
    )
    cos = ops.cos(angles)
    sin = ops.sin(angles)
    first = x[..., :32]
    second = x[..., 32:]
    x = ops.concatenate(
        [first * cos - second * sin, second * cos + first * sin], axis=-1
    )
    return x


def attention(query, key, value):
    """Scaled dot-product attention (Vaswani et al. 2017): `softmax(query key^T * scale)
    value`.

    attention(causal = true)
    """
    x = ops.repeat(key, 3, axis=1)
    keys = ops.transpose(x, (0, 1, 3, 2))  # [N, 9, 64, T]
    y = ops.arange(ops.shape(query)[2], dtype="int64")
    x = ops.expand_dims(y, axis=1) - ops.arange(ops.shape(x)[2], dtype="int64")
    scores = ops.where(x >= 0, query * 0.125 @ keys, -1e30)
    return ops.softmax(scores) @ ops.repeat(value, 3, axis=1)


@keras.saving.register_keras_serializable(package="llama")
class RotaryAttention(layers.Layer):
    """Attention whose queries and keys turn with their place (Su et al. 2021)."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.query = layers.Dense(576, use_bias=False)
        self.key = layers.Dense(192, use_bias=False)
        self.value = layers.Dense(192, use_bias=False)
        self.output_ = layers.Dense(576, use_bias=False)

    def call(self, x):
        y = self.query(x)
        y = ops.transpose(ops.reshape(y, (-1, ops.shape(y)[1], 9, 64)), (0, 2, 1, 3))
        q = rotary(y)
        y = self.key(x)
        y = ops.transpose(ops.reshape(y, (-1, ops.shape(y)[1], 3, 64)), (0, 2, 1, 3))
        k = rotary(y)
        x = self.value(x)
        v = ops.transpose(ops.reshape(x, (-1, ops.shape(x)[1], 3, 64)), (0, 2, 1, 3))
        y = attention(q, k, v)
        x = ops.transpose(y, (0, 2, 1, 3))
        x = ops.reshape(x, (-1, ops.shape(x)[1], 576))
        return self.output_(x)


@keras.saving.register_keras_serializable(package="llama")
class GatedFeedForward(layers.Layer):
    """`down(activation(gate(x)) * up(x))`: SwiGLU, and with `gelu` GEGLU (Shazeer 2020)."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.gate = layers.Dense(1536, use_bias=False, activation="silu")
        self.up = layers.Dense(1536, use_bias=False)
        self.down = layers.Dense(576, use_bias=False)

    def call(self, x):
        x = self.gate(x) * self.up(x)
        return self.down(x)


@keras.saving.register_keras_serializable(package="llama")
class Layer(layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.input_norm = layers.RMSNormalization(epsilon=1e-5)
        self.attention = RotaryAttention()
        self.mlp_norm = layers.RMSNormalization(epsilon=1e-5)
        self.mlp = GatedFeedForward()

    def call(self, x):
        y = self.input_norm(x)
        x = x + self.attention(y)
        y = self.mlp_norm(x)
        return x + self.mlp(y)


@keras.saving.register_keras_serializable(package="llama")
class Llama(keras.Model):
    """ids i64[N, T] -> logits [N, T, 49152] (as in the spec)"""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.tokens = layers.Embedding(
            49152,
            576,
            embeddings_initializer=keras.initializers.RandomNormal(stddev=0.02),
        )
        self.layers_ = [Layer() for _ in range(30)]
        self.norm = layers.RMSNormalization(epsilon=1e-5)
        # Called on symbols, it makes its weights.
        self(keras.Input((None,), dtype="int64"))

    def call(self, ids):
        x = self.tokens(ids)
        for layer in self.layers_:
            x = layer(x)
        x = self.norm(x)
        y = ops.transpose(self.tokens.embeddings)  # [576, 49152]
        return x @ y


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


class LlamaTrainer(Trainer):
    """Takes the steps of Llama."""

    def __init__(self, net):
        super().__init__(("loss",))
        self.net = net

    def train_step(self, data):
        ids = data["ids"]
        with tf.GradientTape() as tape:
            logits = self.net(ids, training=True)
            loss = ops.mean(
                ops.sparse_categorical_crossentropy(
                    ids[:, 1:], logits[:, :-1], from_logits=True
                ),
            )
        weights = self.net.trainable_variables
        self.optimizer.apply(tape.gradient(loss, weights), weights)
        return self.report({"loss": loss}, ops.shape(data["ids"])[0])

    def test_step(self, data):
        ids = data["ids"]
        logits = self.net(ids, training=False)
        loss = ops.mean(
            ops.sparse_categorical_crossentropy(
                ids[:, 1:], logits[:, :-1], from_logits=True
            ),
        )
        return self.report({"loss": loss}, ops.shape(data["ids"])[0])


def make_trainer(net: keras.Model, lr: float = 0.0004) -> keras.Model:
    trainer = LlamaTrainer(net)
    trainer.compile(optimizer=Adam(learning_rate=lr, beta_2=0.95, epsilon=1e-8))
    return trainer


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, help=".npz file with the columns ids")
    parser.add_argument("--weights", help="file of weights to start from")
    parser.add_argument("--save", help="file to write the trained weights to")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--lr", type=float, default=0.0004)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def main() -> None:
    args = parse_arguments()
    if args.save and not args.save.endswith(".weights.h5"):
        sys.exit("--save takes a name that ends in .weights.h5")
    keras.utils.set_random_seed(args.seed)
    columns, held_out = load_data(args.data, {"ids": ("int64", (None,))})
    net = Llama()
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
