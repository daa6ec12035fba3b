"""What is installed, told without importing any of it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nnspec.report.diagnostics import Diagnostic, SpecError, did_you_mean

if TYPE_CHECKING:
    from codegen.target import Target

ALL = "all"


@dataclass(frozen=True)
class Installation:
    """A target on this machine.

    versions: of each module that running it takes; None where it is not installed.
    """

    target: str
    extra: str | None
    versions: Mapping[str, str | None]

    @property
    def missing(self) -> tuple[str, ...]:
        return tuple(module for module, version in self.versions.items() if version is None)

    @property
    def install(self) -> str | None:
        """The command that puts right what is missing."""
        return f'pip install "nnspec[{self.extra}]"' if self.extra and self.missing else None


def installation(target: Target) -> Installation:
    """Look for a target's modules."""
    return Installation(target.name, target.extra, {m: _version(m) for m in target.modules})


def _version(module: str) -> str | None:
    if importlib.util.find_spec(module) is None:
        return None
    for distribution in (module, *importlib.metadata.packages_distributions().get(module, ())):
        try:
            return importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:
            continue
    return "unknown"


def is_runnable(target: str) -> bool:
    """Whether generated source of the target is run in a worker (an ONNX file is not source)."""
    return importlib.util.find_spec(f"codegen.{target}.runtime") is not None


def installed() -> tuple[list[Target], dict[str, str]]:
    """Targets whose files can run here, and why the others cannot."""
    from codegen import TARGETS

    ready, skipped = [], {}
    for target in TARGETS.values():
        found = installation(target)
        if found.missing:
            skipped[target.name] = f"not installed ({found.install})"
        else:
            ready.append(target)
    return ready, skipped


def require(target: Target, purpose: str) -> None:
    """Raise `SpecError` (E0702) where a target that is to run is not installed."""
    found = installation(target)
    if found.missing:
        modules = " and ".join(f"`{m}`" for m in found.missing)
        raise SpecError(
            Diagnostic(
                "E0702",
                f"to {purpose}, the {target.name} target needs {modules}, not installed here",
                notes=("writing its source with `nnspec build` needs nothing more",),
                helps=(found.install,) if found.install else (),
            )
        )


def targets_named(names: Sequence[str]) -> list[Target]:
    """The targets of `--target pytorch,keras` or `all`; raises `SpecError` (E0701) for others."""
    from codegen import TARGETS

    known = list(TARGETS)
    wanted: list[str] = []
    for name in (part.strip() for text in names for part in text.split(",")):
        if name == ALL:
            wanted += known
        elif name in known:
            wanted.append(name)
        else:
            raise SpecError(_unknown(name, known))
    return [TARGETS[name] for name in dict.fromkeys(wanted)]


def compared(names: Sequence[str] | None) -> tuple[list[Target], dict[str, str]]:
    """Targets to compare, all that are installed by default, and why others cannot run.

    Raises `SpecError` (E0701, E0702) for one that is unknown or not installed, and where there is none.
    """
    chosen, skipped = (targets_named(names), {}) if names else installed()
    if names:
        for target in chosen:
            require(target, "verify")
    if not chosen:
        raise SpecError(
            Diagnostic(
                "E0702",
                "there is nothing to compare: no framework is installed here",
                helps=('pip install "nnspec[all]", or one of `nnspec targets`',),
            )
        )
    return chosen, skipped


def runnable_named(name: str) -> Target:
    """The one target of `nnspec train --target pytorch`; raises `SpecError` (E0701)."""
    from codegen import TARGETS

    runnable = [n for n in TARGETS if is_runnable(n)]
    if name not in runnable:
        raise SpecError(_unknown(name, runnable, everything=False))
    return TARGETS[name]


def _unknown(name: str, known: Sequence[str], *, everything: bool = True) -> Diagnostic:
    choices = [*known, ALL] if everything else list(known)
    return Diagnostic(
        "E0701",
        f"there is no target `{name}` for this command",
        notes=(f"targets: {', '.join(choices)}",),
        helps=did_you_mean(name, choices),
    )


def mixed_onnxruntime() -> Diagnostic | None:
    """Both onnxruntime packages at once: they overwrite each other's files."""
    present = []
    for distribution in ("onnxruntime", "onnxruntime-gpu"):
        try:
            present.append(f"{distribution} {importlib.metadata.version(distribution)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    if len(present) < 2:
        return None
    return Diagnostic(
        "W0709",
        f"{' and '.join(present)} are both installed; they hold the same module, and the last "
        "one installed wins",
        helps=(
            "keep one: `pip uninstall onnxruntime onnxruntime-gpu`, then "
            '`pip install "nnspec[cpu]"` or `pip install "nnspec[gpu]"`',
        ),
        severity="warning",
    )
