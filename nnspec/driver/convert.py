"""Weights from one file format to another, by way of the canonical form."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from nnspec.core import inputs
from nnspec.core.files import write_file
from nnspec.driver.requirements import require, runnable_named
from nnspec.driver.stored import Owner, fit, owner_named
from nnspec.graph import weight_files
from nnspec.graph.graph import weights as weights_of
from nnspec.report.diagnostics import Diagnostic, SpecError

if TYPE_CHECKING:
    from nnspec.driver.compiled import Compiled
    from nnspec.graph.weight_map import Array

CANONICAL = "canonical"


def convert(
    spec: Compiled,
    source: Path,
    output: Path,
    *,
    from_target: str = CANONICAL,
    to_target: str = CANONICAL,
    owner: str | None = None,
) -> None:
    """Read `source` in one format and write `output` in the other.

    owner: the model or network whose weights they are, where the file has several.
    """
    chosen = owner_named(spec.program, spec.source.path, owner)
    found = _read(spec, chosen, source, from_target)
    if to_target == CANONICAL:
        weight_files.save(output, found)
    else:
        _write(spec, chosen, found, output, to_target)


def _read(spec: Compiled, owner: Owner, path: Path, target: str) -> Mapping[str, Array]:
    if target == CANONICAL:
        return fit(weight_files.load(path), owner, path)
    inputs.reads(path)
    if not path.is_file():
        raise SpecError(Diagnostic("E0611", f"cannot read weights `{path}`: no such file"))
    with tempfile.TemporaryDirectory(prefix="nnspec-") as folder:
        found = _Native(spec, owner, target, Path(folder)).load(path)
    return weight_files.fit(found, weights_of(owner.model), str(path))


def _write(
    spec: Compiled, owner: Owner, found: Mapping[str, Array], output: Path, target: str
) -> None:
    with tempfile.TemporaryDirectory(prefix="nnspec-") as folder:
        write_file(output, _Native(spec, owner, target, Path(folder)).save(found))


class _Native:
    """A network's generated module, which reads and writes its framework's files."""

    def __init__(self, spec: Compiled, owner: Owner, target: str, folder: Path) -> None:
        from nnspec.driver.native import write_module

        self.target = runnable_named(target)
        require(self.target, "convert weights")
        self.owner, self.folder = owner, folder
        program = replace(spec.program, models=(owner.model,), trainings=())
        self.emitted = self.target.emit(
            program, stem=spec.stem, provenance="nnspec weights convert"
        )
        self.module = write_module(self.emitted, folder)

    def load(self, path: Path) -> Mapping[str, Array]:
        from nnspec.driver import worker
        from nnspec.driver.native import NativeFile

        file = NativeFile(self.owner.model, self.emitted, self.module, path.absolute())
        try:
            [native] = worker.run(self.target.name, [file.load()])
        except worker.WorkerError as error:
            raise SpecError(_not_native(path, self.target.name, error.output)) from None
        try:
            return file.canonical(native)
        except (KeyError, ValueError) as error:
            raise SpecError(_not_native(path, self.target.name, str(error))) from None

    def save(self, found: Mapping[str, Array]) -> bytes:
        from nnspec.driver import worker
        from nnspec.driver.native import NativeFile

        path = self.folder / f"weights{self.target.suffix}"
        file = NativeFile(self.owner.model, self.emitted, self.module, path)
        worker.run(self.target.name, [file.save(found)])
        return path.read_bytes()


def _not_native(path: Path, target: str, reason: str) -> Diagnostic:
    last = reason.strip().splitlines()[-1:] or ["unknown"]
    return Diagnostic(
        "E0617",
        f"`{path}` does not hold this network's weights as {target} keeps them",
        notes=(f"{target} says: {last[0].strip()[:300]}",),
        helps=("`--from` says whose file it is; without it a file is canonical",),
    )
