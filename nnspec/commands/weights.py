from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nnspec.commands.options import (
    Format,
    ImportRoots,
    Model,
    OutputFormat,
    Settings,
    SpecFile,
    place,
)


def register(app: typer.Typer) -> None:
    group = typer.Typer(
        no_args_is_help=True,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    group.command("convert", short_help="from one file format to another")(weights_convert)
    group.command("import", short_help="take over weights of somebody else's model")(weights_import)
    app.add_typer(
        group, name="weights", short_help="convert weights between targets, or import them"
    )
    group.callback()(_weights)


def _weights() -> None:
    """Convert weights between the canonical file and each target's own, or take over those of others."""


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


def weights_import(
    source: Annotated[
        Path, typer.Argument(metavar="WEIGHTS", parser=place, help="the file to read")
    ],
    into: Annotated[
        Path, typer.Option("--into", metavar="FILE", parser=place, help="the .nn file of the model")
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="TO",
            parser=place,
            help="the canonical file to write; default: FILE's name with .safetensors, if new",
        ),
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option(
            "--table",
            metavar="TABLE",
            parser=place,
            help="which name is which; default: FILE's name with .weights.toml, written if new",
        ),
    ] = None,
    partial: Annotated[
        bool, typer.Option("--partial", help="weights that are not in the file begin as FILE says")
    ] = False,
    model: Model = None,
    settings: Settings = None,
    roots: ImportRoots = None,
    format: OutputFormat = Format.text,
) -> int:
    """Take over the weights of a model that somebody else wrote, as a canonical file.

    Reads .safetensors, state dicts of PyTorch (.pt, .pth, .bin; nothing in them is run), Keras's
    .h5, .weights.h5 and .keras, Gluon's .params, and the initialisers of .onnx.

    A table beside the spec says which name is which. Where there is none, names, shapes and order tell,
    and the table that they give is written, to be read and put right. Exit status 1, and nothing
    written, when a weight of the model has no source.

    \b
    Examples:
      nnspec weights import resnet18.pth --into resnet18.nn
      nnspec weights import model.safetensors --into bert.nn -o bert.safetensors --format json
      nnspec weights import backbone.pth --into classifier.nn --partial
    \b
    Lines of a table (docs/import.md has them all):
      [names]
      "layer{i}.{j}.conv1.weight" = "stage.{i-1}.block.{j}.conv2d.weight"
      "h.{i}.c_fc.weight" = { to = "block.{i}.dense.weight", transpose = [1, 0] }
      "h.{i}.qkv.weight" = { to = ["block.{i}.q.weight", "block.{i}.k.weight", "block.{i}.v.weight"] }
    """
    from nnspec.commands.sources import load_spec
    from nnspec.commands.terminal import console, print_json, say, show_diagnostics
    from nnspec.driver.importing.places import chosen_places
    from nnspec.driver.importing.report import render
    from nnspec.driver.importing.run import import_weights
    from nnspec.report.diagnostics import SpecError

    spec = load_spec(into, settings, roots)
    places = chosen_places(into, spec.stem, output, table)
    found = import_weights(spec, source, table=places.known_table, owner=model)
    if format is Format.json:
        print_json(found.report.to_json())
    else:
        console().print(render(found.report))
    if not partial:
        try:
            found.whole()
        except SpecError as error:
            show_diagnostics(error.diagnostics)
            return 1
    found.save(places.output, places.new_table)
    for written in filter(None, (places.output, places.new_table)):
        say(f"wrote {written}")
    return 0
