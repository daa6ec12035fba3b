from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nnspec.commands.options import Format, OutputFormat, place

if TYPE_CHECKING:
    from nnspec.driver.training.runs import Run


def register(app: typer.Typer) -> None:
    app.command("runs", short_help="what was trained, how far it is, and in what runs differ")(runs)


def runs(
    folder: Annotated[
        Path, typer.Argument(metavar="[DIR]", parser=place, help="of a run, or of several")
    ] = Path("runs"),
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot", metavar="FILE.svg", parser=place, help="draw their figures over the epochs"
        ),
    ] = None,
    format: OutputFormat = Format.text,
) -> None:
    """List runs of `nnspec train`: their status, the figures of the last epoch, the settings that differ.

    \b
    Examples:
      nnspec runs
      nnspec runs runs/digits_cnn-DigitsCNN-keras-1 --format json
      nnspec runs --plot curves.svg
    """
    from nnspec.commands.terminal import print_json, say
    from nnspec.driver.training.runs import listed
    from nnspec.report.diagnostics import Diagnostic, SpecError

    found = listed(folder)
    if not found and not folder.is_dir():
        raise SpecError(Diagnostic("E0621", f"there is no folder `{folder}`"))
    if format is Format.json:
        print_json([run.told() for run in found])
    elif found:
        _show(found)
    else:
        say(f"no runs below {folder}")
    if plot is not None:
        from nnspec.core.files import write_file
        from nnspec.views.curves import to_svg

        write_file(plot, to_svg({run.name: run.points() for run in found}))
        say(f"wrote {plot}")


def _show(found: list[Run]) -> None:
    from rich.table import Table

    from nnspec.commands.progress import shown
    from nnspec.commands.terminal import console
    from nnspec.driver.training.runs import differing

    names = differing(found)
    table = Table("run", "status", "epoch", "figures", *names, box=None, pad_edge=False)
    for run in found:
        figures = {name: f for name, f in run.figures.items() if f is not None}
        settings = ["" if (v := run.settings.get(n)) is None else str(v) for n in names]
        table.add_row(run.name, run.status, f"{run.epoch}/{run.epochs}", shown(figures), *settings)
    console().print(table)
    for run in found:
        for told in run.about.get("diagnostics", ()) if run.status == "failed" else ():
            console().print(f"{run.name}: {told['code']} {told['message']}")
