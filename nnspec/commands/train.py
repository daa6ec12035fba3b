from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nnspec.commands.options import Format, ImportRoots, OutputFormat, Settings, SpecFile, place


def register(app: typer.Typer) -> None:
    app.command("train", short_help="train with a framework, end with weights for every target")(
        train
    )


def train(
    file: SpecFile,
    target: Annotated[
        str, typer.Option("--target", "-t", metavar="NAME", help="pytorch, keras or gluon")
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE.safetensors",
            parser=place,
            help="default: <stem>.safetensors",
        ),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(
            "--weights", metavar="FILE", parser=place, help="canonical weights to start from"
        ),
    ] = None,
    epochs: Annotated[int | None, typer.Option("--epochs", metavar="N", min=1)] = None,
    batch_size: Annotated[int | None, typer.Option("--batch-size", metavar="N", min=1)] = None,
    seed: Annotated[int | None, typer.Option("--seed", metavar="N", min=0)] = None,
    program: Annotated[
        str | None,
        typer.Option("--program", metavar="NAME", help="which `train`, where there are several"),
    ] = None,
    settings: Settings = None,
    roots: ImportRoots = None,
    format: OutputFormat = Format.text,
) -> None:
    """Train with the generated program of a framework, and end with canonical weights.

    \b
    Examples:
      nnspec train digits_cnn.nn --target pytorch -o trained.safetensors
      nnspec train digits_cnn.nn --target keras --epochs 3
      nnspec build digits_cnn.nn --target onnx --weights trained.safetensors
    """
    from nnspec.commands.progress import epochs_shown
    from nnspec.commands.sources import load_spec
    from nnspec.commands.terminal import print_json, say
    from nnspec.driver.stored import joined
    from nnspec.graph.weight_files import save

    spec = load_spec(file, settings, roots)
    output = output or Path(f"{spec.stem}.safetensors")
    options = {"epochs": epochs, "batch_size": batch_size, "seed": seed}
    with epochs_shown(quiet=format is Format.json) as report:
        trained = spec.train(
            target,
            program=program,
            weights=weights,
            report=report,
            **{name: value for name, value in options.items() if value is not None},
        )
    save(output, joined(trained.weights))
    if format is Format.json:
        print_json([{"epoch": p.epoch, **p.figures} for p in trained.history])
    say(f"wrote {output}")
