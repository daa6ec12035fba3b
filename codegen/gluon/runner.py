"""Trains generated Gluon, batch by batch (`codegen/running.py`)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from codegen.gluon.runtime import arrays_of, mx, network, to_array
from codegen.jobs import Weights
from codegen.python.figures import single
from codegen.running import WEIGHTS, Numbers, RunRequest, named_weights
from nnspec.graph.weight_map import Array

STATE, COUNT, OWN, GRADIENT, TOTAL = "state", "count", "own", "gradient", "total"


class Runner:
    """Networks and trainers on the device that there is."""

    def __init__(
        self,
        module: ModuleType,
        request: RunRequest,
        weights: Weights,
        sample: Sequence[Array],
        seed: int,
    ) -> None:
        self.seed(seed)
        self.context = mx.gpu() if mx.context.num_gpus() else mx.cpu()
        self.device = str(self.context)
        functions = request.functions
        with self.context:
            self.networks = {
                name: network(getattr(module, cls), weights[name]) for name, cls in request.networks
            }
            if functions.hybrid:
                for net in self.networks.values():
                    net.hybridize()
            made = getattr(module, functions.make)(*self.networks.values())
        self.trainers = made if isinstance(made, tuple) else (made,)
        self._step = getattr(module, functions.step)
        self._evaluate = getattr(module, functions.evaluate)
        self.counted, self.steps = functions.counted, 0
        self.summaries, self.accumulates = request.summaries, request.accumulates
        self.totals: dict[str, Any] = {}
        self.rows = 0

    def seed(self, number: int) -> None:
        mx.random.seed(number)
        np.random.seed(number)

    def clear(self) -> None:
        self.totals, self.rows = {}, 0

    def step(self, batch: Sequence[Array]) -> None:
        self.steps += 1
        steps = [itertools.count(self.steps)] if self.counted else []
        self._take(self._step, (*self.networks.values(), *self.trainers, *steps), batch)

    def check(self, batch: Sequence[Array]) -> None:
        self._take(self._evaluate, tuple(self.networks.values()), batch)

    def _take(self, function: Any, given: Sequence[Any], batch: Sequence[Array]) -> None:
        rows = len(batch[0])
        with self.context:
            figures = function(*given, *map(to_array, batch))
        for name, figure in figures.items():
            # Added up on the device: nothing waits for a number.
            self.totals[name] = self.totals.get(name, 0) + rows * figure.detach()
        self.rows += rows

    def figures(self) -> dict[str, float]:
        means = {name: total.asnumpy() / self.rows for name, total in self.totals.items()}
        return {name: single(self.summaries.get(name), mean) for name, mean in means.items()}

    def state(self) -> tuple[dict[str, Array], Numbers]:
        arrays: dict[str, Array] = {}
        numbers: Numbers = {"steps": self.steps, "rows": self.rows}
        for name, net in self.networks.items():
            arrays |= {f"{WEIGHTS}/{name}/{own}": a for own, a in arrays_of(net).items()}
        arrays |= {name: gradient.asnumpy() for name, gradient in self._gradients()}
        for t, trainer in enumerate(self.trainers):
            # Some count in attributes of their own.
            own = vars(trainer.optimizer).items()
            numbers |= {f"{OWN}/{t}/{n}": v for n, v in own if type(v) in (int, float)}
            for index, count in trainer.optimizer._index_update_count.items():
                numbers[f"{COUNT}/{t}/{index}"] = count
            for index, state in trainer._updaters[0].states.items():
                arrays |= {
                    f"{STATE}/{t}/{index}/{i}": a.asnumpy() for i, a in enumerate(_flat(state))
                }
        arrays |= {f"{TOTAL}/{name}": a.asnumpy() for name, a in self.totals.items()}
        return arrays, numbers

    def restore(self, arrays: Mapping[str, Array], numbers: Numbers) -> None:
        self.steps, self.rows = int(numbers["steps"] or 0), int(numbers["rows"] or 0)
        for name, held in named_weights(arrays).items():
            for own, parameter in self.networks[name]._collect_params_with_prefix().items():
                parameter.set_data(to_array(held[own]))
        for t, trainer in enumerate(self.trainers):
            told = _under(f"{COUNT}/{t}/", numbers).items()
            counts = {int(index): int(count or 0) for index, count in told}
            optimizer, updater = trainer.optimizer, trainer._updaters[0]
            optimizer._index_update_count.clear()
            optimizer._index_update_count.update(counts)
            for name in vars(optimizer).keys() & _under(f"{OWN}/{t}/", numbers).keys():
                setattr(optimizer, name, numbers[f"{OWN}/{t}/{name}"])
            updater.states.clear()
            updater.states_synced.clear()
            for index in counts:
                weight = trainer._params[index].data(self.context)
                state = optimizer.create_state_multi_precision(index, weight)
                for i, array in enumerate(_flat(state)):
                    array[:] = to_array(arrays[f"{STATE}/{t}/{index}/{i}"])
                updater.states[index], updater.states_synced[index] = state, True
        for name, gradient in self._gradients():
            gradient[:] = to_array(arrays[name])
        totals = (name for name in arrays if name.startswith(f"{TOTAL}/"))
        with self.context:
            self.totals = {n.removeprefix(f"{TOTAL}/"): to_array(arrays[n]) for n in totals}

    def _gradients(self) -> Iterator[tuple[str, Any]]:
        """Those that stay from one step to the next."""
        for name, net in self.networks.items():
            for own, parameter in net._collect_params_with_prefix().items():
                if self.accumulates and parameter.grad_req == "add":
                    yield f"{GRADIENT}/{name}/{own}", parameter.grad()


def _under(prefix: str, numbers: Numbers) -> Numbers:
    """The numbers whose names begin so, without it."""
    return {n.removeprefix(prefix): v for n, v in numbers.items() if n.startswith(prefix)}


def _flat(state: Any) -> Iterator[Any]:
    """The arrays of what an optimizer keeps of a weight: one, several or none."""
    if isinstance(state, (list, tuple)):
        for part in state:
            yield from _flat(part)
    elif state is not None:
        yield state
