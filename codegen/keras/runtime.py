"""Runs generated Keras in a process of its own (`nnspec/driver/worker.py`)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Generated steps of their own use TensorFlow's tape.
os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import numpy as np
import tensorflow

from codegen.jobs import TrainRequest, TrainResult, Weights
from nnspec.graph.weight_map import Array


def predict(
    module: ModuleType,
    class_name: str,
    weights: Mapping[str, Array],
    inputs: Sequence[Array],
    training: bool = False,
) -> list[Array]:
    """Outputs of a model; in f64 where the weights or inputs are."""
    floats = {a.dtype for a in (*weights.values(), *inputs) if a.dtype.kind == "f"}
    use("f64" if floats == {np.dtype("float64")} else "f32")
    net = network(module, class_name, weights)
    result = net(*inputs, training=training)
    outputs = result if isinstance(result, tuple) else (result,)
    return [to_array(o) for o in outputs]


def differentiate(
    module: ModuleType,
    class_name: str,
    weights: Mapping[str, Array],
    inputs: Sequence[Array],
    projections: Sequence[Array],
    training: bool = True,
) -> dict[str, Any]:
    """Outputs in training mode or evaluation, and gradients of their sum times `projections`."""
    use("f32" if any(a.dtype == np.float32 for a in inputs) else "f64")
    net = network(module, class_name, weights)
    tensors = [keras.ops.convert_to_tensor(a) for a in inputs]
    trained = {n: v for n, v in variables_of(net) if v.trainable}
    leaves = [x for x in tensors if x.dtype.is_floating] + [v.value for v in trained.values()]
    with tensorflow.GradientTape() as tape:
        tape.watch(leaves)
        result = net(*tensors, training=training)
        given_back = result if isinstance(result, tuple) else (result,)
        # A weight that is an output comes as Keras's variable.
        outputs = [tensorflow.convert_to_tensor(o) for o in given_back]
        total = sum(
            tensorflow.reduce_sum(o * p)
            for o, p in zip(outputs, projections)
            if o.dtype.is_floating
        )
    flows = tape.gradient(total, leaves) if tensorflow.is_tensor(total) else [None] * len(leaves)
    found = [np.zeros(x.shape) if g is None else to_array(g) for x, g in zip(leaves, flows)]
    given = iter(found)
    return {
        "outputs": [to_array(o) for o in outputs],
        "inputs": [next(given) if x.dtype.is_floating else None for x in tensors],
        "weights": {n: next(given) for n in trained},
        "state": arrays_of(net),
    }


def train(
    module: ModuleType,
    request: TrainRequest,
    weights: Weights,
    batches: Sequence[Sequence[Array]],
) -> TrainResult:
    """Take the generated program's own steps, and note what happens at each."""
    use(request.dtype)
    networks = {name: network(module, cls, weights[name]) for name, cls in request.networks}
    step, traced = _steps(module, request, tuple(networks.values()))
    result = TrainResult([], [])
    with _watched(networks, result, request.updates):
        for number in range(1, max(request.at) + 1):
            arrays = batches[(number - 1) % len(batches)]
            batch = dict(zip(request.columns, arrays, strict=True))
            # The first tells its gradients. Where many follow they are traced, as `fit` has them.
            take = traced if number > 1 and max(request.at) >= MANY else step
            result.losses.append(take(batch)[: request.losses])
            if number in request.at:
                result.weights[str(number)] = {n: arrays_of(net) for n, net in networks.items()}
    return result


MANY = 100
"""So many steps are worth a trace."""

Step = Callable[[Any], list[float]]
"""Takes a batch and gives figures, losses first."""


def _steps(
    module: ModuleType, request: TrainRequest, networks: tuple[Any, ...]
) -> tuple[Step, Step]:
    """`fit`'s step, or the program's own: done as it is read, and traced."""
    made = getattr(module, request.functions.make)(*networks)
    if request.functions.prepare:
        (net,) = networks
        # Compiled by XLA it takes seconds to begin.
        net.run_eagerly, net.jit_compile = True, False
        prepare = getattr(module, request.functions.prepare)

        def fitted(batch: Any) -> list[float]:
            return [net.train_on_batch(*prepare(batch), return_dict=True)["loss"]]

        def traced(batch: Any) -> list[float]:
            if net.run_eagerly:
                net.run_eagerly = False
                net.make_train_function(force=True)
            return fitted(batch)

        return fitted, traced

    def own(step: Callable[[Any], Any], batch: Any) -> list[float]:
        made.reset_metrics()
        # As `fit` gives them: tensors.
        tensors = {name: keras.ops.convert_to_tensor(array) for name, array in batch.items()}
        return [float(figure) for figure in step(tensors).values()]

    return partial(own, made.train_step), partial(own, tensorflow.function(made.train_step))


