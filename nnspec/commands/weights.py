from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nnspec.commands.options import ImportRoots, Model, Settings, SpecFile, place


def register(app: typer.Typer) -> None:
    group = typer.Typer(
        no_args_is_help=True,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    group.command("convert", short_help="from one file format to another")(weights_convert)
    app.add_typer(group, name="weights", short_help="convert weights between targets")
    group.callback()(_weights)


def _weights() -> None:
    """Convert weights between the canonical file and each target's own."""


def weights_convert(
    file: SpecFile,
    source: Annotated[Path, typer.Argument(metavar="FROM", parser=place, help="the file to read")],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="TO", parser=place, help="the file to write")
    ],
    from_target: Annotated[
        str | None,
        typer.Option("--from", metavar="TARGET", help="whose file FROM is; default: canonical"),
    ] = None,
    to_target: Annotated[
        str | None,
        typer.Option("--to", metavar="TARGET", help="whose file TO is; default: canonical"),
    ] = None,
    model: Model = None,
    settings: Settings = None,
    roots: ImportRoots = None,
) -> None:
    """Turn a weight file into another target's, or into the canonical one.

    Canonical files are .safetensors in PyTorch's conventions. Native ones are PyTorch's .safetensors,
    Keras's .weights.h5 and Gluon's .params; reading or writing them needs the framework.

    \b
    Examples:
      nnspec weights convert digits_cnn.nn trained.safetensors --to keras -o trained.weights.h5
      nnspec weights convert digits_cnn.nn net.params --from gluon -o trained.safetensors
      nnspec weights convert digits_cnn.nn net.params --from gluon --to keras -o net.weights.h5
    """
    from nnspec.commands.sources import load_spec
    from nnspec.commands.terminal import say
    from nnspec.driver.convert import CANONICAL, convert

    spec = load_spec(file, settings, roots)
    convert(
        spec,
        source,
        output,
        from_target=from_target or CANONICAL,
        to_target=to_target or CANONICAL,
        owner=model,
    )
    say(f"wrote {output}")
