"""What is trained, on what, with which framework; and what is heard and had of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from codegen.running import WEIGHTS, named_weights
from codegen.target import Emitted, Target
from nnspec.catalogue.data.dataset import Dataset
from nnspec.driver.columns import check_columns
from nnspec.driver.training.data import DataRequest, wanted
from nnspec.driver.training.plan import Plan, planned
from nnspec.driver.training.watch import Watch, watched
from nnspec.graph import weights
from nnspec.graph.graph import weights as weights_of
from nnspec.graph.training import Training
from nnspec.graph.weight_map import Array, to_canonical, to_native
from nnspec.report.diagnostics import Diagnostic, Label, SpecError

Weights = Mapping[str, Mapping[str, Array]]


@dataclass(frozen=True)
class Progress:
    """The figures of an epoch (counted from 1), or of what is done of it.

    step, steps: updates made, and in all. rate: rows a second.
    """

    epoch: int
    epochs: int
    figures: Mapping[str, float]
    step: int = 0
    steps: int = 0
    rate: float = 0.0


@dataclass(frozen=True)
class Trained:
    """What a run ended with: canonical weights by network, the figures of each epoch, its folder if it has one.

    best: the epoch whose weights these are, where the program keeps the best.
    """

    weights: dict[str, dict[str, Array]]
    history: list[Progress] = field(default_factory=list)
    folder: Path | None = None
    best: int | None = None


def ignored(progress: Progress) -> None:
    """What hears of a run where nobody does."""


@dataclass(frozen=True)
class Job:
    """What is trained, on what, with which framework.

    root: the folder against which the data set's relative paths count.
    report: called after each epoch; meanwhile: about every second within one.
    every: steps between checkpoints, beside those after each epoch. board: whether TensorBoard is told, too.
    """

    training: Training
    target: Target
    emitted: Emitted
    root: Path
    options: Mapping[str, int] = field(default_factory=dict)
    every: int | None = None
    report: Callable[[Progress], None] = ignored
    meanwhile: Callable[[Progress], None] = ignored
    board: bool = False

    def setting(self, name: str) -> Any:
        """As the command line has it, or else the program."""
        return self.options.get(name, getattr(self.training.settings, name))

    @property
    def plan(self) -> Callable[[int], Plan]:
        """The plan for so many rows."""
        steps = None if "epochs" in self.options else self.training.settings.steps
        epochs = None if steps is not None else self.setting("epochs")
        size, seed = self.setting("batch_size"), self.setting("seed")
        return lambda rows: planned(rows, size, seed, epochs=epochs, steps=steps)

    def data(self) -> Dataset:
        """The data, held against the program; raises `SpecError`."""
        found = self.data_request().read()
        check_columns(self.training, found, self.setting("batch_size"))
        return found

    def data_request(self) -> DataRequest:
        """Where the data comes from; raises `SpecError` where nothing says so."""
        settings = self.training.settings
        if settings.data is None:
            raise SpecError(
                Diagnostic(
                    "E0507",
                    f"the program `{self.training.name}` names no data to train on",
                    Label(self.training.span) if self.training.span else None,
                    helps=("add a setting, as in `data = digits(size = 28)`",),
                )
            )
        seed, root = self.setting("seed"), str(self.root.absolute())
        return DataRequest(settings.data, settings.validation, root, seed, wanted(self.training))

    def watch(self, data: Dataset) -> Watch | None:
        """What the run goes by; raises `SpecError`."""
        columns = {c.name for c in self.training.batch}
        return watched(self.training, held_out=bool(columns & data.validation.keys()))

    def native(self, canonical: Weights) -> dict[str, Array]:
        """Weights as a state has them."""
        found: dict[str, Array] = {}
        for network in self.training.networks:
            entries = self.emitted.models[network.model].weight_map
            native = to_native(canonical[network.name], entries)
            found |= {f"{WEIGHTS}/{network.name}/{name}": a for name, a in native.items()}
        return found

    def canonical(self, state: Mapping[str, Array]) -> dict[str, dict[str, Array]]:
        """A state's weights by network."""
        held = named_weights(state)
        models = {n.name: self.emitted.models[n.model] for n in self.training.networks}
        return {name: to_canonical(held[name], m.weight_map) for name, m in models.items()}


def initial_weights(training: Training) -> dict[str, dict[str, Array]]:
    """What `nnspec init` gives each network with the program's seed."""
    begun: dict[str, dict[str, Array]] = {}
    for i, network in enumerate(training.networks):
        seed = training.settings.seed + i
        made = begun.get(network.follows or "")
        begun[network.name] = made or weights.initialize(weights_of(network.model), seed)
    return begun
