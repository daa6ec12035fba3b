"""Made from cells.nn.

Cells of one's own along time: a long short-term memory, and one of two inputs and
several outputs.
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


def along_time(cell, inputs, sequences, states, outputs):
    """A cell at each step of its sequences [N, T, ...]: what it puts out, stacked, and its last states.

    sequences: the inputs of which it is given a step. states: those that it is given as they came out the
    step before, each with that output. outputs: zeros like what else comes out at a step.
    """

    def step(carried, parts):
        given = list(inputs)
        for place, tensor in (*zip(sequences, parts), *zip(states, carried[0])):
            given[place] = tensor
        results = cell(*given)
        results = results if isinstance(results, tuple) else (results,)
        held = tuple(results[place] for place in states.values())
        last = states.values()
        return held, tuple(r for place, r in enumerate(results) if place not in last)

    parts = tuple(ops.swapaxes(inputs[place], 0, 1) for place in sequences)
    begin = tuple(inputs[place] for place in states), tuple(outputs)
    # `ops.scan` cannot take two sequences of unknown length.
    held, stacked = tf.scan(step, parts, begin)
    last, stacked = dict(zip(states.values(), held)), list(stacked)
    return tuple(
        last[place][-1] if place in last else ops.swapaxes(stacked.pop(0), 0, 1)
        for place in range(len(held) + len(outputs))
    )


@keras.saving.register_keras_serializable(package="cells")
class Letters(layers.Layer):
    """Reads a word letter by letter, up to where its mask ends."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense = layers.Dense(4)
        self.dense_2 = layers.Dense(4, use_bias=False, name="dense_2")

    def call(self, x, h, known):
        new = ops.tanh(self.dense(x) + self.dense_2(h))
        h = ops.where(ops.expand_dims(known, axis=1), new, h)
        return 2 * h, h


@keras.saving.register_keras_serializable(package="cells")
class Words(layers.Layer):
    """A cell with a cell inside."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.letters = Letters()
        self.dense = layers.Dense(4)

    def call(self, word, h, known, total):
        y, last = along_time(
            self.letters,
            (word, h, known),
            sequences=(0, 2),
            states={1: 1},
            outputs=(ops.zeros((ops.shape(word)[0], 4)),),
        )
        x = h + last
        z = ops.mean(y, axis=1)
        return y, x + self.dense(z), total + ops.sum(y, axis=1)


@keras.saving.register_keras_serializable(package="cells")
class Nested(keras.Model):
    """x [N, T, S, 3] (as in the spec), known bool[N, T, S] (as in the spec) -> seen [N,
    T, S, 4] (as in the spec), h [N, 4], total [N, 4]
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.words = Words()
        # Called on symbols, it makes its weights.
        self(keras.Input((None, None, 3)), keras.Input((None, None), dtype="bool"))

    def call(self, x, known):
        h = ops.zeros((ops.shape(x)[0], 4))
        total = ops.zeros((ops.shape(x)[0], 4))
        seen, h, total = along_time(
            self.words,
            (x, h, known, total),
            sequences=(0, 2),
            states={1: 1, 3: 2},
            outputs=(ops.zeros((ops.shape(x)[0], ops.shape(x)[2], 4)),),
        )
        return seen, h, total


