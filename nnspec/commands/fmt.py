from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nnspec.commands.options import place


def register(app: typer.Typer) -> None:
    app.command("fmt", short_help="put files into the canonical form")(fmt)


def fmt(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", parser=place, help=".nn files, or - for standard input"),
    ],
    check: Annotated[
        bool, typer.Option("--check", help="write nothing; exit 1 if a file would change")
    ] = False,
    diff: Annotated[
        bool, typer.Option("--diff", help="write nothing; show what would change")
    ] = False,
) -> int:
    """Put files into the canonical form. Comments stay, the meaning stays.

    \b
    Examples:
      nnspec fmt digits_cnn.nn
      nnspec fmt --check specs/*.nn
      nnspec fmt --diff digits_cnn.nn
      nnspec fmt - < digits_cnn.nn
    """
    from nnspec.commands.terminal import say
    from nnspec.core.files import write_file
    from nnspec.driver.sources import STANDARD_INPUT, read_source
    from nnspec.syntax.format import format_source

    changed = []
    for file in files:
        source = read_source(file)
        text = format_source(source)
        if text != source.text:
            changed.append(file)
        if diff:
            print(_difference(file, source.text, text), end="")
        elif check:
            continue
        elif file == STANDARD_INPUT:
            print(text, end="")
        elif text != source.text:
            write_file(file, text, in_place=True)
    if check or diff:
        for file in changed:
            say(f"would reformat {file}")
        return 1 if changed else 0
    return 0


def _difference(file: Path, before: str, after: str) -> str:
    import difflib

    lines = difflib.unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True), str(file), str(file)
    )
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)
