"""Made from two_programs.nn."""

import argparse
import sys
import zipfile
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

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense = layers.Dense(
            6,
            kernel_initializer=keras.initializers.VarianceScaling(
                scale=2.0, mode="fan_in", distribution="untruncated_normal"
            ),
            activation="relu",
        )
        self.dense_2 = layers.Dense(3)
        # Called on symbols, it makes its weights.
        self(keras.Input((5,)))

    def call(self, x):
        trunk = self.dense(x)
        return self.dense_2(trunk)


@keras.saving.register_keras_serializable(package="two_programs")
class SmallWidth4(keras.Model):
    """Two ways to train one classifier, and one that shares its trunk.

    x [N, 5] -> logits [N, 3]
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense = layers.Dense(
            4,
            kernel_initializer=keras.initializers.VarianceScaling(
                scale=2.0, mode="fan_in", distribution="untruncated_normal"
            ),
            activation="relu",
        )
        self.dense_2 = layers.Dense(3)
        # Called on symbols, it makes its weights.
        self(keras.Input((5,)))

    def call(self, x):
        trunk = self.dense(x)
        return self.dense_2(trunk)


@keras.saving.register_keras_serializable(package="two_programs")
class Teacher(keras.Model):
    """x [N, 5] -> logits [N, 3]"""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense = layers.Dense(8, activation="tanh")
        self.dense_2 = layers.Dense(3, use_bias=False)
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
        gradient = ops.convert_to_tensor(gradient)
        step = ops.cast(self.iterations + 1, variable.dtype)
        index = self._get_variable_index(variable)
        m, v = self._momentums[index], self._velocities[index]
        m.assign(self.beta_1 * m + (1 - self.beta_1) * gradient)
        v.assign(self.beta_2 * v + (1 - self.beta_2) * ops.square(gradient))
        mean = m / (1 - self.beta_1**step)
        root = ops.sqrt(v / (1 - self.beta_2**step))
        variable.assign_sub(learning_rate * mean / (root + self.epsilon))


@keras.saving.register_keras_serializable(package="optimizers")
class DecayedAdam(Adam):
    """Adam with weight decay as a part of the gradient; Keras's own is apart from it."""

    def __init__(self, *args, decay=0.0, **kwargs):
        super().__init__(*args, **kwargs)
        self.decay = decay

    def update_step(self, gradient, variable, learning_rate):
        gradient = ops.convert_to_tensor(gradient) + self.decay * variable
        super().update_step(gradient, variable, learning_rate)

    def get_config(self):
        return super().get_config() | {"decay": self.decay}


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


def network_path(path: str, network: str) -> Path:
    """The file of one of several networks: `trained-G.ext` for `trained.ext`."""
    stem, dot, suffix = Path(path).name.partition(".")
    return Path(path).with_name(f"{stem}-{network}{dot}{suffix}")


def compile_model_plain(net: keras.Model) -> None:
    net.compile(
        optimizer=keras.optimizers.SGD(learning_rate=0.1),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )


def prepare_plain(x: np.ndarray, y: np.ndarray):
    """Columns of a data set: what is read, and what it is compared with."""
    return x.astype("float32"), y.astype("int64")


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


def prepare_distilled(x: np.ndarray, y: np.ndarray):
    """Columns of a data set as the trainer takes them."""
    return {"x": x.astype("float32"), "y": y.astype("int64")}


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
    columns, held_out = load_data(args.data, ["x", "y"])
    keras.utils.set_random_seed(args.seed)
    net = Small()
    if args.weights:
        load_weights(net, args.weights)
    compile_model_plain(net)
    net.fit(
        *prepare_plain(*columns),
        batch_size=args.batch_size or 32,
        epochs=args.epochs or -(-20 // -(-len(columns[0]) // (args.batch_size or 32))),
        validation_data=prepare_plain(*held_out) if held_out else None,
        verbose=2,
    )
    if args.save:
        save_weights(net, args.save)


def main_distilled(args: argparse.Namespace) -> None:
    if args.save and not args.save.endswith(".weights.h5"):
        sys.exit("--save takes a name that ends in .weights.h5")
    columns, held_out = load_data(args.data, ["x", "y"])
    keras.utils.set_random_seed(args.seed)
    student = SmallWidth4()
    teacher = Teacher()
    if args.weights:
        load_weights(student, network_path(args.weights, "student"))
        load_weights(teacher, network_path(args.weights, "teacher"))
    trainer = make_trainer_distilled(student, teacher)
    trainer.fit(
        prepare_distilled(*columns),
        batch_size=args.batch_size or 8,
        epochs=args.epochs or 2,
        validation_data=prepare_distilled(*held_out) if held_out else None,
        verbose=2,
    )
    if args.save:
        save_weights(student, network_path(args.save, "student"))
        save_weights(teacher, network_path(args.save, "teacher"))


def main() -> None:
    args = parse_arguments()
    if args.program == "Plain":
        main_plain(args)
    elif args.program == "Distilled":
        main_distilled(args)


if __name__ == "__main__":
    main()
