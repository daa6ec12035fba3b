"""The command lines that are typed most, without what it takes to read all the others.

typer and what it brings need longer to import than a small spec needs to be checked. A test holds
`OVERVIEW` to what typer says.
"""

from __future__ import annotations

OVERVIEW = """\
Usage: nnspec [OPTIONS] COMMAND [ARGS]...

  One .nn file becomes PyTorch, Keras and Gluon source and an ONNX model.

  Begin with:
    nnspec check digits_cnn.nn                      is it right?
    nnspec build digits_cnn.nn --target all -o out  write all four
    nnspec verify digits_cnn.nn                     do they compute the same numbers?
    nnspec train digits_cnn.nn --target pytorch     train it, end with weights for every target

  `nnspec COMMAND -h` shows a command's options and examples.

Options:
  --version   print the version
  --debug     show tracebacks of internal errors
  -h, --help  Show this message and exit.

Commands:
  check    is a spec right? report everything that is wrong
  fmt      put files into the canonical form
  build    write framework source and ONNX models
  verify   prove that the targets compute the same numbers
  run      run a model in onnxruntime
  train    train with a framework, end with weights for every target
  runs     what was trained, how far it is, and in what runs differ
  init     write initial weights
  summary  layers, shapes, weights, FLOPs, memory
  graph    draw a model (SVG, dot, mermaid)
  data     write a data set for the generated training programs
  ops      the catalogue: what layers and functions mean
  targets  what is installed, in which versions
  explain  explain an error code
  weights  convert weights between targets, or import them
"""


def carry_out(arguments: list[str]) -> int | None:
    """The exit status of `-h`, of `--version`, of `check` with files alone; None for any other line."""
    match arguments:
        case ["-h" | "--help"]:
            print(OVERVIEW, end="")
            return 0
        case ["--version"]:
            from nnspec import __version__

            print(f"nnspec {__version__}")
            return 0
        case ["check", _, *_] if all(map(_is_file, arguments[1:])):
            from pathlib import Path

            from nnspec.commands.checking import check_files

            return check_files(list(map(Path, arguments[1:])))
        case _:
            return None


def _is_file(argument: str) -> bool:
    return argument == "-" or not argument.startswith("-") and bool(argument.strip())
