"""`nnspec`: the command line. Thin: what a command does stands in `nnspec/commands`.

Exit status: 0 all is well; 1 something is wrong with a spec or a file, or targets disagree;
2 the command line cannot be carried out as it stands; 70 nnspec itself failed.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence

import typer

from nnspec.commands import (
    build,
    check,
    data,
    explain,
    fmt,
    graph,
    init,
    run,
    summary,
    targets,
    train,
    verify,
    weights,
)

OK, WRONG, USAGE, INTERNAL = 0, 1, 2, 70

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


for module in (check, fmt, build, verify, run, train, init, weights, summary, graph, data, targets,
               explain):  # fmt: skip
    module.register(app)


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of the `nnspec` script."""
    from nnspec.commands.streams import prepare

    prepare()
    for number in (signal.SIGTERM, signal.SIGHUP):
        # What is under way cleans up after itself; `nohup` keeps what it asked for.
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _stop)
    raise SystemExit(status(sys.argv[1:] if arguments is None else list(arguments)))


def _stop(number: int, frame: object) -> None:
    raise SystemExit(128 + number)


def status(arguments: list[str]) -> int:
    """Carry out one command line; returns the exit status, and never raises."""
    from nnspec.commands.streams import OutputError, abandon
    from nnspec.report.diagnostics import SpecError

    debug = "--debug" in arguments
    try:
        result = _carry_out(arguments)
        sys.stdout.flush()
        return result
    except typer.TyperException as error:
        return _usage(error)
    except SpecError as error:
        from nnspec.commands.terminal import show_diagnostics

        show_diagnostics(error.diagnostics)
        return _status_of(error)
    except (KeyboardInterrupt, typer.Abort):
        return 130
    except BrokenPipeError:
        # The reader (`| head`) has what it wanted.
        abandon(sys.stdout)
        return OK
    except OutputError as error:
        abandon(sys.stdout)
        return _refused("E0703", f"cannot write standard output: {_reason(error)}")
    except OSError as error:
        if debug:
            raise
        what = f"`{error.filename}`" if error.filename else "what was under way"
        return _refused("E0716", f"the system refused {what}: {_reason(error)}")
    except Exception as error:
        if debug:
            raise
        return _failed(error)


def _carry_out(arguments: list[str]) -> int:
    try:
        result = app(args=arguments, standalone_mode=False, prog_name="nnspec")
    except typer.Exit as exit_:
        return exit_.exit_code
    return result if isinstance(result, int) else OK


def _usage(error: typer.TyperException) -> int:
    from nnspec.commands.streams import tell

    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "nnspec"
    tell(f"error: {error.format_message()}\ntry `{command} -h`")
    return USAGE


USAGE_CODES = frozenset({"E0701", "E0705", "E0706", "E0707"})
"""Diagnostics about the command line itself: an unknown target, model, parameter or code."""


def _status_of(error: object) -> int:
    diagnostics = getattr(error, "diagnostics", ())
    return USAGE if any(d.code in USAGE_CODES for d in diagnostics) else WRONG


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _refused(code: str, message: str) -> int:
    """The disk is full, a name too long: no fault of nnspec, and none of the spec."""
    from nnspec.commands.terminal import show_diagnostics
    from nnspec.report.diagnostics import Diagnostic

    show_diagnostics([Diagnostic(code, message)])
    return WRONG


def _failed(error: Exception) -> int:
    """What is no `SpecError`: there is no memory left, or nnspec itself is wrong."""
    from nnspec.commands.terminal import show_diagnostics
    from nnspec.report.diagnostics import Diagnostic

    if isinstance(error, MemoryError):
        show_diagnostics([Diagnostic("E0708", "there is not enough memory for this")])
        return WRONG
    fault = Diagnostic(
        "E0999",
        f"nnspec itself failed: {type(error).__name__}: {error}",
        notes=("this is a fault of nnspec, not of your file",),
        helps=("report it with the file and the output of `nnspec --debug ...`",),
    )
    show_diagnostics([fault])
    return INTERNAL


if __name__ == "__main__":
    main()
