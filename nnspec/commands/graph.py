from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from nnspec.commands.options import ImportRoots, Model, Settings, SpecFile, place


class Picture(StrEnum):
    svg = "svg"
    dot = "dot"
    mermaid = "mermaid"


def register(app: typer.Typer) -> None:
    app.command("graph", short_help="draw a model (SVG, dot, mermaid)")(graph)


def graph(
    file: SpecFile,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="FILE", parser=place, help="default: standard output"
        ),
    ] = None,
    format: Annotated[
        Picture | None,
        typer.Option(
            "--format", metavar="svg|dot|mermaid", help="default: by the output's suffix, or svg"
        ),
    ] = None,
    model: Model = None,
    settings: Settings = None,
    roots: ImportRoots = None,
) -> None:
    """Draw a model: blocks as boxes, shapes on the edges. Needs nothing beside nnspec.

    \b
    Examples:
      nnspec graph digits_cnn.nn -o digits_cnn.svg
      nnspec graph digits_dcgan.nn --model Critic --format mermaid
      nnspec graph digits_cnn.nn --format dot | dot -Tpdf > digits_cnn.pdf
    """
    from nnspec.commands.sources import load_spec
    from nnspec.core.files import write_file

    chosen = format or _by_suffix(output)
    spec = load_spec(file, settings, roots)
    text = spec.model(model).draw(chosen.value)
    if output is None:
        print(text, end="")
    else:
        write_file(output, text)


def _by_suffix(output: Path | None) -> Picture:
    suffixes = {".dot": Picture.dot, ".gv": Picture.dot, ".mmd": Picture.mermaid}
    return suffixes.get(output.suffix if output else "", Picture.svg)
