from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nnspec.commands.options import ImportRoots, Model, Seed, Settings, SpecFile


def register(app: typer.Typer) -> None:
    app.command("init", short_help="write initial weights")(init)


def init(
    file: SpecFile,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE.safetensors")],
    model: Model = None,
    settings: Settings = None,
    roots: ImportRoots = None,
    seed: Seed = 0,
) -> None:
    """Write initial weights, canonical, drawn by the spec's initialisers from a seed.

    The same seed gives the same bytes on every platform. Without --model: the weights of the file's
    training program (each network's under its name, where there are several), else of its one model.

    \b
    Examples:
      nnspec init digits_cnn.nn -o initial.safetensors
      nnspec init digits_cnn.nn --seed 7 -o initial.safetensors
    """
    import nnspec
    from nnspec.commands.settings import parse_settings
    from nnspec.commands.terminal import say
    from nnspec.graph.weights import save

    spec = nnspec.load(file, roots=roots or (), **parse_settings(settings))
    if model is not None:
        spec = spec.only(model)
    weights = spec.initial_weights(seed)
    save(output, weights)
    say(f"wrote {output}: {sum(a.size for a in weights.values()):,} numbers")
