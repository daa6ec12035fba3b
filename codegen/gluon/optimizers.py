"""Optimizers as `gluon.Trainer` takes them; where MXNet's differ from the language's, a small class
in the generated program puts them right."""

from __future__ import annotations

from collections.abc import Mapping

from codegen.python.source import Expr, Name, Verbatim
from nnspec.catalogue.optimizers import SGD, Adam, Optimizer

HELPERS: Mapping[str, Verbatim] = {
    "Adam": Verbatim(
        '''\
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
        weight -= self._get_lr(index) / (1 - self.beta1**step) * mean / root''',
        ("mx", "nd"),
    ),
    "NAG": Verbatim(
        '''\
class NAG(mx.optimizer.NAG):
    """Nesterov momentum with weight decay as a part of the gradient.

    MXNet's own takes the decay from the weight that has already moved.
    """

    def __init__(self, weight_decay, **kwargs):
        super().__init__(**kwargs)
        self.weight_decay = weight_decay

    def update_multi_precision(self, index, weight, grad, state):
        decayed = grad + self.weight_decay * weight
        super().update_multi_precision(index, weight, decayed, state)''',
        ("mx",),
    ),
}


def optimizer(value: Optimizer) -> Expr:
    """Constructor of the optimizer."""
    match value:
        case Adam():
            return Name("Adam")(
                **_given(
                    learning_rate=(value.lr, 1e-3),
                    beta1=(value.beta1, 0.9),
                    beta2=(value.beta2, 0.999),
                    epsilon=(value.epsilon, 1e-8),
                    wd=(value.weight_decay, 0.0),
                )
            )
        case SGD(nesterov=True) if value.weight_decay and value.momentum:
            return Name("NAG")(value.weight_decay, learning_rate=value.lr, momentum=value.momentum)
        case SGD():
            kind = "NAG" if value.nesterov and value.momentum else "SGD"
            return Name(f"mx.optimizer.{kind}")(
                learning_rate=value.lr,
                **_given(momentum=(value.momentum, 0.0), wd=(value.weight_decay, 0.0)),
            )
    raise TypeError(f"no Gluon optimizer for {value}")


def _given(**settings: tuple[float, float]) -> dict[str, float]:
    """The learning rate, and what differs from MXNet's defaults."""
    return {
        name: value
        for name, (value, default) in settings.items()
        if name == "learning_rate" or value != default
    }
