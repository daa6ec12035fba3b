"""Batch norms whose statistics move as the language says."""

from mxnet import autograd, nd
from mxnet.gluon import nn


class BatchNorm(nn.BatchNorm):
    """Moves its running statistics in the forward pass, once for each application.

    MXNet moves them in the backward pass: twice where two updates go through it, and the
    last application first. Does nothing for a hybridized network.
    """

    def __init__(self, axis=1, momentum=0.9, **kwargs):
        super().__init__(axis=axis, momentum=1.0, **kwargs)
        self.features, self.kept = axis, momentum

    def hybrid_forward(self, F, x, gamma, beta, running_mean, running_var):
        frozen = self._kwargs["use_global_stats"]
        if F is nd and autograd.is_training() and not frozen:
            with autograd.pause():
                mean = x.mean(axis=self.features, exclude=True, keepdims=True)
                squares = nd.square(nd.broadcast_sub(x, mean))
                variance = squares.mean(axis=self.features, exclude=True)
                for running, batch in ((running_mean, mean), (running_var, variance)):
                    batch = batch.reshape(running.shape)
                    running[:] = self.kept * running + (1 - self.kept) * batch
        return super().hybrid_forward(F, x, gamma, beta, running_mean, running_var)
