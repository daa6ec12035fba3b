from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nnspec.commands.flags import TargetCommand, given_options
from nnspec.commands.options import ImportRoots, Model, Settings, SpecFile, place

if TYPE_CHECKING:
    from nnspec.api import Spec


class Stage(StrEnum):
    tree = "tree"
    graph = "graph"
    passes = "passes"


def register(app: typer.Typer) -> None:
    app.command("build", cls=TargetCommand, short_help="write framework source and ONNX models")(
        build
    )


def build(
    context: typer.Context,
    file: SpecFile,
    target: Annotated[
        list[str] | None,
        typer.Option(
            "--target", "-t", metavar="NAME,...", help="pytorch, keras, gluon, onnx; default: all"
        ),
    ] = None,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="DIR", parser=place, help="default: here")
    ] = Path(),
    weights: Annotated[
        Path | None,
        typer.Option(
            "--weights",
            metavar="FILE",
            parser=place,
            help="canonical .safetensors: inside the ONNX model, beside the sources",
        ),
    ] = None,
    model: Model = None,
    settings: Settings = None,
    roots: ImportRoots = None,
    emit: Annotated[
        Stage | None,
        typer.Option(
            "--emit", metavar="tree|graph|passes", help="print this stage and stop; writes nothing"
        ),
    ] = None,
) -> None:
    """Write framework source and ONNX models that compute what the spec says.

    Writes <stem>_pytorch.py, <stem>_keras.py, <stem>_gluon.py, <stem>.onnx. When something is wrong
    with the spec, none is written. When a target cannot express it (E0704), that is told, the other
    targets are written all the same, and the exit status is 1. No framework needs to be installed.

    \b
    Examples:
      nnspec build digits_cnn.nn --target all -o build
      nnspec build digits_cnn.nn --target onnx --weights trained.safetensors --opset 21
      nnspec build digits_cnn.nn --target pytorch,keras --set classes=100
      nnspec build digits_cnn.nn --emit graph
    """
    from nnspec.commands.sources import load_spec
    from nnspec.commands.terminal import say, show_diagnostics
    from nnspec.core.files import write_files
    from nnspec.driver.build import build_files
    from nnspec.report.diagnostics import SpecError

    if emit is Stage.tree:
        _print_tree(file)
        return
    spec = load_spec(file, settings, roots)
    if model is not None:
        spec = spec.only(model)
    if emit is not None:
        _print_graphs(spec, emit)
        return
    files, said = build_files(spec, target or ["all"], given_options(context), weights)
    write_files({output / name: content for name, content in files.items()})
    refusals = [d for d in said if d.severity == "error"]
    show_diagnostics([*spec.lints, *(d for d in said if d not in refusals)])
    for name in files:
        say(f"wrote {output / name}")
    if refusals:
        raise SpecError(*refusals)


def _print_tree(file: Path) -> None:
    from nnspec.driver.sources import read_source
    from nnspec.report.diagnostics import Reporter
    from nnspec.syntax.parse import parse
    from nnspec.views.stages import show_tree

    reporter = Reporter()
    tree = parse(read_source(file), reporter)
    reporter.raise_errors()
    print(show_tree(tree), end="")


def _print_graphs(spec: Spec, stage: Stage) -> None:
    from nnspec.views.stages import show_graph

    for graph in spec.program.models:
        print(show_graph(graph), end="")
        if stage is Stage.passes:
            from nnspec.graph.passes import PASSES

            for change in PASSES:
                graph = change(graph)
                print(f"\n# after {change.__name__}\n{show_graph(graph)}", end="")
