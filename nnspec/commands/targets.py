from __future__ import annotations

import typer

from nnspec.commands.options import Format, OutputFormat


def register(app: typer.Typer) -> None:
    app.command("targets", short_help="what is installed, in which versions")(targets)


def targets(format: OutputFormat = Format.text) -> None:
    """List the targets, what running each takes, and which versions are installed here.

    Writing a target's source or model never needs that target installed.

    \b
    Examples:
      nnspec targets
      nnspec targets --format json
    """
    from codegen import TARGETS
    from nnspec.commands.terminal import console, print_json, show_diagnostics
    from nnspec.driver.requirements import installation, mixed_onnxruntime

    found = [installation(target) for target in TARGETS.values()]
    if format is Format.json:
        print_json(
            [
                {"target": i.target, "ready": not i.missing, "versions": dict(i.versions),
                 "install": i.install}
                for i in found
            ]
        )  # fmt: skip
    else:
        from rich.table import Table

        table = Table("target", "runs here", "versions", "to install", box=None, pad_edge=False)
        for i in found:
            versions = ", ".join(f"{m} {v}" for m, v in i.versions.items() if v)
            table.add_row(i.target, "no" if i.missing else "yes", versions, i.install or "")
        console().print(table)
    if warning := mixed_onnxruntime():
        show_diagnostics([warning])
