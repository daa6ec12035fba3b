"""From a compiled spec to the files of a build."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnspec import __version__
from nnspec.diagnostics import Diagnostic, SpecError

if TYPE_CHECKING:
    from codegen.target import Emitted, Target
    from nnspec.api import Spec
    from nnspec.stored import NetworkWeights


def provenance(spec: Spec, target: Target) -> str:
    """The line at the head of a generated file."""
    name = Path(spec.source.path).name
    return (
        f"Made by nnspec {__version__} from {name}; "
        f"regenerate with `nnspec build {name} --target {target.name}`."
    )


def emit(
    spec: Spec,
    target: Target,
    options: Mapping[str, Any],
    weights: NetworkWeights | None = None,
) -> Emitted:
    """What a target makes of the spec; weights go to the targets whose files hold them."""
    accepted = inspect.signature(target.emit).parameters
    given = dict(options)
    if weights is not None and "weights" in accepted:
        given["weights"] = weights
    return target.emit(spec.program, stem=spec.stem, provenance=provenance(spec, target), **given)


def options_of(target: Target, options: Mapping[str, Any]) -> dict[str, Any]:
    """Those options that the target has."""
    accepted = inspect.signature(target.emit).parameters
    return {name: value for name, value in options.items() if name in accepted}


def check_options(targets: Sequence[Target], options: Mapping[str, Any]) -> None:
    """Raise `SpecError` (E0706) for an option that none of the chosen targets has."""
    for name in options:
        if not any(options_of(target, {name: None}) for target in targets):
            chosen = ", ".join(target.name for target in targets)
            raise SpecError(Diagnostic("E0706", f"`--{name}` means nothing to {chosen}"))
