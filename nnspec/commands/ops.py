from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from nnspec.commands.options import Format, OutputFormat


def register(app: typer.Typer) -> None:
    app.command("ops", short_help="the catalogue: what layers and functions mean")(ops)


def ops(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Conv2D, say")] = None,
    format: OutputFormat = Format.text,
) -> None:
    """Show what a layer or function takes and means, what it is in simpler ones, and what each target makes of it.

    Blocks of the library too, and its files by their names. Without a name: list them all by families.

    \b
    Examples:
      nnspec ops
      nnspec ops softplus
      nnspec ops Conv2D --format json
      nnspec ops ConvBN
      nnspec ops vision
    """
    from nnspec.catalogue.ops import OPS
    from nnspec.commands.terminal import print_json
    from nnspec.driver.library_reference import block_as_text, file_as_text
    from nnspec.driver.reference import as_text, reference
    from nnspec.report.diagnostics import Diagnostic, SpecError, did_you_mean
    from nnspec.views.reference.library import library, library_blocks

    if name is None:
        _list(format)
        return
    blocks, files = library_blocks(), library()
    if name in OPS:
        shown = reference(OPS[name])
        json, text = shown.to_json, partial(as_text, shown)
    elif name in blocks:
        json, text = blocks[name].to_json, partial(block_as_text, blocks[name])
    elif name in files:
        json, text = files[name].to_json, partial(file_as_text, files[name])
    else:
        raise SpecError(
            Diagnostic(
                "E0201",
                f"the catalogue has no `{name}`",
                notes=("`nnspec ops` lists it",),
                helps=did_you_mean(name, [*OPS, *blocks, *files]),
            )
        )
    if format is Format.json:
        print_json(json())
    else:
        print(text())


def _list(format: Format) -> None:
    from nnspec.commands.terminal import console, print_json
    from nnspec.views.reference.families import families
    from nnspec.views.reference.library import library

    rows = {
        f.name: {op.name: op.doc().partition("\n")[0] for op in f.ops if not op.hidden}
        for f in families()
    }
    rows |= {
        f.name: {b.name: b.doc.partition("\n")[0] for b in f.blocks} for f in library().values()
    }
    if format is Format.json:
        print_json(rows)
        return
    from rich.table import Table

    table = Table("family", "names", box=None, pad_edge=False)
    for family, names in rows.items():
        if names:
            table.add_row(family, ", ".join(names))
    console().print(table)
