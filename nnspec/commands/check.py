from __future__ import annotations

import typer

from nnspec.commands.options import Format, ImportRoots, OutputFormat, Settings, SpecFiles


def register(app: typer.Typer) -> None:
    app.command("check", short_help="is a spec right? report everything that is wrong")(check)


def check(
    files: SpecFiles,
    settings: Settings = None,
    roots: ImportRoots = None,
    format: OutputFormat = Format.text,
) -> int:
    """Check spec files: syntax, names, types, shapes, training programs. Writes nothing.

    Every error is reported in one run. Exit status 1 if there is one.

    \b
    Examples:
      nnspec check digits_cnn.nn
      nnspec check specs/*.nn
      nnspec check digits_cnn.nn --set classes=100
      nnspec check - < digits_cnn.nn
      nnspec check --format json digits_cnn.nn
    """
    from nnspec.commands.settings import parse_settings
    from nnspec.commands.sources import read_source
    from nnspec.commands.terminal import print_json, say, show_diagnostics
    from nnspec.compiler import compile_source
    from nnspec.report.diagnostics import Reporter, SpecError

    parameters = parse_settings(settings)
    reporter = Reporter()
    for file in files:
        try:
            source = read_source(file)
        except SpecError as error:
            reporter.extend(error)
        else:
            compile_source(source, reporter, roots=roots or (), parameters=parameters)
    found, errors = reporter.diagnostics, len(reporter.errors)
    if format is Format.json:
        from nnspec.report.render import to_json

        print_json(to_json(found))
    else:
        show_diagnostics(found)
        if not errors:
            what = str(files[0]) if len(files) == 1 else f"{len(files)} files"
            warnings = f", {len(found)} warning{'s' * (len(found) > 1)}" if found else ""
            say(f"{what}: no errors{warnings}")
    return 1 if errors else 0
