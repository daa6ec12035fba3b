"""What `nnspec check` does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nnspec import compiler
from nnspec.commands.settings import parse_settings
from nnspec.commands.terminal import print_json, say, show_diagnostics
from nnspec.driver.sources import read_source
from nnspec.report.diagnostics import Reporter, SpecError


def check_files(
    files: Sequence[Path],
    settings: list[str] | None = None,
    roots: Sequence[Path] = (),
    *,
    as_json: bool = False,
) -> int:
    """Report everything that is wrong with some files; 1 if something is an error, else 0."""
    parameters = parse_settings(settings)
    reporter = Reporter()
    for file in files:
        try:
            source = read_source(file)
        except SpecError as error:
            reporter.extend(error)
        else:
            compiler.compile_source(source, reporter, roots=roots, parameters=parameters)
    found, errors = reporter.diagnostics, len(reporter.errors)
    if as_json:
        from nnspec.report.render import to_json

        print_json(to_json(found))
    else:
        show_diagnostics(found)
        if not errors:
            what = str(files[0]) if len(files) == 1 else f"{len(files)} files"
            warnings = f", {len(found)} warning{'s' * (len(found) > 1)}" if found else ""
            say(f"{what}: no errors{warnings}")
    return 1 if errors else 0
