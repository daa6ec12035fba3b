from __future__ import annotations

from typing import Annotated

import typer

from nnspec.commands.options import (
    Format,
    ImportRoots,
    OptionalSpecFiles,
    OutputFormat,
    Seed,
    Settings,
)


def register(app: typer.Typer) -> None:
    app.command("verify", short_help="prove that the targets compute the same numbers")(verify)


def verify(
    files: OptionalSpecFiles = None,
    target: Annotated[
        list[str] | None,
        typer.Option("--target", "-t", metavar="NAME", help="default: all that are installed"),
    ] = None,
    settings: Settings = None,
    roots: ImportRoots = None,
    seed: Seed = 0,
    quick: Annotated[bool, typer.Option("--quick", help="one optimizer step, not ten")] = False,
    train: Annotated[
        bool,
        typer.Option(
            "--train", help="a hundred optimizer steps; without a file, of every optimizer there is"
        ),
    ] = False,
    format: OutputFormat = Format.text,
) -> int:
    """Prove that the targets agree: same weights, same inputs, every installed target.

    Compares outputs in evaluation and in training, running statistics, the loss, every gradient, and the
    weights after 1 and 10 optimizer steps with the language's own definition, evaluated in f64 with NumPy.
    Each target runs in a process of its own. Exit status 1 when one disagrees, with the first node that
    differs and its line in the spec.

    \b
    Examples:
      nnspec verify digits_cnn.nn
      nnspec verify specs/*.nn --target pytorch,keras
      nnspec verify digits_cnn.nn --format json
      nnspec verify --train
    """
    if not files:
        if not train:
            raise typer.BadParameter("give a file, or --train", param_hint="FILE")
        return _updates(target, format)
    from nnspec.commands.progress import line_shown
    from nnspec.commands.sources import load_spec
    from nnspec.commands.terminal import console, print_json, show_diagnostics
    from nnspec.report.diagnostics import SpecError

    reports, failed = [], False
    for file in files:
        try:
            spec = load_spec(file, settings, roots)
            with line_shown(f"verify {file}") as say:
                report = spec.verify(target, seed=seed, quick=quick, long=train, say=say)
        except SpecError as error:
            if len(files) == 1:
                raise
            show_diagnostics(error.diagnostics)
            failed = True
            continue
        reports.append(report)
        if format is Format.text:
            from nnspec.driver.verify.table import render

            console().print(render(report))
    if format is Format.json:
        print_json([report.to_json() for report in reports])
    return 1 if failed or not all(report.agrees for report in reports) else 0


def _updates(target: list[str] | None, format: Format) -> int:
    """Every optimizer of the library with every schedule, decay, clipping and accumulation in turn."""
    from nnspec.commands.progress import line_shown
    from nnspec.commands.terminal import console, print_json
    from nnspec.driver.requirements import compared
    from nnspec.driver.verify.updates import judged

    chosen, _ = compared(target)
    with line_shown("verify") as say:
        found = list(judged([t for t in chosen if not t.holds_weights], say=say))
    if format is Format.json:
        print_json([{"optimizer": j.case.written, **j.report.to_json()} for j in found])
    else:
        from nnspec.driver.verify.table import render_updates

        console().print(render_updates(found))
    return 0 if all(j.report.agrees for j in found) else 1
