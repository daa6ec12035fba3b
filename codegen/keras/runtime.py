"""Runs generated Keras in a process of its own (`codegen/worker.py`)."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from codegen.program import snake
from codegen.weight_map import Array
from codegen.worker import TrainRequest, TrainResult, Weights


def load_module(path: Path) -> ModuleType:
    """Import a generated file."""
    spec = importlib.util.spec_from_file_location(f"generated_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module.__name__] = module
    spec.loader.exec_module(module)
    return module


def predict(
    module: ModuleType,
    class_name: str,
    weights: Mapping[str, Array],
    inputs: Sequence[Array],
    training: bool = False,
) -> list[Array]:
    """Outputs of a model; in f64 where the weights or inputs are."""
    wide = any(a.dtype == "float64" for a in (*weights.values(), *inputs))
    keras.config.set_floatx("float64" if wide else "float32")
    net = getattr(module, class_name)()
    net(*inputs)
    _fill(net, weights)
    result = net(*inputs, training=training)
    outputs = result if isinstance(result, (tuple, list)) else (result,)
    return [np.asarray(o) for o in outputs]


def train(
    module: ModuleType,
    request: TrainRequest,
    weights: Weights,
    batches: Sequence[Sequence[Array]],
) -> TrainResult:
    """Take the steps of the generated program, with `fit`'s or its own `train_step`."""
    keras.config.set_floatx("float64" if request.dtype == "f64" else "float32")
    networks = {name: getattr(module, cls)() for name, cls in request.networks}
    result = TrainResult([], [])
    step = _stepper(module, request, networks, weights, batches[0], result)
    for number in range(1, max(request.at) + 1):
        result.losses.append(step(batches[(number - 1) % len(batches)]))
        if number in request.at:
            result.weights[str(number)] = {
                name: _arrays(net, weights[name]) for name, net in networks.items()
            }
    return result


def _stepper(
    module: ModuleType,
    request: TrainRequest,
    networks: Mapping[str, Any],
    weights: Weights,
    batch: Sequence[Array],
    result: TrainResult,
) -> Callable[[Sequence[Array]], list[float]]:
    compile_model = _function(module, request, "compile_model")
    if compile_model is not None:
        (net,) = networks.values()
        sort = _function(module, request, "inputs_and_targets")
        assert sort is not None
        x, _ = sort(*batch)
        net(*(x if isinstance(x, tuple) else (x,)))
        _fill(net, next(iter(weights.values())))
        compile_model(net)
        net.run_eagerly = True
        _watch(net.optimizer, networks, weights, result, 1)

        def fit(columns: Sequence[Array]) -> list[float]:
            net.reset_metrics()
            return [float(net.train_on_batch(*sort(*columns), return_dict=True)["loss"])]

        return fit
    make_trainer = _function(module, request, "make_trainer")
    assert make_trainer is not None
    trainer = make_trainer(*networks.values())
    trainer.run_eagerly = True
    trainer.test_step(tuple(batch))  # builds the networks, and changes no weight
    for name, net in networks.items():
        _fill(net, weights[name])
    for optimizer in _optimizers(trainer):
        _watch(optimizer, networks, weights, result, request.minimizes)

    def step(columns: Sequence[Array]) -> list[float]:
        trainer.reset_metrics()
        figures = trainer.train_step(tuple(columns))
        return [float(v) for v in list(figures.values())[: request.minimizes]]

    return step


def _optimizers(trainer: Any) -> list[Any]:
    found = [v for v in vars(trainer).values() if isinstance(v, keras.optimizers.Optimizer)]
    return list({id(o): o for o in found}.values())


def _watch(
    optimizer: Any,
    networks: Mapping[str, Any],
    weights: Weights,
    result: TrainResult,
    minimizes: int,
) -> None:
    """Note the gradients of the first step as the optimizer gets them."""
    apply = optimizer.apply

    def noting(gradients: Sequence[Any], variables: Sequence[Any]) -> Any:
        if len(result.gradients) < minimizes:
            places = {
                id(_variable(net, path)): (name, path)
                for name, net in networks.items()
                for path in weights[name]
            }
            found: Weights = {}
            for gradient, variable in zip(gradients, variables, strict=True):
                name, path = places[id(variable)]
                dense = keras.ops.convert_to_numpy(gradient) if gradient is not None else None
                found.setdefault(name, {})[path] = (
                    np.zeros(variable.shape, variable.dtype) if dense is None else np.array(dense)
                )
            result.gradients.append(found)
        return apply(gradients, variables)

    optimizer.apply = noting


def save_native(
    module: ModuleType,
    class_name: str,
    weights: Mapping[str, Array],
    path: Path,
    inputs: Sequence[Array] = (),
) -> None:
    """Write `.weights.h5`."""
    net = getattr(module, class_name)()
    net(*inputs)
    _fill(net, weights)
    net.save_weights(path)


def load_native(
    module: ModuleType, class_name: str, path: Path, inputs: Sequence[Array] = ()
) -> dict[str, Array]:
    """Read `.weights.h5`; what does not fit the class is an error."""
    net = getattr(module, class_name)()
    net(*inputs)
    net.load_weights(path)
    return {name: _numpy(v) for name, v in _variables(net, "")}


def _variables(owner: Any, prefix: str) -> list[tuple[str, Any]]:
    """Every variable with the way that leads to it, as `codegen/keras/weights.py` names them."""
    found: list[tuple[str, Any]] = []
    seen: set[int] = set()
    waiting: list[tuple[str, Any]] = [(prefix, owner)]
    while waiting:
        place, thing = waiting.pop()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        if isinstance(thing, keras.Variable):
            found.append((place, thing))
            continue
        parts: list[tuple[str, Any]] = []
        if isinstance(thing, keras.Sequential):
            parts = [(str(i), layer) for i, layer in enumerate(thing.layers)]
        elif isinstance(thing, (list, tuple)):
            parts = [(str(i), item) for i, item in enumerate(thing)]
        elif isinstance(thing, keras.layers.Layer):
            parts = [(k, v) for k, v in vars(thing).items() if k[0] != "_"]
            parts += [(k[1:], v) for k, v in vars(thing).items() if k == "_kernel"]
        dot = f"{place}." if place else ""
        waiting += [
            (dot + name, part)
            for name, part in parts
            if isinstance(part, (keras.Variable, keras.layers.Layer, list, tuple))
        ]
    return found


def _variable(net: Any, path: str) -> Any:
    thing = net
    for part in path.split("."):
        if isinstance(thing, keras.Sequential):
            thing = thing.layers[int(part)]
        else:
            thing = thing[int(part)] if part.isdigit() else getattr(thing, part)
    return thing


def _fill(net: Any, weights: Mapping[str, Array]) -> None:
    for path, array in weights.items():
        _variable(net, path).assign(array)


def _arrays(net: Any, names: Mapping[str, Array]) -> dict[str, Array]:
    return {path: _numpy(_variable(net, path)) for path in names}


def _numpy(variable: Any) -> Array:
    return np.array(keras.ops.convert_to_numpy(variable))


def _function(module: ModuleType, request: TrainRequest, name: str) -> Callable[..., Any] | None:
    """A function of the program: with the program's name behind it, or by its own."""
    several: Callable[..., Any] | None = getattr(module, f"{name}_{snake(request.program)}", None)
    return several or getattr(module, name, None)
