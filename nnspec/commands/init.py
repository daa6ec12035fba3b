from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nnspec.commands.options import ImportRoots, Model, Seed, Settings, SpecFile, place


def register(app: typer.Typer) -> None:
    app.command("init", short_help="write initial weights")(init)


def init(
    file: SpecFile,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE.safetensors", parser=place)
    ],
    model: Model = None,
    settings: Settings = None,
    roots: ImportRoots = None,
    seed: Seed = 0,
) -> None:
    """Write initial weights, canonical, drawn by the spec's initialisers from a seed.

    The same seed gives the same bytes on every platform. Without --model: the weights of the networks of
    the file's training programs, else of its models; where there are several, each one's begin with its
    name (`net`, or `Program.net` where two programs have a `net`), and the last line tells the names.

    \b
    Examples:
      nnspec init digits_cnn.nn -o initial.safetensors
      nnspec init digits_cnn.nn --seed 7 -o initial.safetensors
    """
    from nnspec.commands.sources import load_spec
    from nnspec.commands.terminal import say
    from nnspec.driver.stored import owners
    from nnspec.graph.graph import weights as weights_of
    from nnspec.graph.weight_files import save
    from nnspec.graph.weights import count

    spec = load_spec(file, settings, roots)
    if model is not None:
        spec = spec.only(model)
    weights = spec.initial_weights(seed)
    save(output, weights)
    numbers = sum(count(weights_of(owner.model)) for owner in owners(spec.program))
    names = [owner.name for owner in owners(spec.program)]
    of = f" of {', '.join(names)}" if len(names) > 1 else ""
    say(f"wrote {output}: {numbers:,} numbers{of}")
