"""Numbers for symbolic sizes with which a graph can be run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nnspec.core.dims import substitute, symbols
from nnspec.graph.graph import Call, Node
from nnspec.graph.training import TrainStep

MOST = 2**20
"""Where looking for a size that fits ends."""


def large_enough(steps: Sequence[TrainStep], sizes: Mapping[str, int]) -> dict[str, int]:
    """These sizes, larger where with them a value would have an axis without cells: five steps into a window of seven."""
    grown = dict(sizes)
    while (short := _too_small(steps, grown)) and all(grown[name] < MOST for name in short):
        for name in sorted(short):
            larger = grown[name] + max(1, grown[name] // 2)
            while larger in grown.values():  # no two axes agree by chance
                larger += 1
            grown[name] = larger
    return grown


def _too_small(steps: Sequence[TrainStep], sizes: Mapping[str, int]) -> set[str]:
    """Names of sizes to which an axis without cells is due."""
    names: set[str] = set()
    for step in steps:
        if not isinstance(step, (Call, Node)):
            continue
        for dim in {d for v in step.outputs for d in v.type.shape}:
            found = substitute(dim, sizes)
            if isinstance(found, int) and found < 1:
                names |= symbols(dim)
        if isinstance(step, Call):
            within = dict(sizes)
            origins: dict[str, set[str]] = {}
            # A cell is given one step of what the scan is given, of the same sizes by name.
            pairs = zip(step.inputs, step.body.inputs, strict=True) if step.loop is None else ()
            for outer, inner in pairs:
                for given, taken in zip(outer.type.shape, inner.type.shape, strict=True):
                    number = substitute(given, sizes)
                    if isinstance(number, int) and symbols(taken) == {str(taken)}:
                        within[str(taken)] = number
                        origins[str(taken)] = symbols(given)
            for name in _too_small(step.body.steps, within):
                names |= origins.get(name, {name})
    return names & set(sizes)
