"""Optimizers that Keras has with another meaning."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="optimizers")
class Adam(keras.optimizers.Adam):
    """Adam as in the paper and in PyTorch: epsilon is added to the corrected root.

    Keras's own adds it to the root before its correction.
    """

    def update_step(self, gradient, variable, learning_rate):
        # Added to zeros, the sparse gradient of an embedding becomes a dense one.
        gradient = ops.zeros_like(variable) + gradient
        step = ops.cast(self.iterations + 1, variable.dtype)
        index = self._get_variable_index(variable)
        m, v = self._momentums[index], self._velocities[index]
        m.assign(self.beta_1 * m + (1 - self.beta_1) * gradient)
        v.assign(self.beta_2 * v + (1 - self.beta_2) * ops.square(gradient))
        mean = m / (1 - self.beta_1**step)
        root = ops.sqrt(v / (1 - self.beta_2**step))
        # What a schedule gives has Keras's own type.
        rate = ops.cast(learning_rate, variable.dtype)
        variable.assign_sub(rate * mean / (root + self.epsilon))


@keras.saving.register_keras_serializable(package="optimizers")
class DecayedAdam(Adam):
    """Adam with weight decay as a part of the gradient; Keras's own is apart from it."""

    def __init__(self, *args, decay=0.0, **kwargs):
        super().__init__(*args, **kwargs)
        self.decay = decay

    def update_step(self, gradient, variable, learning_rate):
        if self._use_weight_decay(variable):
            gradient = self.decay * variable + gradient
        super().update_step(gradient, variable, learning_rate)

    def get_config(self):
        return super().get_config() | {"decay": self.decay}


@keras.saving.register_keras_serializable(package="optimizers")
class DecayedSGD(keras.optimizers.SGD):
    """SGD with weight decay as a part of the gradient; Keras's own is apart from it."""

    def __init__(self, *args, decay=0.0, **kwargs):
        super().__init__(*args, **kwargs)
        self.decay = decay

    def update_step(self, gradient, variable, learning_rate):
        if self._use_weight_decay(variable):
            gradient = self.decay * variable + gradient
        super().update_step(gradient, variable, learning_rate)

    def get_config(self):
        return super().get_config() | {"decay": self.decay}


class Schedule(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that is a function of the step, counted from 0; so many batches are a step."""

    def __init__(self, rate, batches=1):
        self.rate = rate
        self.batches = batches

    def __call__(self, step):
        return self.rate(ops.cast(step // self.batches, keras.config.floatx()))

    def get_config(self):
        return {"rate": self.rate.__name__, "batches": self.batches}


def of_few_axes(variables):
    """Biases, and scales and offsets of normalisations."""
    # Keras has the biases of a GRU in one variable of two axes.
    return [v for v in variables if len(v.shape) < 2 or v.name == "bias"]


def sparing(optimizer, variables):
    """The optimizer; the weights of these variables do not decay."""
    optimizer.exclude_from_weight_decay(var_list=variables)
    return optimizer


class WrittenOptimizer(keras.optimizers.Optimizer):
    """`rule` gives the new weight and states, from the weight, its gradient and the step.

    states, numbers: those of a weight's shape and scalars, names and what they begin with.
    decay: the `weight_decay` of weights that have one, where not all have.
    """

    states: tuple = ()
    numbers: tuple = ()
    decay: float | None = None

    def __init__(self, **kwargs):
        super().__init__(learning_rate=1.0, **kwargs)

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self.kept = []
        for variable in variables:
            shapes = [variable.shape] * len(self.states) + [()] * len(self.numbers)
            beginnings = (*self.states, *self.numbers)
            kept = []
            for (name, value), shape in zip(beginnings, shapes):

                def begin(shape, dtype, value=value):
                    return ops.full(shape, value, dtype)

                kept.append(self.add_variable(shape, begin, variable.dtype, name=name))
            self.kept.append(kept)

    def update_step(self, gradient, variable, learning_rate):
        # Added to zeros, the sparse gradient of an embedding becomes a dense one.
        gradient = ops.zeros_like(variable) + gradient
        step = ops.cast(self.iterations + 1, variable.dtype)
        kept = self.kept[self._get_variable_index(variable)]
        states = map(ops.convert_to_tensor, kept)
        w = ops.convert_to_tensor(variable)
        told = {}
        if self.decay is not None:
            decay = self.decay if self._use_weight_decay(variable) else 0.0
            told["weight_decay"] = ops.convert_to_tensor(decay, variable.dtype)
        new, *states = self.rule(w, gradient, step, *states, **told)
        for holder, state in zip(kept, states):
            holder.assign(state)
        variable.assign(new)
