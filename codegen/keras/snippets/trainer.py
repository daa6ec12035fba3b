"""What training has beside `fit`."""

import math
import sys

import keras


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
