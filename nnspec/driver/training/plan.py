"""Which rows each step of a run sees: told by numbers alone, so that a run can be taken up anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from nnspec.graph.weight_map import Array


@dataclass(frozen=True)
class Plan:
    """The order of the rows, epoch by epoch; the same for every target.

    rows: of the data. steps: updates in all; the last epoch ends with them. The last batch of an epoch holds what
    is left. seed: of the order, and of what is drawn (`draws`).
    """

    rows: int
    batch_size: int
    steps: int
    seed: int

    @property
    def batches(self) -> int:
        """Of an epoch."""
        return -(-self.rows // self.batch_size)

    @property
    def epochs(self) -> int:
        return -(-self.steps // self.batches)

    def length(self, epoch: int) -> int:
        """Batches of one epoch, counted from 1."""
        return min(self.batches, self.steps - (epoch - 1) * self.batches)

    def epoch(self, number: int, begin: int = 0) -> Iterator[Array]:
        """The rows of each batch of an epoch, from one batch on."""
        order = np.random.default_rng([self.seed, number]).permutation(self.rows)
        for batch in range(begin, self.length(number)):
            yield order[batch * self.batch_size : (batch + 1) * self.batch_size]

    def draws(self, step: int) -> int:
        """The seed of what is drawn after so many steps."""
        (number,) = np.random.SeedSequence([self.seed, step]).generate_state(1)
        return int(number) >> 1


def planned(
    rows: int, batch_size: int, seed: int, *, epochs: int | None, steps: int | None
) -> Plan:
    """The plan of so many epochs, or else of so many steps."""
    if epochs is not None:
        steps = epochs * -(-rows // batch_size)
    assert steps is not None
    return Plan(rows, batch_size, steps, seed)
