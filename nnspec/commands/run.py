from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from nnspec.commands.options import Format, ImportRoots, Model, OutputFormat, Settings, place


class Device(StrEnum):
    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


def register(app: typer.Typer) -> None:
    app.command("run", short_help="run a model in onnxruntime")(run)


def run(
    file: Annotated[Path, typer.Argument(metavar="FILE", parser=place, help="a .nn or .onnx file")],
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[INPUT...]", help=".npy, .npz or image; NAME=FILE where there are several"
        ),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(
            "--weights", metavar="FILE", parser=place, help="canonical weights, for a .nn file"
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE.npz",
            parser=place,
            help="write the outputs; default: show",
        ),
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
    from nnspec.commands.settings import parse_settings
    from nnspec.commands.terminal import print_json, say, show_diagnostics
    from nnspec.driver import inference

    is_spec = file.suffix != ".onnx"
    loaded = (
        _built(file, model, weights, roots or (), parse_settings(settings)) if is_spec else file
    )
    engine = inference.load(loaded, device.value)
    show_diagnostics(engine.notes)
    feeds = inference.read_inputs(engine, inputs or (), as_spec=is_spec)
    report: dict[str, Any] = {"device": engine.device}
    if bench:
        report["latency"] = engine.bench(feeds or engine.examples()).to_json()
    if feeds or not bench:
        _outputs(engine.run(feeds), output, report)
    if format is Format.json:
        print_json(report)
        return
    for name, found in report.get("outputs", {}).items():
        print(f"{name} {found['dtype']}{found['shape']}")
        print(found["values"])
    if output is not None:
        say(f"wrote {output}")
    if bench:
        figures = report["latency"]
        print(
            f"{engine.device}, batch {figures['batch']}: median {figures['median_ms']:.3f} ms, "
            f"90 % within {figures['p90_ms']:.3f} ms, {figures['examples_per_second']:.0f} examples/s"
        )


def _built(
    file: Path,
    model: str | None,
    weights: Path | None,
    roots: Sequence[Path],
    settings: dict[str, Any],
) -> bytes:
    """The ONNX model of a spec, in memory."""
    import nnspec

    spec = nnspec.load(file, roots=roots, **settings)
    chosen = spec.model(model)
    files = spec.only(chosen.name).build("onnx", weights=weights).files
    return bytes(next(iter(files.values())))  # type: ignore[arg-type]


def _outputs(found: dict[str, Any], output: Path | None, report: dict[str, Any]) -> None:
    """Into the report, and into a file where one is wanted."""
    import numpy as np

    from nnspec.core.files import write_file

    report["outputs"] = {
        name: {
            "dtype": a.dtype.name,
            "shape": list(a.shape),
            "values": a.tolist() if a.size <= 1000 else None,
        }
        for name, a in found.items()
    }
    if output is not None:

        def write(temporary: Path) -> None:
            with temporary.open("wb") as file:
                np.savez(file, **found)

        write_file(output, write)