@keras.saving.register_keras_serializable(package="cells")
class LSTMCell(layers.Layer):
    """A long short-term memory, its gates in PyTorch's order."""

    def __init__(self, units: int, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.dense = layers.Dense(units)
        self.dense_2 = layers.Dense(units, use_bias=False, name="dense_2")

    def call(self, x, h, c):
        x = self.dense(x) + self.dense_2(h)
        i, f, g, o = ops.split(x, 4, axis=-1)
        c = ops.sigmoid(f) * c + ops.sigmoid(i) * ops.tanh(g)
        h = ops.sigmoid(o) * ops.tanh(c)
        return h, h, c

    def get_config(self):
        return super().get_config() | {"units": self.units}


@keras.saving.register_keras_serializable(package="cells")
class Gated(layers.Layer):
    """Forgets where it is told to, and counts; `scale` is the same at every step."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense = layers.Dense(4)
        self.bias = self.add_weight(shape=(4,), initializer="zeros", name="bias")

    def call(self, x, h, gate, count, scale):
        y = ops.concatenate([x, h], axis=-1)  # [N, 9]
        h = ops.tanh(self.dense(y) * ops.sigmoid(gate) * scale + self.bias)
        return 2 * h, h, count + 1, x


@keras.saving.register_keras_serializable(package="cells")
class Reader(keras.Model):
    """x [N, T, 6] (as in the spec), scale [N, 1] -> wide [N, T, 4] (as in the spec),
    count [N, 1], again [N, T, 4] (as in the spec), raw [N, T, 5] (as in the spec), c
    [N, 5], ends [N, 1, 5] (as in the spec)
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.lstm_cell = LSTMCell(20)
        self.dense = layers.Dense(1)
        self.cell = Gated()
        # Called on symbols, it makes its weights.
        self(keras.Input((None, 6)), keras.Input((1,)))

    def call(self, x, scale):
        n = ops.shape(x)[0]
        h = ops.zeros((ops.shape(x)[0], 5))
        c = ops.zeros((ops.shape(x)[0], 5))
        y, _, c = along_time(
            self.lstm_cell,
            (x, h, c),
            sequences=(0,),
            states={1: 1, 2: 2},
            outputs=(ops.zeros((ops.shape(x)[0], 5)),),
        )
        gate = self.dense(y)
        h = ops.zeros((ops.shape(x)[0], 4))
        count = ops.ones((ops.shape(x)[0], 1))
        wide, last, count, _ = along_time(
            self.cell,
            (y, h, gate, count, scale),
            sequences=(0, 2),
            states={1: 1, 3: 2},
            outputs=(ops.zeros((ops.shape(y)[0], 4)), ops.zeros((ops.shape(y)[0], 5))),
        )
        x = 2 * y
        count_2 = ops.ones((n, 1))
        again, _, _, raw = along_time(
            self.cell,
            (x, last, gate, count_2, scale),
            sequences=(0, 2),
            states={1: 1, 3: 2},
            outputs=(ops.zeros((ops.shape(x)[0], 4)), ops.zeros((ops.shape(x)[0], 5))),
        )
        x = y[:, :1]
        y = gate[:, :1]
        count_2 = ops.ones((n, 1))
        x = x[:, 0]
        y = y[:, 0]
        _, _, _, x = self.cell(x, last, y, count_2, scale)
        return wide, count, again, raw, c, ops.stack([x], axis=1)


@keras.saving.register_keras_serializable(package="cells")
class Long(keras.Model):
    """x [N, 10, 3] (as in the spec) -> label [N, 4]"""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.lstm_cell = LSTMCell(32)
        self.dense = layers.Dense(4)
        # Called on symbols, it makes its weights.
        self(keras.Input((10, 3)))

    def call(self, x):
        h = ops.zeros((ops.shape(x)[0], 8))
        c = ops.zeros((ops.shape(x)[0], 8))
        _, x, _ = along_time(
            self.lstm_cell,
            (x, h, c),
            sequences=(0,),
            states={1: 1, 2: 2},
            outputs=(ops.zeros((ops.shape(x)[0], 8)),),
        )
        return self.dense(x)


class StopUnlessFinite(keras.callbacks.Callback):
    """Ends a run whose loss is no number any more, before weights are written."""

    def __init__(self, losses):
        super().__init__()
        self.losses = losses

    def on_epoch_end(self, epoch, logs=None):
        for name in self.losses:
            if not math.isfinite(logs[name]):
                sys.exit(f"{name} is {logs[name]}: training stops, nothing is saved")


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


def compile_model(net: keras.Model, lr: float = 0.1) -> None:
    net.compile(
        optimizer=keras.optimizers.SGD(learning_rate=lr),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )


def prepare(columns: dict):
    """What the network reads, and what its outputs are compared with."""
    return columns["x"], columns["label"]


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data", required=True, help=".npz file with the columns x, label"
    )
    parser.add_argument("--weights", help="file of weights to start from")
    parser.add_argument("--save", help="file to write the trained weights to")
    parser.add_argument("--epochs", type=int, default=1)
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
        args.data, {"x": ("float32", (10, 3)), "label": ("int64", ())}
    )
    net = Long()
    if args.weights:
        load_weights(net, args.weights)
    compile_model(net, args.lr)
    net.fit(
        *prepare(columns),
        batch_size=args.batch_size,
        epochs=args.epochs,
        validation_data=prepare(held_out) if held_out else None,
        callbacks=[StopUnlessFinite(["loss"])],
        verbose=1 if sys.stdout.isatty() else 2,
    )
    if args.save:
        save_weights(net, args.save)


if __name__ == "__main__":
    main()
