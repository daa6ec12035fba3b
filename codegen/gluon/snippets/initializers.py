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


@mx.init.register
class TruncatedNormal(mx.init.Initializer):
    """Normal, without what lies beyond two standard deviations."""

    def __init__(self, stddev):
        super().__init__(stddev=stddev)
        self.stddev = stddev

    def _init_weight(self, name, array):
        beyond = 0.022750131948179195  # of a normal distribution, below two deviations
        share = mx.nd.random.uniform(beyond, 1 - beyond, array.shape)
        array[:] = 2**0.5 * self.stddev * mx.nd.erfinv(2 * share - 1)
