"""Losses and metrics."""

from mxnet import gluon


def cross_entropy(logits, labels):
    """The mean of -log softmax(logits)[label]."""
    return gluon.loss.SoftmaxCrossEntropyLoss()(logits, labels).mean()


def binary_cross_entropy(logits, targets):
    """The mean of -t log s - (1 - t) log(1 - s), with s = sigmoid(logits)."""
    return gluon.loss.SigmoidBinaryCrossEntropyLoss()(logits, targets).mean()


def accuracy(logits, labels):
    """Share of the rows whose greatest score stands at the label."""
    # MXNet's argmax gives floats.
    right = logits.argmax(axis=-1).astype("int64") == labels.astype("int64")
    return right.astype("float32").mean()
