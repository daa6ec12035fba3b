"""Runs generated PyTorch in a process of its own (`nnspec/driver/worker.py`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from nnspec.driver.worker import TrainRequest, TrainResult, Weights
from nnspec.graph.weight_map import Array

_DTYPES = {"f32": torch.float32, "f64": torch.float64}


def predict(
    module: ModuleType,
    class_name: str,
    weights: Mapping[str, Array],
    inputs: Sequence[Array],
    training: bool = False,
) -> list[Array]:
    """Outputs of a model; in f64 where the weights or inputs are."""
    net = _network(module, class_name, weights)
    wide = any(a.dtype == "float64" for a in (*weights.values(), *inputs))
    net = net.to(_DTYPES["f64" if wide else "f32"]).train(training)
    with torch.no_grad():
        result = net(*(_tensor(a, "f64" if wide else "f32") for a in inputs))
    outputs = result if isinstance(result, tuple) else (result,)
    return [o.numpy() for o in outputs]


def train(
    module: ModuleType,
    request: TrainRequest,
    weights: Weights,
    batches: Sequence[Sequence[Array]],
) -> TrainResult:
    """Take the generated program's own steps, and note what happens at each."""
    networks = {
        name: _network(module, cls, weights[name]).to(_DTYPES[request.dtype]).train()
        for name, cls in request.networks
    }
    result = TrainResult([], [])
    made = getattr(module, request.functions.make)(*networks.values())
    optimizers = made if isinstance(made, tuple) else (made,)
    for optimizer in optimizers:
        _watch(optimizer, networks, result, len(optimizers))
    step = getattr(module, request.functions.step)
    for number in range(1, max(request.at) + 1):
        batch = batches[(number - 1) % len(batches)]
        with _noted_losses() as losses:
            step(*networks.values(), *optimizers, *(_tensor(a, request.dtype) for a in batch))
        result.losses.append(losses)
        if number in request.at:
            result.weights[str(number)] = {n: _arrays(net) for n, net in networks.items()}
    return result


def _watch(
    optimizer: Any, networks: Mapping[str, Any], result: TrainResult, minimizes: int
) -> None:
    """Note the gradients of the first step, just before the optimizer uses them."""
    own = {id(p) for group in optimizer.param_groups for p in group["params"]}

    def note(*_: object) -> None:
        if len(result.gradients) == minimizes:
            return
        found: Weights = {}
        for name, net in networks.items():
            gradients = {
                key: (torch.zeros_like(p) if p.grad is None else p.grad).numpy().copy()
                for key, p in net.named_parameters()
                if id(p) in own and p.requires_grad
            }
            if gradients:
                found[name] = gradients
        result.gradients.append(found)

    optimizer.register_step_pre_hook(note)


@contextmanager
def _noted_losses() -> Iterator[list[float]]:
    """The value of every loss from which `backward` starts, in order."""
    backward: Callable[..., Any] = torch.Tensor.backward
    losses: list[float] = []

    def noting(loss: Any, *arguments: Any, **keywords: Any) -> Any:
        losses.append(float(loss.detach()))
        return backward(loss, *arguments, **keywords)

    torch.Tensor.backward = noting
    try:
        yield losses
    finally:
        torch.Tensor.backward = backward


def save_native(
    module: ModuleType,
    class_name: str,
    weights: Mapping[str, Array],
    path: Path,
) -> None:
    """Write a state dict as `.safetensors`."""
    save_file(_network(module, class_name, weights).state_dict(), path)


def load_native(module: ModuleType, class_name: str, path: Path) -> dict[str, Array]:
    """Read a state dict; what does not fit the class is an error."""
    net = getattr(module, class_name)()
    net.load_state_dict(load_file(path))
    return _arrays(net)


def _network(module: ModuleType, class_name: str, weights: Mapping[str, Array]) -> Any:
    net = getattr(module, class_name)()
    state = {name: torch.tensor(array) for name, array in weights.items()}
    if any(t.dtype == torch.float64 for t in state.values()):
        net = net.double()
    found = net.load_state_dict(state, strict=False)
    # The language has no count of BatchNorm's batches and no parameter that stays as it is.
    fixed = {name for name, p in net.named_parameters() if not p.requires_grad}
    missing = [n for n in found.missing_keys if n not in fixed and "num_batches_tracked" not in n]
    if found.unexpected_keys or missing:
        raise KeyError(f"weights do not fit {class_name}: {[*found.unexpected_keys, *missing]}")
    return net


def _tensor(array: Array, dtype: str) -> Any:
    tensor = torch.tensor(array)
    return tensor.to(_DTYPES[dtype]) if tensor.is_floating_point() else tensor


def _arrays(net: Any) -> dict[str, Array]:
    return {name: t.detach().numpy().copy() for name, t in net.state_dict().items()}
