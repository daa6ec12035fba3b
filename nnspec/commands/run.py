from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from nnspec.commands.options import Format, ImportRoots, Model, OutputFormat, Settings


class Device(StrEnum):
    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


def register(app: typer.Typer) -> None:
    app.command("run", short_help="run a model in onnxruntime")(run)


def run(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="a .nn or .onnx file")],
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[INPUT...]", help=".npy, .npz or image; NAME=FILE where there are several"
        ),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option("--weights", metavar="FILE", help="canonical weights, for a .nn file"),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE.npz", help="write the outputs; default: show"),
    ] = None,
    device: Annotated[
        Device, typer.Option("--device", metavar="auto|cpu|cuda", help="where to compute")
    ] = Device.auto,
    bench: Annotated[bool, typer.Option("--bench", help="measure the latency")] = False,
    model: Model = None,
    settings: Settings = None,
    roots: ImportRoots = None,
    format: OutputFormat = Format.text,
) -> None:
    """Run a model in onnxruntime.

    Inputs are in the model's own layout for a .onnx file, and as the spec says for a .nn file.
    Without --weights a .nn file gets its initial ones.

    \b
    Examples:
      nnspec run digits_cnn.onnx images.npy
      nnspec run digits_cnn.nn --weights trained.safetensors digit.png
      nnspec run digits_cnn.onnx image=images.npy -o outputs.npz --device cuda
      nnspec run digits_cnn.onnx --bench
    """
    raise SystemExit(2)
