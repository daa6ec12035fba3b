"""What training has beside `fit`."""

import math
import sys

import keras
from keras import ops


class StopUnlessFinite(keras.callbacks.Callback):
    """Ends a run whose loss is no number any more, before weights are written."""

    def __init__(self, losses):
        super().__init__()
        self.losses = losses

    def on_epoch_end(self, epoch, logs=None):
        for name in self.losses:
            if not math.isfinite(logs[name]):
                sys.exit(f"{name} is {logs[name]}: training stops, nothing is saved")


class Summary(keras.metrics.Metric):
    """A figure of several means over an epoch, of which one number is made."""

    def __init__(self, shape, name):
        super().__init__(name=name)
        self.totals = self.add_weight(shape=shape, initializer="zeros", name="totals")

    def update_state(self, means, sample_weight):
        self.totals.assign_add(means * ops.cast(sample_weight, means.dtype))


class Ratio(Summary):
    """The first over the second; 0 where that would divide by nothing."""

    def result(self):
        return ops.divide_no_nan(self.totals[0], self.totals[1])


class Area(Summary):
    """Under the curve of the second row, across, and the first, up, in shares of where they begin."""

    def result(self):
        up, across = self.totals[0], self.totals[1]
        steps = (across[:-1] - across[1:]) * (up[:-1] + up[1:]) / 2
        return ops.divide_no_nan(ops.sum(steps), up[0] * across[0])


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
