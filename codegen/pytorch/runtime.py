"""Runs generated PyTorch in a process of its own (`nnspec/driver/worker.py`)."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from codegen.jobs import TrainRequest, TrainResult, Weights
from nnspec.core.dtypes import DTYPES
from nnspec.graph.weight_map import Array

BF16 = DTYPES["bf16"].numpy


def predict(
    module: ModuleType,
    class_name: str,
    weights: Mapping[str, Array],
    inputs: Sequence[Array],
    training: bool = False,
) -> list[Array]:
    """Outputs of a model, in the types of its weights and inputs."""
    net = network(module, class_name, weights).train(training)
    with torch.no_grad():
        result = net(*map(to_tensor, inputs))
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
    net = network(module, class_name, weights).train(training)
    tensors = list(map(to_tensor, inputs))
    for x in tensors:
        x.requires_grad_(x.is_floating_point())
    result = net(*tensors)
    outputs = result if isinstance(result, tuple) else (result,)
    total = sum(
        (o * torch.tensor(p)).sum() for o, p in zip(outputs, projections) if o.requires_grad
    )
    if isinstance(total, torch.Tensor):
        total.backward()
    trained = {n: p for n, p in net.named_parameters() if p.requires_grad}
    return {
        "outputs": [o.detach().numpy() for o in outputs],
        "weights": {n: _gradient(p) for n, p in trained.items()},
        "inputs": [_gradient(x) if x.requires_grad else None for x in tensors],
        "state": arrays_of(net),
    }


def _gradient(leaf: Any) -> Array:
    array: Array = (torch.zeros_like(leaf) if leaf.grad is None else leaf.grad).numpy()
    return array


def train(
    module: ModuleType,
    request: TrainRequest,
    weights: Weights,
    batches: Sequence[Sequence[Array]],
) -> TrainResult:
    """Take the generated program's own steps, and note what happens at each."""
    networks = {name: network(module, cls, weights[name]).train() for name, cls in request.networks}
    result = TrainResult([], [])
    made = getattr(module, request.functions.make)(*networks.values())
    optimizers = made if isinstance(made, tuple) else (made,)
    for optimizer in optimizers:
        _watch(optimizer, networks, result, request.updates)
    step = getattr(module, request.functions.step)
    steps = [itertools.count(1)] if request.functions.counted else []
    for number in range(1, max(request.at) + 1):
        batch = batches[(number - 1) % len(batches)]
        figures = step(*networks.values(), *optimizers, *steps, *map(to_tensor, batch))
        result.losses.append([loss.item() for loss in list(figures.values())[: request.losses]])
        if number in request.at:
            result.weights[str(number)] = {n: arrays_of(net) for n, net in networks.items()}
    return result


def _watch(optimizer: Any, networks: Mapping[str, Any], result: TrainResult, updates: int) -> None:
    """Note the gradients of the first step, just before the optimizer uses them."""
    own = {id(p) for group in optimizer.param_groups for p in group["params"]}

    def note(*_: object) -> None:
        if len(result.gradients) == updates:
            return
        found: Weights = {}
        for name, net in networks.items():
            gradients = {
                key: to_array(torch.zeros_like(p) if p.grad is None else p.grad).copy()
                for key, p in net.named_parameters()
                if id(p) in own and p.requires_grad
            }
            if gradients:
                found[name] = gradients
        result.gradients.append(found)

    optimizer.register_step_pre_hook(note)


def save_native(
    module: ModuleType,
    class_name: str,
    weights: Mapping[str, Array],
    path: Path,
) -> None:
    """Write a state dict as `.safetensors`."""
    save_file(network(module, class_name, weights).state_dict(), path)


def load_native(module: ModuleType, class_name: str, path: Path) -> dict[str, Array]:
    """Read a state dict; what does not fit the class is an error."""
    net = getattr(module, class_name)()
    net.load_state_dict(load_file(path))
    return arrays_of(net)


def network(module: ModuleType, class_name: str, weights: Mapping[str, Array]) -> Any:
    net = getattr(module, class_name)()
    state = {name: to_tensor(array) for name, array in weights.items()}
    # Parameters of a layer that the language does not have follow the others.
    if {t.dtype for t in state.values() if t.is_floating_point()} == {torch.float64}:
        net = net.double()
    held = net.state_dict()
    for name, tensor in state.items():
        if name in held:
            _held(net, name).data = _held(net, name).data.to(tensor.dtype)
    found = net.load_state_dict(state, strict=False)
    # The language has no count of BatchNorm's batches and no parameter that stays as it is.
    fixed = {name for name, p in net.named_parameters() if not p.requires_grad}
    missing = [n for n in found.missing_keys if n not in fixed and "num_batches_tracked" not in n]
    if found.unexpected_keys or missing:
        raise KeyError(f"weights do not fit {class_name}: {[*found.unexpected_keys, *missing]}")
    return net


def _held(net: Any, name: str) -> Any:
    """A parameter or buffer by its name in the state dict."""
    owner, _, last = name.rpartition(".")
    return getattr(net.get_submodule(owner), last)


def to_tensor(array: Array) -> Any:
    if array.dtype == BF16:
        return torch.tensor(array.view(np.int16)).view(torch.bfloat16)
    return torch.tensor(array)


def to_array(tensor: Any) -> Array:
    if tensor.dtype == torch.bfloat16:
        bits: Array = tensor.detach().contiguous().view(torch.int16).numpy()
        return bits.view(BF16)
    return tensor.detach().numpy()  # type: ignore[no-any-return]


def arrays_of(net: Any) -> dict[str, Array]:
    return {name: to_array(t).copy() for name, t in net.state_dict().items()}
