from __future__ import annotations

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

    Without a name: list them all by families.

    \b
    Examples:
      nnspec ops
      nnspec ops softplus
      nnspec ops Conv2D --format json
    """
    from nnspec.catalogue.ops import OPS
    from nnspec.commands.terminal import print_json
    from nnspec.driver.reference import as_text, reference
    from nnspec.report.diagnostics import Diagnostic, SpecError, did_you_mean

    if name is None:
        _list(format)
        return
    if name not in OPS:
        raise SpecError(
            Diagnostic(
                "E0201",
                f"the catalogue has no `{name}`",
                notes=("`nnspec ops` lists it",),
                helps=did_you_mean(name, list(OPS)),
            )
        )
    shown = reference(OPS[name])
    if format is Format.json:
        print_json(shown.to_json())
    else:
        print(as_text(shown))


def _list(format: Format) -> None:
    from nnspec.commands.terminal import console, print_json
    from nnspec.views.reference.families import families

    rows = [(f, [op for op in f.ops if not op.hidden]) for f in families()]
    if format is Format.json:
        print_json(
            {f.name: {op.name: op.doc().partition("\n")[0] for op in ops} for f, ops in rows}
        )
        return
    from rich.table import Table

    table = Table("family", "names", box=None, pad_edge=False)
    for family, ops in rows:
        if ops:
            table.add_row(family.name, ", ".join(op.name for op in ops))
    console().print(table)
