from __future__ import annotations

import typer

from nnspec.commands.options import Format, ImportRoots, Model, OutputFormat, Settings, SpecFile


def register(app: typer.Typer) -> None:
    app.command("summary", short_help="layers, shapes, weights, FLOPs, memory")(summary)


def summary(
    file: SpecFile,
    model: Model = None,
    settings: Settings = None,
    roots: ImportRoots = None,
    format: OutputFormat = Format.text,
) -> None:
    """Layers, output shapes, weights, FLOPs and memory of a model, and their totals.

    FLOPs and memory are those of one example (batch 1) in evaluation; a multiply-add counts two.

    \b
    Examples:
      nnspec summary digits_cnn.nn
      nnspec summary digits_dcgan.nn --model Critic
      nnspec summary digits_cnn.nn --set classes=100 --format json
    """
    from nnspec.commands.sources import load_spec
    from nnspec.commands.terminal import console, print_json

    spec = load_spec(file, settings, roots)
    models = [spec.model(model)] if model else spec.models
    found = [m.summary() for m in models]
    if format is Format.json:
        payload = [s.to_json() for s in found]
        print_json(payload[0] if len(payload) == 1 else payload)
    else:
        for one in found:
            console().print(one)
