"""Trains generated Keras, batch by batch (`codegen/running.py`).

The steps are those that `fit` takes: the model's own `train_step` and `test_step`, compiled as `fit` compiles them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any

import keras
import numpy as np
import tensorflow
from keras.src.random.seed_generator import global_seed_generator

from codegen.jobs import Weights
from codegen.keras.runtime import network, to_array, use, variables_of
from codegen.running import WEIGHTS, Numbers, RunRequest, named_weights
from nnspec.graph.weight_map import Array

OTHER = "other"


class Runner:
    """The compiled network, or the trainer that holds the networks."""

    def __init__(
        self,
        module: ModuleType,
        request: RunRequest,
        weights: Weights,
        sample: Sequence[Array],
        seed: int,
    ) -> None:
        use("f32")
        keras.utils.set_random_seed(seed)
        self.device = tensorflow.config.list_logical_devices()[-1].device_type.lower()
        self.networks = {n: network(module, cls, weights[n]) for n, cls in request.networks}
        made = getattr(module, request.functions.make)(*self.networks.values())
        prepare = request.functions.prepare
        self.model = next(iter(self.networks.values())) if prepare else made
        self.columns = request.columns
        self._given = getattr(module, prepare) if prepare else lambda columns: columns
        self.draws = global_seed_generator()
        # Traced, a step makes the states that optimizers and metrics keep.
        self._train = self._compiled(self.model.train_step, sample)
        self._check: Callable[..., Any] | None = None
        self.told: Mapping[str, Any] = {}

    def _compiled(self, step: Callable[..., Any], sample: Sequence[Array]) -> Callable[..., Any]:
        """A step for batches of any number of rows."""
        types = map(tensorflow.as_dtype, (a.dtype for a in sample))
        signature = [tensorflow.TensorSpec([None, *a.shape[1:]], t) for a, t in zip(sample, types)]

        def taken(*batch: Any) -> Any:
            return step(self._given(dict(zip(self.columns, batch, strict=True))))

        compiled = tensorflow.function(
            taken, input_signature=signature, jit_compile=self.model.jit_compile, autograph=False
        )
        compiled.get_concrete_function()
        return compiled  # type: ignore[no-any-return]

    def seed(self, number: int) -> None:
        """Nothing: all generators are variables, and part of the state."""

    def clear(self) -> None:
        self.model.reset_metrics()

    def step(self, batch: Sequence[Array]) -> None:
        self.told = self._train(*batch)

    def check(self, batch: Sequence[Array]) -> None:
        if self._check is None:
            self._check = self._compiled(self.model.test_step, batch)
        self.told = self._check(*batch)

    def figures(self) -> dict[str, float]:
        # Those of the step: a trainer has a `loss` of Keras's, which it does not fill.
        found = self.model.get_metrics_result()
        return {name: float(found[name]) for name in self.told}

    def state(self) -> tuple[dict[str, Array], Numbers]:
        arrays: dict[str, Array] = {}
        for name, net in self.networks.items():
            held = variables_of(net)
            arrays |= {f"{WEIGHTS}/{name}/{own}": to_array(v).copy() for own, v in held}
        others = enumerate(self._others())
        return arrays | {f"{OTHER}/{i}": to_array(v).copy() for i, v in others}, {}

    def _others(self) -> Iterator[Any]:
        """What steps go by beside weights: of optimizers, metrics and generators of random numbers."""
        weights = {id(v) for net in self.networks.values() for _, v in variables_of(net)}
        held = vars(self.model).values()
        optimizers = {id(o): o for o in held if isinstance(o, keras.optimizers.Optimizer)}
        if self.model.optimizer is not None:
            optimizers.setdefault(id(self.model.optimizer), self.model.optimizer)
        kept = [self.draws.state, *self.model.variables, *self.model.metrics_variables]
        for optimizer in optimizers.values():
            own = vars(optimizer).values()
            kept += [*optimizer.variables, *(v for v in own if isinstance(v, keras.Variable))]
        seen: set[int] = set(weights)
        for variable in kept:
            if id(variable) not in seen:
                seen.add(id(variable))
                yield variable

    def restore(self, arrays: Mapping[str, Array], numbers: Numbers) -> None:
        for name, held in named_weights(arrays).items():
            for own, variable in variables_of(self.networks[name]):
                variable.assign(held[own])
        for i, variable in enumerate(self._others()):
            variable.assign(np.asarray(arrays[f"{OTHER}/{i}"]))
