"""Trains generated PyTorch, batch by batch (`codegen/running.py`)."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from operator import itemgetter
from types import ModuleType
from typing import Any

import numpy as np
import torch

from codegen.jobs import Weights
from codegen.python.figures import single
from codegen.pytorch.runtime import arrays_of, network, to_array, to_tensor
from codegen.running import WEIGHTS, Numbers, RunRequest, named_weights
from nnspec.graph.weight_map import Array

OPTIMIZER, GROUP, GRADIENT, TOTAL = "optimizer", "group", "gradient", "total"


class Runner:
    """Networks and optimizers on the device that there is."""

    def __init__(
        self,
        module: ModuleType,
        request: RunRequest,
        weights: Weights,
        sample: Sequence[Array],
        seed: int,
    ) -> None:
        self.seed(seed)
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.networks = {
            name: network(module, cls, weights[name]).to(self.device)
            for name, cls in request.networks
        }
        functions = request.functions
        made = getattr(module, functions.make)(*self.networks.values())
        self.optimizers = made if isinstance(made, tuple) else (made,)
        self._step = getattr(module, functions.step)
        self._evaluate = getattr(module, functions.evaluate)
        self.counted, self.steps = functions.counted, 0
        self.summaries, self.accumulates = request.summaries, request.accumulates
        self.totals: dict[str, Any] = {}
        self.rows = 0

    def seed(self, number: int) -> None:
        torch.manual_seed(number)

    def clear(self) -> None:
        self.totals, self.rows = {}, 0

    def step(self, batch: Sequence[Array]) -> None:
        self.steps += 1
        steps = [itertools.count(self.steps)] if self.counted else []
        given = *self.networks.values(), *self.optimizers, *steps
        self._take(self._step, given, batch, training=True)

    def check(self, batch: Sequence[Array]) -> None:
        self._take(self._evaluate, tuple(self.networks.values()), batch, training=False)

    def _take(self, function: Any, given: Sequence[Any], batch: Any, *, training: bool) -> None:
        for net in self.networks.values():
            if net.training != training:
                net.train(training)
        rows = len(batch[0])
        columns = (to_tensor(column).to(self.device) for column in batch)
        for name, figure in function(*given, *columns).items():
            # Added up on the device: nothing waits for a number.
            self.totals[name] = self.totals.get(name, 0) + rows * figure.detach()
        self.rows += rows

    def figures(self) -> dict[str, float]:
        means = {name: total.cpu().numpy() / self.rows for name, total in self.totals.items()}
        return {name: single(self.summaries.get(name), mean) for name, mean in means.items()}

    def state(self) -> tuple[dict[str, Array], Numbers]:
        arrays: dict[str, Array] = {}
        numbers: Numbers = {"steps": self.steps, "rows": self.rows}
        for name, net in self.networks.items():
            held = arrays_of(net)
            arrays |= {f"{WEIGHTS}/{name}/{own}": array for own, array in held.items()}
        for name, value in self._kept():
            if isinstance(value, torch.Tensor):
                arrays[name] = to_array(value.cpu()).copy()
            elif value is None or isinstance(value, (bool, int, float, str)):
                numbers[name] = value
        arrays |= {f"{TOTAL}/{name}": to_array(t.cpu()) for name, t in self.totals.items()}
        return arrays, numbers

    def _kept(self) -> Any:
        """What the optimizers keep of each weight, and the settings that may move with the steps."""
        for number, optimizer in enumerate(self.optimizers):
            for g, group in enumerate(optimizer.param_groups):
                for key, value in group.items():
                    if key != "params":
                        yield f"{GROUP}/{number}/{g}/{key}", value
                for p, weight in enumerate(group["params"]):
                    if self.accumulates and weight.grad is not None:
                        yield f"{GRADIENT}/{number}/{g}/{p}", weight.grad
                    for i, (key, value) in enumerate(optimizer.state.get(weight, {}).items()):
                        # Some go by the order of what is kept.
                        yield f"{OPTIMIZER}/{number}/{g}/{p}/{i:03}/{key}", value

    def restore(self, arrays: Mapping[str, Array], numbers: Numbers) -> None:
        self.steps, self.rows = int(numbers["steps"] or 0), int(numbers["rows"] or 0)
        for name, held in named_weights(arrays).items():
            state = {own: to_tensor(array) for own, array in held.items()}
            self.networks[name].load_state_dict(state)
        for optimizer in self.optimizers:
            optimizer.state.clear()
            optimizer.zero_grad()
        self.totals = {}
        for name, value in sorted([*arrays.items(), *numbers.items()], key=itemgetter(0)):
            kind, _, rest = name.partition("/")
            if kind == TOTAL:
                self.totals[rest] = to_tensor(arrays[name]).to(self.device)
            elif kind == OPTIMIZER:
                number, g, p, _, key = rest.split("/", 4)
                optimizer = self.optimizers[int(number)]
                weight = optimizer.param_groups[int(g)]["params"][int(p)]
                held = optimizer.state.setdefault(weight, {})
                # PyTorch's own count their steps on the host.
                own = type(optimizer).__module__.startswith("torch.")
                held[key] = _held(value, "cpu" if own and key == "step" else weight.device)
            elif kind == GRADIENT:
                number, g, p = rest.split("/")
                weight = self.optimizers[int(number)].param_groups[int(g)]["params"][int(p)]
                weight.grad = _held(value, weight.device)
            elif kind == GROUP:
                number, g, key = rest.split("/", 2)
                optimizer = self.optimizers[int(number)]
                optimizer.param_groups[int(g)][key] = _held(value, self.device)


def _held(value: Any, device: Any) -> Any:
    return to_tensor(value).to(device) if isinstance(value, np.ndarray) else value
