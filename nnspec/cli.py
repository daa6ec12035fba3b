"""`nnspec`: the command line. Thin: what a command does stands in `nnspec/commands`.

Exit status: 0 all is well; 1 something is wrong with a spec or a file, or targets disagree;
2 the command line cannot be carried out as it stands; 70 nnspec itself failed.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence

OK, WRONG, USAGE, INTERNAL = 0, 1, 2, 70


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
    from nnspec.core import inputs
    from nnspec.report.diagnostics import SpecError

    debug = "--debug" in arguments
    try:
        with inputs.kept():
            result = _carry_out(arguments)
        sys.stdout.flush()
        return result
    except SpecError as error:
        from nnspec.commands.terminal import say, show_diagnostics

        if debug and (output := getattr(error, "output", "")):
            say(output)
        show_diagnostics(error.diagnostics)
        return _status_of(error)
    except KeyboardInterrupt:
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
    from nnspec.commands import shortcuts

    result = shortcuts.carry_out(arguments)
    if result is None:
        from nnspec.commands.app import carry_out

        result = carry_out(arguments)
    return result


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