@contextmanager
def _watched(networks: Mapping[str, Any], result: TrainResult, updates: int) -> Iterator[None]:
    """Note the gradients of the first step, just before an optimizer uses them."""
    places = {
        id(variable): (network, name)
        for network, net in networks.items()
        for name, variable in variables_of(net)
    }
    optimizer = keras.optimizers.Optimizer
    apply = optimizer.apply

    def noting(self: Any, grads: Any, trainable_variables: Any = None) -> Any:
        if len(result.gradients) < updates:
            found: Weights = {}
            clipped = self._clip_gradients(grads)
            for gradient, variable in zip(clipped, trainable_variables, strict=True):
                network, name = places[id(variable)]
                array = np.zeros(variable.shape) if gradient is None else to_array(gradient)
                found.setdefault(network, {})[name] = array
            result.gradients.append(found)
        return apply(self, grads, trainable_variables)

    optimizer.apply = noting
    try:
        yield
    finally:
        optimizer.apply = apply


def save_native(
    module: ModuleType,
    class_name: str,
    weights: Mapping[str, Array],
    path: Path,
) -> None:
    """Write `.weights.h5`."""
    use("f32")
    network(module, class_name, weights).save_weights(path)


def load_native(module: ModuleType, class_name: str, path: Path) -> dict[str, Array]:
    """Read `.weights.h5`; what does not fit the class is an error."""
    use("f32")
    net = getattr(module, class_name)()
    net.load_weights(path)
    return arrays_of(net)


def use(dtype: str) -> None:
    keras.config.set_floatx("float64" if dtype == "f64" else "float32")
    keras.config.set_dtype_policy(keras.config.floatx())


def network(module: ModuleType, class_name: str, weights: Mapping[str, Array]) -> Any:
    net = getattr(module, class_name)()
    variables = dict(variables_of(net))
    if variables.keys() != weights.keys():
        raise KeyError(
            f"weights do not fit {class_name}: {sorted(variables.keys() ^ weights.keys())}"
        )
    for name, variable in variables.items():
        variable.assign(weights[name])
    return net


def variables_of(holder: Any) -> Iterator[tuple[str, Any]]:
    """Every weight under its native name (`codegen/keras/weights.py`), each once."""
    seen: set[int] = set()
    for name, variable in _walk(holder):
        if id(variable) not in seen:
            seen.add(id(variable))
            yield name, variable


def _walk(holder: Any) -> Iterator[tuple[str, Any]]:
    for name, part in _parts(holder):
        if isinstance(part, keras.Variable):
            yield name, part
        else:
            for inner, variable in _walk(part):
                yield f"{name}.{inner}", variable


def _parts(holder: Any) -> Iterator[tuple[str, Any]]:
    """Layers, lists of layers and variables that belong to an object, with their names in it."""
    match holder:
        case keras.Sequential(layers=held) | (list() as held):
            yield from ((str(i), part) for i, part in enumerate(held))
        case keras.layers.Bidirectional():
            yield from (("forward", holder.forward_layer), ("backward", holder.backward_layer))
        case keras.layers.RNN():
            yield from ((v.name, v) for v in holder.cell.weights)
        case keras.layers.Layer() if type(holder).__module__.startswith("keras."):
            yield from ((v.name, v) for v in holder.weights)
        case keras.layers.Layer():
            own = {n: p for n, p in vars(holder).items() if not n.startswith("_")}
            kinds = (keras.Variable, keras.layers.Layer, list)
            yield from ((n, p) for n, p in own.items() if isinstance(p, kinds))
        case _:
            return


def to_array(tensor: Any) -> Array:
    return np.asarray(tensorflow.convert_to_tensor(tensor).numpy())


def arrays_of(net: Any) -> dict[str, Array]:
    return {name: np.array(variable) for name, variable in variables_of(net)}
