"""Reads files of weights, whoever wrote them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from codegen import TARGETS
from codegen.foreign import Foreign, ForeignError
from codegen.target import Target
from nnspec.graph import weight_files
from nnspec.report.diagnostics import Diagnostic, SpecError

CANONICAL = ".safetensors"


def read(path: Path) -> Foreign:
    """The arrays of a file by its suffix; raises `SpecError` where it cannot be read."""
    readers = _readers()
    name = path.name.lower()
    # The longest first: `.weights.h5` is an `.h5`, too.
    suffix = next((s for s in sorted(readers, key=len, reverse=True) if name.endswith(s)), None)
    if suffix is None and not name.endswith(CANONICAL):
        known = ", ".join([CANONICAL, *readers])
        raise SpecError(
            Diagnostic(
                "E0618",
                f"`{path}` has no suffix that says what it is",
                notes=(f"weights are read from {known}",),
            )
        )
    if not path.is_file():
        raise SpecError(Diagnostic("E0611", f"cannot read weights `{path}`: no such file"))
    if suffix is None:
        # Its arrays are sorted by type and name, not as layers were defined.
        return Foreign(weight_files.load(path), ordered=False)
    try:
        return readers[suffix].read_foreign(path)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise SpecError(Diagnostic("E0611", f"cannot read weights `{path}`: {reason}")) from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise damaged(path, error) from None


def damaged(path: Path, error: BaseException) -> SpecError:
    """What a reader found wrong with a file."""
    lines = str(error).splitlines() or [type(error).__name__]
    told = lines[0][:400] if isinstance(error, ForeignError) else f"is damaged: {lines[0][:200]}"
    return SpecError(Diagnostic("E0618", f"`{path}` {told}"))


def _readers() -> Mapping[str, Target]:
    return {suffix: target for target in TARGETS.values() for suffix in target.foreign}
