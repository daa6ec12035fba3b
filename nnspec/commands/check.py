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
    from nnspec.commands.checking import check_files

    return check_files(files, settings, roots or (), as_json=format is Format.json)
