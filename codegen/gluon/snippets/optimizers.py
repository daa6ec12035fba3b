"""Optimizers that MXNet has with another meaning."""

import mxnet as mx
import numpy as np
from mxnet import nd


class Adam(mx.optimizer.Adam):
    """Adam as in the paper and in PyTorch: epsilon is added after the bias correction.

    MXNet adds it before, which differs where gradients are small.
    """

    def update(self, index, weight, grad, state):
        self._update_count(index)
        step = self._index_update_count[index]
        grad = self.rescale_grad * grad
        if self.wd:
            grad += self._get_wd(index) * weight
        mean, square = state
        mean += (1 - self.beta1) * (grad - mean)
        square += (1 - self.beta2) * (nd.square(grad) - square)
        root = nd.sqrt(square / (1 - self.beta2**step)) + self.epsilon
        weight -= self._get_lr(index) / (1 - self.beta1**step) * mean / root


class NAG(mx.optimizer.NAG):
    """Nesterov momentum with weight decay as a part of the gradient.

    MXNet's own takes the decay from the weight that has already moved.
    """

    def __init__(self, weight_decay, **kwargs):
        super().__init__(**kwargs)
        self.weight_decay = weight_decay

    def update_multi_precision(self, index, weight, grad, state):
        decay = self.weight_decay * self.param_dict[index].wd_mult
        decayed = grad + decay * weight
        super().update_multi_precision(index, weight, decayed, state)


class Schedule(mx.lr_scheduler.LRScheduler):
    """A learning rate that is a function of the step, counted from 0."""

    def __init__(self, rate):
        super().__init__()
        self.rate = rate

    def __call__(self, num_update):
        return float(self.rate(np.float64(num_update - 1)))


class WrittenOptimizer(mx.optimizer.Optimizer):
    """`rule` gives the new weight and states, from the weight, its gradient and the step.

    states, numbers: those of a weight's shape and scalars, with what they begin with.
    decay: the `weight_decay` of weights that have one, where not all have.
    """

    states: tuple = ()
    numbers: tuple = ()
    decay: float | None = None

    def __init__(self, **kwargs):
        super().__init__(wd=self.decay or 0.0, **kwargs)

    def create_state(self, index, weight):
        like = {"ctx": weight.context, "dtype": weight.dtype}
        return [
            *(nd.full(weight.shape, x, **like) for _, x in self.states),
            *(nd.full((1,), x, **like) for _, x in self.numbers),
        ]

    def update(self, index, weight, grad, state):
        self._update_count(index)
        count = self._index_update_count[index]
        step = nd.full((1,), count, weight.context, weight.dtype)
        told = {}
        if self.decay is not None:
            decay = self._get_wd(index)
            told["weight_decay"] = nd.full((1,), decay, weight.context, weight.dtype)
        new, *after = self.rule(weight, self.rescale_grad * grad, step, *state, **told)
        # The new weight may be a state as it was.
        new = new.copy() if any(new is held for held in state) else new
        for holder, array in zip(state, after):
            holder[:] = array
        weight[:] = new
