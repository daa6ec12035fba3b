"""What programs with a step of their own have in common."""

import keras


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
