"""Where an import reads its table and writes what it found."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nnspec.report.diagnostics import Diagnostic, SpecError


@dataclass(frozen=True)
class Places:
    """known_table: one that is there. new_table: where one that is found goes."""

    output: Path
    known_table: Path | None
    new_table: Path | None


def chosen_places(spec: Path, stem: str, output: Path | None, table: Path | None) -> Places:
    """The places that were named, else those beside the spec; of a spec that has no place, here.

    Raises `SpecError` (E0703) where a file would be written over that nobody named.
    """
    folder = Path() if str(spec) == "-" else spec.parent
    if output is None:
        output = folder / f"{stem}.safetensors"
        if output.exists():
            raise SpecError(
                Diagnostic(
                    "E0703",
                    f"cannot write `{output}`: it is there already",
                    helps=(f"name it to write it anew: `-o {output}`",),
                )
            )
    table = table or folder / f"{stem}.weights.toml"
    known = table if table.exists() else None
    return Places(output, known, None if known else table)
