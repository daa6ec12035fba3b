"""From a compiled spec to the files of a build."""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnspec.core import collector
from nnspec.core.files import Content
from nnspec.core.version import __version__
from nnspec.driver.requirements import installation, is_runnable, targets_named
from nnspec.report.diagnostics import Diagnostic, SpecError, did_you_mean
from nnspec.report.text import printable

if TYPE_CHECKING:
    from codegen.target import Emitted, Target
    from nnspec.driver.compiled import Compiled
    from nnspec.driver.stored import ModelWeights

Files = dict[str, Content]
REFUSAL = "E0704"
"""What a target says of a spec that it cannot express."""


def emit(
    spec: Compiled, target: Target, options: Mapping[str, Any], weights: ModelWeights | None = None
) -> Emitted:
    """What a target makes of the spec; weights go to the targets whose files hold them."""
    given = checked_options(target, options)
    if weights is not None and target.holds_weights:
        given["weights"] = weights
    provenance = _provenance(spec, target, options)
    with collector.paused():
        return target.emit(spec.program, stem=spec.stem, provenance=provenance, **given)


def build_files(
    spec: Compiled, targets: Sequence[str], options: Mapping[str, Any], weights: Path | None = None
) -> tuple[Files, list[Diagnostic]]:
    """Every file of a build by name, native weights included, and what has to be said about it.

    A target that cannot express the spec (E0704) makes no file, and its reasons are among what is said. An option
    goes to those targets that have it; one that no target has is raised (E0706).
    """
    from nnspec.driver.stored import load_all

    chosen = targets_named(targets)
    _check_options(chosen, options)
    stored = load_all(weights, spec.program, spec.whole) if weights is not None else None
    files: Files = {}
    refusals: list[Diagnostic] = []
    left_out: list[Target] = []
    for target in chosen:
        known = {f.name for f in target.Options.arguments()}
        given = {name: value for name, value in options.items() if name in known}
        try:
            emitted = emit(spec, target, given, stored)
        except SpecError as refused:
            if any(d.code != REFUSAL for d in refused.diagnostics):
                raise
            refusals += refused.diagnostics
            continue
        files.update(emitted.files)
        if weights is not None and is_runnable(target.name):
            if installation(target).missing:
                left_out.append(target)
            else:
                files.update(_native_weights(spec, target, emitted, weights))
    return files, [*refusals, *([_without_weights(left_out)] if left_out else [])]


def _native_weights(spec: Compiled, target: Target, emitted: Emitted, weights: Path) -> Files:
    from nnspec.driver import worker
    from nnspec.driver.native import NativeFile, owner_path, write_module
    from nnspec.driver.stored import load_owners

    stored = load_owners(weights, spec.program, spec.whole)
    with tempfile.TemporaryDirectory(prefix="nnspec-") as folder:
        module = write_module(emitted, Path(folder))
        base = Path(folder) / f"{spec.stem}_{target.name}{target.suffix}"
        paths = [owner_path(base, o, spec.program) for o in stored]
        natives = [NativeFile(o.model, emitted, module, p) for o, p in zip(stored, paths)]
        worker.run(target.name, [n.save(w) for n, w in zip(natives, stored.values())])
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


def _provenance(spec: Compiled, target: Target, options: Mapping[str, Any]) -> str:
    """What a file says of where it comes from: the command that writes it again."""
    name = Path(spec.source.path).name
    if name.startswith("<"):
        return f"Made by nnspec {__version__}."
    words = ["nnspec", "build", name, "--target", target.name]
    for option, value in options.items():
        words += [f"--{option.replace('_', '-')}", str(value)]
    for root in spec.roots:
        words += ["-I", str(root)]
    for parameter, value in spec.parameters.items():
        words += ["--set", f"{parameter}={_setting(value)}"]
    command = printable(shlex.join(words))
    return f"Made by nnspec {__version__} from {printable(name)}; regenerate with `{command}`."


def _setting(value: object) -> str:
    """A value as `--set` takes it."""
    match value:
        case bool():
            return str(value).lower()
        case None:
            return "none"
        case list() | tuple():
            return f"[{', '.join(map(_setting, value))}]"
        case str() if not value.isidentifier() or value in ("true", "false", "none"):
            return f'"{value}"'
    return str(value)


def checked_options(target: Target, options: Mapping[str, Any]) -> dict[str, Any]:
    """Options as the target declares them; raises `SpecError` (E0706) for others."""
    fields = {f.name: f for f in target.Options.arguments()}
    values: dict[str, Any] = {}
    for name, value in options.items():
        if name not in fields:
            raise _unknown(name, [target])
        try:
            values[name] = fields[name].kind(value)
        except ValueError as wrong:
            message = f"`{name}` of the {target.name} target expects {wrong}, found {value!r}"
            raise SpecError(Diagnostic("E0706", message)) from None
    return values


def _check_options(targets: Sequence[Target], options: Mapping[str, Any]) -> None:
    for name in options:
        if not any(name in {f.name for f in t.Options.arguments()} for t in targets):
            raise _unknown(name, targets)


def _unknown(name: str, targets: Sequence[Target]) -> SpecError:
    known = [f.name for target in targets for f in target.Options.arguments()]
    chosen = ", ".join(target.name for target in targets)
    return SpecError(
        Diagnostic(
            "E0706",
            f"`--{name}` means nothing to {chosen}",
            notes=(f"options: {', '.join(known)}",) if known else (),
            helps=did_you_mean(name, known),
        )
    )
