"""Optimizers; where Keras's differ from the language's, a small class in the generated program puts
them right."""

from __future__ import annotations

from collections.abc import Mapping

from codegen.python.source import Expr, Name, Verbatim
from nnspec.catalogue.optimizers import SGD, Adam, Optimizer

_ADAM = '''
@keras.saving.register_keras_serializable(package="optimizers")
class Adam(keras.optimizers.Adam):
    """Adam as in the paper and in PyTorch: epsilon is added to the corrected root.

    Keras's own adds it to the root before its correction.
    """

    def update_step(self, gradient, variable, learning_rate):
        gradient = ops.convert_to_tensor(gradient)
        step = ops.cast(self.iterations + 1, variable.dtype)
        index = self._get_variable_index(variable)
        m, v = self._momentums[index], self._velocities[index]
        m.assign(self.beta_1 * m + (1 - self.beta_1) * gradient)
        v.assign(self.beta_2 * v + (1 - self.beta_2) * ops.square(gradient))
        mean = m / (1 - self.beta_1**step)
        root = ops.sqrt(v / (1 - self.beta_2**step))
        variable.assign_sub(learning_rate * mean / (root + self.epsilon))
'''

_DECAYED = '''
@keras.saving.register_keras_serializable(package="optimizers")
class Decayed{name}({base}):
    """{name} with weight decay as a part of the gradient; Keras's own is apart from it."""

    def __init__(self, *args, decay=0.0, **kwargs):
        super().__init__(*args, **kwargs)
        self.decay = decay

    def update_step(self, gradient, variable, learning_rate):
        gradient = ops.convert_to_tensor(gradient) + self.decay * variable
        super().update_step(gradient, variable, learning_rate)

    def get_config(self):
        return super().get_config() | {{"decay": self.decay}}
'''

HELPERS: Mapping[str, Verbatim] = {
    "Adam": Verbatim(_ADAM, ("keras", "ops")),
    "DecayedAdam": Verbatim(_DECAYED.format(name="Adam", base="Adam"), ("keras", "ops", "Adam")),
    "DecayedSGD": Verbatim(
        _DECAYED.format(name="SGD", base="keras.optimizers.SGD"), ("keras", "ops")
    ),
}


def optimizer(value: Optimizer) -> Expr:
    """`Adam(1e-3)`."""
    match value:
        case Adam():
            made = Name("DecayedAdam" if value.weight_decay else "Adam")()
            given: dict[str, tuple[float, float | None]] = {
                "learning_rate": (value.lr, 1e-3),
                "beta_1": (value.beta1, 0.9),
                "beta_2": (value.beta2, 0.999),
                # Keras's own is 1e-7.
                "epsilon": (value.epsilon, 1e-7),
            }
        case SGD():
            made = Name("DecayedSGD" if value.weight_decay else "keras.optimizers.SGD")()
            given = {
                "learning_rate": (value.lr, None),
                "momentum": (value.momentum, 0.0),
                "nesterov": (value.nesterov and value.momentum > 0, False),
            }
        case _:
            raise TypeError(f"Keras has no optimizer for {value}")
    for name, (setting, default) in given.items():
        if setting != default:
            made = made.with_keyword(name, setting)
    return made.with_keyword("decay", value.weight_decay) if value.weight_decay else made
