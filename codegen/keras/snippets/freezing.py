"""Parts of a network that a program does not train, and updates that are not made on every step."""

import tensorflow as tf
from keras import layers


def freeze(layer):
    """Apply a layer, or each of a list, as in evaluation from now on, and never update it."""
    if isinstance(layer, list):
        for each in layer:
            freeze(each)
        return
    layer.trainable = False
    for inner in layer._flatten_layers():
        if isinstance(inner, layers.Dropout):
            inner.rate = 0.0


def update_every(every, steps, optimizer, gradients, weights):
    """Make an update on each so-many-th step."""

    def update():
        optimizer.apply(gradients, weights)
        return 0

    if not optimizer.built:
        optimizer.build(weights)
    tf.cond(tf.equal(steps % every, 0), update, lambda: 0)
