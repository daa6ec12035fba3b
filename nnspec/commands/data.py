from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nnspec.commands.flags import DataCommand, given_options
from nnspec.commands.options import Settings, place


def register(app: typer.Typer) -> None:
    app.command(
        "data",
        cls=DataCommand,
        short_help="write a data set for the generated training programs",
    )(data)


def data(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="as in a spec: digits, for example")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE.npz", parser=place)],
    settings: Settings = None,
) -> None:
    """Write a data set as the .npz that generated training programs read.

    One array a column (`image` f32 in [0, 1], `label` i64), the held-out part as
    `validation_image`, `validation_label`; images are [N, H, W, C].

    \b
    Examples:
      nnspec data digits --size 28 -o digits.npz
      nnspec data mnist --path ~/mnist -o mnist.npz
      python digits_cnn_pytorch.py --data digits.npz
    """
    from nnspec.catalogue.data.catalogue import source
    from nnspec.catalogue.data.dataset import checked, load
    from nnspec.catalogue.data.rows import writable
    from nnspec.commands.settings import parse_settings
    from nnspec.commands.terminal import say
    from nnspec.core.arrays import write_npz
    from nnspec.core.files import write_file

    arguments = parse_settings(settings) | given_options(context)
    arrays = load(source(name, **checked(name, arguments)), Path.cwd()).arrays()
    if output.suffix != ".npz":
        output = output.with_name(output.name + ".npz")

    def write(temporary: Path) -> None:
        columns = {name: writable(column) for name, column in arrays.items()}
        write_npz(temporary, columns, compressed=True)

    write_file(output, write)
    say(f"{output}: " + ", ".join(f"{n} {a.dtype}{list(a.shape)}" for n, a in arrays.items()))
