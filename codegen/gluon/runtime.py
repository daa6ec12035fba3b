"""Runs generated Gluon programs; the only file of this package that imports MXNet.

Called by `nnspec.driver.worker`, in a process of its own.
"""

from __future__ import annotations

import inspect
import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from codegen.jobs import TrainRequest, TrainResult, Weights
from nnspec.graph.weight_map import Array

MISSING_LIBRARY = """MXNet is installed but could not be loaded: {error}
It needs the system libraries libgomp1 and libquadmath0 (Debian and Ubuntu:
apt-get install libgomp1 libquadmath0)."""

WRONG_NUMPY = """MXNet is installed but could not be loaded: {error}
MXNet 1.9.1 works with numpy below 2 and Python up to 3.11, or later with setuptools;
this is numpy {numpy}: pip install "nnspec[gluon]" brings what it needs."""


def _import_mxnet() -> Any:
    # MXNet 1.9.1 uses the name np.bool, which numpy 1.24 took out.
    if "bool" not in vars(np):
        np.bool = bool  # type: ignore[attr-defined]
    os.environ.setdefault("MXNET_SUBGRAPH_VERBOSE", "0")
    try:
        import mxnet
    except ModuleNotFoundError as error:
        if error.name == "mxnet":
            raise SystemExit('MXNet is not installed: pip install "nnspec[gluon]"') from None
        raise SystemExit(WRONG_NUMPY.format(error=error, numpy=np.__version__)) from None
    except OSError as error:
        raise SystemExit(MISSING_LIBRARY.format(error=error)) from None
    except (AttributeError, ImportError) as error:
        raise SystemExit(WRONG_NUMPY.format(error=error, numpy=np.__version__)) from None
    return mxnet


mx = _import_mxnet()


def predict(
    module: ModuleType,
    class_name: str,
    weights: dict[str, Array],
    inputs: list[Array],
    training: bool = False,
) -> list[Array]:
    """Outputs of a model; in training mode batch norms use the statistics of the batch."""
    model = getattr(module, class_name)
    arrays = [to_array(a) for a in inputs]
    if not isinstance(model, type):
        return _predict_symbol(model, weights, arrays, training)
    net = network(model, weights)
    with mx.autograd.pause(train_mode=training):
        return [a.asnumpy() for a in _flat(net(*arrays))]


def _predict_symbol(
    get_symbol: Any, weights: Mapping[str, Array], inputs: Sequence[Any], training: bool
) -> list[Array]:
    """The same for a symbol, bound with `Module`; its data are named as the function's arguments."""
    symbol = get_symbol()
    names = list(inspect.signature(get_symbol).parameters)
    shapes = [
        # Without a layout Module does not ask all inputs to have one batch size.
        mx.io.DataDesc(name, array.shape, dtype=array.dtype, layout="")
        for name, array in zip(names, inputs)
    ]
    bound = mx.mod.Module(symbol, data_names=names, label_names=None)
    bound.bind(data_shapes=shapes, for_training=training)
    arguments, states = _split(symbol, weights)
    bound.init_params(arg_params=arguments, aux_params=states)
    bound.forward(mx.io.DataBatch(data=list(inputs)), is_train=training)
    return [a.asnumpy() for a in bound.get_outputs()]


