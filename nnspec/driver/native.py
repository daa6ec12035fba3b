"""Generated modules and native weight files of one network: canonical weights in, canonical weights out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from codegen.target import Emitted
from nnspec.driver.stored import Owner
from nnspec.driver.worker import LoadNative, SaveNative
from nnspec.graph.graph import Graph, Program
from nnspec.graph.weight_map import Array, to_canonical, to_native


def write_module(emitted: Emitted, folder: Path) -> Path:
    """Write the emitted Python module into a folder (of its own) and say where it is."""
    for name, content in emitted.files.items():
        if name.endswith(".py"):
            path = folder / name
            path.write_text(str(content), encoding="utf-8")
    return path


@dataclass(frozen=True)
class NativeFile:
    """A network's weights in the file format of a target.

    module: the generated module; path: of the native file.
    """

    model: Graph
    emitted: Emitted
    module: Path
    path: Path

    def save(self, weights: Mapping[str, Array]) -> SaveNative:
        """The job that writes canonical weights to the file."""
        entry = self.emitted.models[self.model]
        native = to_native(weights, entry.weight_map)
        return SaveNative(str(self.module), entry.class_name, native, str(self.path))

    def load(self) -> LoadNative:
        """The job that reads the file."""
        entry = self.emitted.models[self.model]
        return LoadNative(str(self.module), entry.class_name, str(self.path))

    def canonical(self, native: Mapping[str, Array]) -> dict[str, Array]:
        """What the job `load` returned, as canonical weights."""
        return to_canonical(native, self.emitted.models[self.model].weight_map)


def network_path(path: Path, network: str, several: bool) -> Path:
    """Where a network's file stands: `trained.h5`, or `trained-G.h5` where there are several."""
    if not several:
        return path
    stem, dot, suffixes = path.name.partition(".")
    return path.with_name(f"{stem}-{network}{dot}{suffixes}")


def owner_path(path: Path, owner: Owner, program: Program) -> Path:
    """Where the file of a model or network stands: such that each training program finds its own.

    A program is given the file of its one network, or the name that those of its networks extend.
    """
    if owner.network is None or owner.program is None:
        return network_path(path, owner.name, len(program.models) > 1)
    networks = next(t.networks for t in program.trainings if t.name == owner.program)
    path = network_path(path, owner.program, len(program.trainings) > 1)
    return network_path(path, owner.network, len(networks) > 1)
