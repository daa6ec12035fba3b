"""Arguments and options that several commands share, so that they read the same everywhere."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Format(StrEnum):
    text = "text"
    json = "json"


def place(text: str | Path) -> Path:
    """A path of the command line; `Path` takes an empty one for the current folder."""
    if not str(text).strip():
        raise typer.BadParameter("an empty name is no file")
    return Path(text)


SpecFile = Annotated[
    Path, typer.Argument(metavar="FILE", parser=place, help="a .nn file, or - for standard input")
]
SpecFiles = Annotated[
    list[Path], typer.Argument(metavar="FILE...", parser=place, help="one or more .nn files")
]
OptionalSpecFiles = Annotated[
    list[Path] | None,
    typer.Argument(metavar="[FILE...]", parser=place, help="one or more .nn files"),
]
OutputFormat = Annotated[
    Format, typer.Option("--format", metavar="text|json", help="for people or for programs")
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="NAME=VALUE", help="give a parameter of the model or program (repeatable)"
    ),
]
ImportRoots = Annotated[
    list[Path] | None,
    typer.Option(
        "-I", "--import-root", metavar="DIR", parser=place, help="where imports are looked up too"
    ),
]
Model = Annotated[
    str | None,
    typer.Option(
        "--model", metavar="NAME", help="which model (or network), where the file has several"
    ),
]
Seed = Annotated[int, typer.Option("--seed", metavar="N", help="of the random numbers")]
