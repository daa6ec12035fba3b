"""From a compiled spec to the files of a build."""

from __future__ import annotations

import inspect
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnspec import __version__
from nnspec.driver.requirements import installation, is_runnable, targets_named
from nnspec.report.diagnostics import Diagnostic, SpecError

if TYPE_CHECKING:
    from codegen.target import Emitted, Target
    from nnspec.api import Spec
    from nnspec.driver.stored import ModelWeights

Files = dict[str, str | bytes]


def emit(
    spec: Spec, target: Target, options: Mapping[str, Any], weights: ModelWeights | None = None
) -> Emitted:
    """What a target makes of the spec; weights go to the targets whose files hold them."""
    given = dict(options)
    if weights is not None and "weights" in inspect.signature(target.emit).parameters:
        given["weights"] = weights
    return target.emit(spec.program, stem=spec.stem, provenance=_provenance(spec, target), **given)


def build_files(
    spec: Spec, targets: Sequence[str], options: Mapping[str, Any], weights: Path | None = None
) -> tuple[Files, list[Diagnostic]]:
    """Every file of a build by name, native weights included, and what has to be said about it.

    An option goes to those targets that have it; one that no target has is an error (E0706).
    """
    from nnspec.driver.stored import load_all

    chosen = targets_named(targets)
    _check_options(chosen, options)
    stored = load_all(weights, spec.program) if weights is not None else None
    files: Files = {}
    left_out: list[Target] = []
    for target in chosen:
        emitted = emit(spec, target, _options_of(target, options), stored)
        files.update(emitted.files)
        if stored is not None and is_runnable(target.name):
            if installation(target).missing:
                left_out.append(target)
            else:
                files.update(_native_weights(spec, target, emitted, stored))
    return files, [_without_weights(left_out)] if left_out else []


def _native_weights(spec: Spec, target: Target, emitted: Emitted, stored: ModelWeights) -> Files:
    from nnspec.driver import worker
    from nnspec.driver.native import NativeFile, network_path, write_module
    from nnspec.driver.stored import owners

    known = owners(spec.program)
    with tempfile.TemporaryDirectory(prefix="nnspec-") as folder:
        module = write_module(emitted, Path(folder))
        base = Path(folder) / f"{spec.stem}_{target.name}{target.suffix}"
        paths = [network_path(base, o.name, len(known) > 1) for o in known]
        natives = [NativeFile(o.model, emitted, module, p) for o, p in zip(known, paths)]
        worker.run(target.name, [n.save(stored[n.model]) for n in natives])
        return {path.name: path.read_bytes() for path in paths}


def _without_weights(targets: Sequence[Target]) -> Diagnostic:
    extras = ",".join(target.extra for target in targets if target.extra)
    return Diagnostic(
        "W0702",
        f"no weight files for {', '.join(t.name for t in targets)}: not installed here, and only "
        "they write their formats",
        helps=(f'pip install "nnspec[{extras}]"',),
        severity="warning",
    )


def _provenance(spec: Spec, target: Target) -> str:
    name = Path(spec.source.path).name
    return (
        f"Made by nnspec {__version__} from {name}; "
        f"regenerate with `nnspec build {name} --target {target.name}`."
    )


def _options_of(target: Target, options: Mapping[str, Any]) -> dict[str, Any]:
    accepted = inspect.signature(target.emit).parameters
    return {name: value for name, value in options.items() if name in accepted}


def _check_options(targets: Sequence[Target], options: Mapping[str, Any]) -> None:
    for name in options:
        if not any(_options_of(target, {name: None}) for target in targets):
            chosen = ", ".join(target.name for target in targets)
            raise SpecError(Diagnostic("E0706", f"`--{name}` means nothing to {chosen}"))
