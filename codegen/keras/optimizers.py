"""Optimizers; where Keras means something else, a small subclass in the generated source."""

from __future__ import annotations

from codegen.python_source import Expr, Name, Verbatim
from nnspec.training.optimizers import SGD, Adam, Optimizer

_ADAM = '''
class Adam(keras.optimizers.Adam):
    """Adds epsilon to the root of the corrected square, as the paper (and PyTorch) does."""

    def update_step(self, gradient, variable, learning_rate):
        epsilon = self.epsilon
        step = ops.cast(self.iterations + 1, variable.dtype)
        # Keras adds it to the root before the correction, which is undone here.
        self.epsilon = epsilon * ops.sqrt(1 - self.beta_2**step)
        super().update_step(gradient, variable, learning_rate)
        self.epsilon = epsilon
'''

_DECAYED = '''
def decayed(optimizer: keras.optimizers.Optimizer, decay: float):
    """Adds `decay` times the weight to its gradient; Keras's own decay leaves the gradient alone."""
    update_step = optimizer.update_step

    def update(gradient, variable, learning_rate):
        update_step(gradient + decay * variable, variable, learning_rate)

    optimizer.update_step = update
    return optimizer
'''

HELPERS = {
    "Adam": Verbatim(_ADAM, ("keras", "ops")),
    "decayed": Verbatim(_DECAYED, ("keras",)),
}


def optimizer(value: Optimizer) -> Expr:
    """`Adam(1e-3)`."""
    match value:
        case Adam(lr=lr, beta1=beta1, beta2=beta2, epsilon=epsilon, weight_decay=decay):
            made = Name("Adam")(lr)
            if beta1 != 0.9:
                made = made.with_keyword("beta_1", beta1)
            if beta2 != 0.999:
                made = made.with_keyword("beta_2", beta2)
            made = made.with_keyword("epsilon", epsilon)
        case SGD(lr=lr, momentum=momentum, nesterov=nesterov, weight_decay=decay):
            made = Name("keras.optimizers.SGD")(lr)
            if momentum:
                made = made.with_keyword("momentum", momentum)
            if nesterov and momentum:
                made = made.with_keyword("nesterov", True)
        case _:
            raise TypeError(f"Keras has no optimizer for {value}")
    return Name("decayed")(made, decay) if decay else made
