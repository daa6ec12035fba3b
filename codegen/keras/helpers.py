"""Fixed text of generated Keras programs."""

from __future__ import annotations

from codegen.keras import optimizers
from codegen.python_source import Verbatim

_LOAD_WEIGHTS = '''
def load_weights(net: keras.Model, path, *inputs) -> None:
    """Fill a network with the weights of a .weights.h5 file, once inputs of their shapes have built it."""
    net(*inputs)
    try:
        net.load_weights(path)
    except (OSError, ValueError) as error:
        sys.exit(f"cannot load weights from {path}: {error}")
'''

_BATCHES = '''
def batches(columns: list, size: int, seed: int | None = None) -> tf.data.Dataset:
    """Columns of a data set, batch by batch; in another order each time where there is a seed."""
    dataset = tf.data.Dataset.from_tensor_slices(tuple(columns))
    if seed is not None:
        dataset = dataset.shuffle(len(columns[0]), seed)
    return dataset.batch(size)
'''

_FIGURES = '''
class Figures(keras.Model):
    """Reports the means of figures over an epoch."""

    def __init__(self, *names):
        super().__init__()
        self.means = {name: keras.metrics.Mean(name=name) for name in names}

    @property
    def metrics(self):
        return list(self.means.values())

    def report(self, figures, count):
        for name, value in figures.items():
            self.means[name].update_state(value, count)
        return {name: mean.result() for name, mean in self.means.items()}
'''

HELPERS = {
    **optimizers.HELPERS,
    "load_weights": Verbatim(_LOAD_WEIGHTS, ("keras", "sys")),
    "batches": Verbatim(_BATCHES, ("tf",)),
    "Figures": Verbatim(_FIGURES, ("keras",)),
}
