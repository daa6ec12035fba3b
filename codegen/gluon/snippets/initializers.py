"""Initialisers that MXNet has not."""

import mxnet as mx


@mx.init.register
class UniformBetween(mx.init.Initializer):
    """Uniform between two bounds; MXNet's own is symmetric around zero."""

    def __init__(self, low, high):
        super().__init__(low=low, high=high)
        self.low, self.high = low, high

    def _init_weight(self, name, array):
        mx.random.uniform(self.low, self.high, out=array)