def _split(symbol: Any, weights: Mapping[str, Array]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Arguments and auxiliary states, as Module takes them."""
    states = set(symbol.list_auxiliary_states())
    arrays = {name: to_array(array) for name, array in weights.items()}
    return (
        {n: a for n, a in arrays.items() if n not in states},
        {n: a for n, a in arrays.items() if n in states},
    )


def differentiate(
    module: ModuleType,
    class_name: str,
    weights: dict[str, Array],
    inputs: list[Array],
    projections: list[Array],
    training: bool = True,
) -> dict[str, Any]:
    """Outputs in training mode or evaluation, and gradients of their sum times `projections`."""
    net = network(getattr(module, class_name), weights)
    arrays = [to_array(a) for a in inputs]
    floats = [a if _is_float(a) else None for a in arrays]
    parameters = net._collect_params_with_prefix().items()
    trained = {name: p for name, p in parameters if p.grad_req != "null"}
    moving = [a for a in floats if a is not None]
    for array in moving:
        array.attach_grad()
    leaves = [*moving, *(p.data() for p in trained.values())]
    with mx.autograd.record(train_mode=training):
        outputs = _flat(net(*arrays))
        terms = [
            o * to_array(p.astype(o.dtype)) for o, p in zip(outputs, projections) if _is_float(o)
        ]
        # MXNet refuses to derive what none of the leaves has reached: each has a part in it.
        terms += [leaf * 0 for leaf in leaves]
        total = sum(t.astype("float64").sum() for t in terms)
    if leaves:
        total.backward(train_mode=training)
    return {
        "outputs": [o.asnumpy() for o in outputs],
        "weights": {name: p.grad().asnumpy() for name, p in trained.items()},
        "inputs": [None if a is None else a.grad.asnumpy() for a in floats],
        "state": arrays_of(net),
    }


def _is_float(array: Any) -> bool:
    return np.dtype(array.dtype).kind == "f"


def train(
    module: ModuleType,
    request: TrainRequest,
    weights: Weights,
    batches: list[list[Array]],
) -> TrainResult:
    """Take the generated program's own training steps, and report what they did."""
    names = [name for name, _ in request.networks]
    nets = [network(getattr(module, cls), weights[name]) for name, cls in request.networks]
    made = getattr(module, request.functions.make)(*nets)
    trainers = list(made) if isinstance(made, tuple) else [made]
    train_step = getattr(module, request.functions.step)
    steps = [itertools.count(1)] if request.functions.counted else []

    result = TrainResult([], [])
    for count, batch in enumerate(batches[: max(request.at)], start=1):
        columns = list(map(to_array, batch))
        with _recorded(trainers if count == 1 else [], names, nets, result.gradients):
            report = train_step(*nets, *trainers, *steps, *columns)
        result.losses.append([loss.asscalar() for loss in list(report.values())[: request.losses]])
        if count in request.at:
            result.weights[str(count)] = {n: arrays_of(net) for n, net in zip(names, nets)}
    return result


@contextmanager
def _recorded(
    trainers: Sequence[Any], names: Sequence[str], nets: Sequence[Any], gradients: list[Weights]
) -> Iterator[None]:
    """Keep the gradients that each trainer is about to use."""

    def listen(trainer: Any) -> None:
        step = trainer.step
        updated = {id(p) for p in trainer._params}

        def wrapped(*arguments: Any, **keywords: Any) -> None:
            gradients.append({n: _gradients(net, updated) for n, net in zip(names, nets)})
            step(*arguments, **keywords)

        trainer.step = wrapped

    for trainer in trainers:
        listen(trainer)
    yield
    for trainer in trainers:
        del trainer.step


def _gradients(net: Any, updated: set[int]) -> dict[str, Array]:
    """Of each parameter; zeros where the trainer leaves it as it is."""
    return {
        name: parameter.grad().asnumpy() if id(parameter) in updated else np.zeros(parameter.shape)
        for name, parameter in net._collect_params_with_prefix().items()
        if parameter.grad_req != "null"
    }


def save_native(
    module: ModuleType,
    class_name: str,
    weights: dict[str, Array],
    path: Path,
) -> None:
    """Write `.params`: structural names for a block, `arg:` and `aux:` names for a symbol."""
    model = getattr(module, class_name)
    if isinstance(model, type):
        network(model, weights).save_parameters(str(path))
        return
    arguments, states = _split(model(), weights)
    named = {f"arg:{n}": a for n, a in arguments.items()}
    mx.nd.save(str(path), named | {f"aux:{n}": a for n, a in states.items()})


def load_native(module: ModuleType, class_name: str, path: Path) -> dict[str, Array]:
    """Read `.params` of either kind; the result has the names without `arg:` and `aux:`."""
    try:
        loaded = mx.nd.load(str(path))
    except mx.base.MXNetError:
        raise SystemExit(f"{path} is not a .params file of MXNet") from None
    if not isinstance(loaded, dict):
        raise SystemExit(f"{path} holds arrays without names, so not the weights of a model")
    return {
        name.removeprefix("arg:").removeprefix("aux:"): a.asnumpy() for name, a in loaded.items()
    }


def network(model: Any, weights: Mapping[str, Array]) -> Any:
    """An instance that holds these weights, in their precision."""
    net = model()
    net.initialize()
    if {a.dtype for a in weights.values() if a.dtype.kind == "f"} == {np.dtype(np.float64)}:
        net.cast("float64")
    parameters = net._collect_params_with_prefix()
    unknown = sorted(set(weights) - set(parameters))
    if unknown:
        raise SystemExit(f"{model.__name__} has no weight {', '.join(unknown)}")
    for name, array in weights.items():
        parameters[name].set_data(to_array(array))
    return net


def arrays_of(net: Any) -> dict[str, Array]:
    return {n: p.data().asnumpy() for n, p in net._collect_params_with_prefix().items()}


def to_array(array: Array) -> Any:
    # MXNet's operators take no booleans.
    return mx.nd.array(array, dtype="int8" if array.dtype == bool else array.dtype)


def _flat(outputs: Any) -> list[Any]:
    return list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
