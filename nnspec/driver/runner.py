"""What runs a model: its inputs checked, its outputs by name, its latency."""

from __future__ import annotations

import statistics
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from nnspec.driver.tensors import Input, check_shapes, converted
from nnspec.report.diagnostics import Diagnostic, SpecError, did_you_mean

if TYPE_CHECKING:
    from nnspec.graph.weight_map import Array

WARM_UP = 5
"""Calls that do not count, before those that are measured."""
SECONDS = 2.0
"""So long the calls that count go on, and for ten of them at least."""


@dataclass(frozen=True)
class Latency:
    """Of one call, in seconds; rows is the batch it was measured with."""

    median: float
    p90: float
    fastest: float
    calls: int
    rows: int

    @property
    def per_second(self) -> float:
        """Examples in a second at this batch."""
        return self.rows / self.median

    def to_json(self) -> dict[str, float]:
        return {
            "median_ms": self.median * 1e3,
            "p90_ms": self.p90 * 1e3,
            "fastest_ms": self.fastest * 1e3,
            "calls": self.calls,
            "batch": self.rows,
            "examples_per_second": self.per_second,
        }


@dataclass(frozen=True)
class Runner(ABC):
    """A loaded model.

    device: where it computes, "cpu", "cuda" or "definition"; notes: why not elsewhere, where that was asked for.
    """

    device: str
    notes: tuple[Diagnostic, ...]

    @property
    @abstractmethod
    def inputs(self) -> tuple[Input, ...]:
        """What it reads."""

    @property
    @abstractmethod
    def outputs(self) -> tuple[str, ...]:
        """Names of what it gives."""

    @property
    @abstractmethod
    def names_sizes(self) -> bool:
        """Whether sizes of one name are equal in all inputs, as in a spec."""

    @abstractmethod
    def _call(self, checked: Mapping[str, Array]) -> list[Array]:
        """The outputs for inputs that fit; raises `SpecError` (E0717) where the model itself fails."""

    @cached_property
    def symbols(self) -> dict[str, bool]:
        """Names of sizes that the caller chooses, in order; true for that of the batch."""
        names: dict[str, bool] = {}
        for i in self.inputs:
            for axis, dim in enumerate(i.shape):
                if isinstance(dim, str) and dim.isidentifier():
                    names[dim] = names.get(dim, False) or axis == 0
        return names

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Outputs by name; raises `SpecError` where an input does not fit."""
        checked = self._checked(feeds)
        return dict(zip(self.outputs, self._call(checked), strict=True))

    def bench(self, feeds: Mapping[str, Array], *, warm_up: int = WARM_UP) -> Latency:
        """Latency of calls with these inputs, after some that do not count."""
        checked = self._checked(feeds)
        for _ in range(warm_up):
            self._call(checked)
        times: list[float] = []
        end = time.perf_counter() + SECONDS
        while time.perf_counter() < end or len(times) < 10:
            start = time.perf_counter()
            self._call(checked)
            times.append(time.perf_counter() - start)
        times.sort()
        rows = next((a.shape[0] for a in checked.values() if a.ndim), 1)
        return Latency(
            statistics.median(times), times[int(len(times) * 0.9)], times[0], len(times), rows
        )

    def examples(self, sizes: Mapping[str, int]) -> dict[str, Array]:
        """Inputs to measure with: zeros; sizes that the model does not say are 1 or as given."""
        return {
            i.name: np.zeros(
                [d if isinstance(d, int) else sizes.get(str(d), 1) for d in i.shape],
                i.type.dtype if i.type else None,
            )
            for i in self.inputs
        }

    def _checked(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Every input, as the model takes it."""
        names = [i.name for i in self.inputs]
        for name in feeds:
            if name not in names:
                raise SpecError(
                    Diagnostic(
                        "E0710",
                        f"the model has no input `{name}`",
                        notes=(f"its inputs: {', '.join(names) or 'none'}",),
                        helps=did_you_mean(name, names),
                    )
                )
        missing = [n for n in names if n not in feeds]
        if missing:
            raise SpecError(
                Diagnostic(
                    "E0710",
                    f"no value for the input `{missing[0]}`",
                    helps=(f"give a file for it: `{missing[0]}=FILE.npy`",),
                )
            )
        arrays = {i.name: converted(i, feeds[i.name], i.name) for i in self.inputs}
        shaped = {i.name: (i, arrays[i.name]) for i in self.inputs}
        check_shapes(shaped, named=self.names_sizes)
        return arrays
