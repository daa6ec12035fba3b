"""The commands as typer carries them out."""

from __future__ import annotations

import typer

from nnspec.commands import (
    build,
    check,
    data,
    explain,
    fmt,
    graph,
    init,
    ops,
    run,
    runs,
    summary,
    targets,
    train,
    verify,
    weights,
)
from nnspec.commands.streams import tell

app = typer.Typer(
    name="nnspec",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _version(wanted: bool) -> None:
    if wanted:
        from nnspec import __version__

        print(f"nnspec {__version__}")
        raise typer.Exit


@app.callback()
def nnspec(
    version: bool = typer.Option(
        False, "--version", help="print the version", callback=_version, is_eager=True
    ),
    debug: bool = typer.Option(False, "--debug", help="show tracebacks of internal errors"),
) -> None:
    """One .nn file becomes PyTorch, Keras and Gluon source and an ONNX model.

    \b
    Begin with:
      nnspec check digits_cnn.nn                      is it right?
      nnspec build digits_cnn.nn --target all -o out  write all four
      nnspec verify digits_cnn.nn                     do they compute the same numbers?
      nnspec train digits_cnn.nn --target pytorch     train it, end with weights for every target

    `nnspec COMMAND -h` shows a command's options and examples.
    """


for module in (check, fmt, build, verify, run, train, runs, init, weights, summary, graph, data, ops, targets,
               explain):  # fmt: skip
    module.register(app)


def carry_out(arguments: list[str]) -> int:
    """The exit status of a command line; errors of the command itself go through."""
    try:
        result = app(args=arguments, standalone_mode=False, prog_name="nnspec")
    except typer.Exit as exit_:
        return exit_.exit_code
    except typer.Abort:
        raise KeyboardInterrupt from None
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        command = context.command_path if context is not None else "nnspec"
        tell(f"error: {error.format_message()}\ntry `{command} -h`")
        return 2
    return result if isinstance(result, int) else 0
