"""What a run of a training program asks of a target: `codegen/<target>/runner.py` has a class `Runner` of this kind.

It works in a process of its own (`nnspec/driver/training/process.py`), with the functions of the generated file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Protocol

from codegen.jobs import Weights
from codegen.target import ProgramNames
from nnspec.graph.weight_map import Array

Numbers = dict[str, float | int | str | bool | None]
"""What is kept of a run beside arrays."""

WEIGHTS = "weights"
"""What leads the names of a network's weights in a state: `weights/net/conv2d.weight`."""


@dataclass(frozen=True)
class RunRequest:
    """What is to be run.

    functions: of the program, in the generated module.
    networks: (name in the program, class in the generated module), in order.
    columns: names of the batch's columns.
    summaries: by figure that has several means, what makes one number of them (a snippet's name).
    accumulates: whether gradients stay from one step to the next.
    """

    functions: ProgramNames
    networks: tuple[tuple[str, str], ...]
    columns: tuple[str, ...]
    summaries: Mapping[str, str] = field(default_factory=dict)
    accumulates: bool = False


class Runner(Protocol):
    """Networks and optimizers of one program, moved on batch by batch.

    Made with weights in native names and layouts, with a batch that shows the columns' types and sizes, and with
    a seed for whatever is drawn before `seed` is called.
    Figures are added up over a pass, each weighted with its rows, where the framework computes: nothing waits for
    a number before `figures` is asked. What `state` gives and `restore` takes, together with `seed`, decides all
    that follows: a run that is restored goes on bit for bit.
    """

    def __init__(
        self,
        module: ModuleType,
        request: RunRequest,
        weights: Weights,
        sample: Sequence[Array],
        seed: int,
    ) -> None: ...

    device: str
    """Where it computes, as the framework says it."""

    def seed(self, number: int) -> None:
        """What random draws depend on from here on, beside what `state` holds."""

    def clear(self) -> None:
        """Begin a pass: its figures are those of the batches from here on."""

    def step(self, batch: Sequence[Array]) -> None:
        """One update on a batch."""

    def check(self, batch: Sequence[Array]) -> None:
        """The same figures without an update."""

    def figures(self) -> dict[str, float]:
        """Losses and metrics of the pass so far."""

    def state(self) -> tuple[dict[str, Array], Numbers]:
        """Everything that the next steps depend on, copied; names hold no more than two levels of what they are of."""

    def restore(self, arrays: Mapping[str, Array], numbers: Numbers) -> None:
        """Be as when `state` gave these."""


def named_weights(arrays: Mapping[str, Array]) -> Weights:
    """The networks' weights of a state, in native names."""
    found: Weights = {}
    for name, array in arrays.items():
        kind, _, rest = name.partition("/")
        if kind == WEIGHTS:
            network, _, own = rest.partition("/")
            found.setdefault(network, {})[own] = array
    return found
