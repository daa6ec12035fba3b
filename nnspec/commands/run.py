from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nnspec.commands.options import Format, ImportRoots, Model, OutputFormat, Settings, place

if TYPE_CHECKING:
    from nnspec.core.files import Content
    from nnspec.driver.runner import Runner
    from nnspec.graph.weight_map import Array

LONGEST = 1000
"""Numbers of an output that are shown in full."""


class Device(StrEnum):
    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"
    definition = "definition"


def register(app: typer.Typer) -> None:
    app.command("run", short_help="run a model in onnxruntime")(run)


def run(
    file: Annotated[Path, typer.Argument(metavar="FILE", parser=place, help="a .nn or .onnx file")],
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[INPUT...]",
            help=".npy, .npz or picture, several make a batch; NAME=FILE where there are several inputs",
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
        Device,
        typer.Option(
            "--device",
            metavar="auto|cpu|cuda|definition",
            help="where to compute; definition: with NumPy, as the language says, for a .nn file",
        ),
    ] = Device.auto,
    threads: Annotated[
        int | None,
        typer.Option("--threads", metavar="N", min=1, help="of one operator; default: all cores"),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed",
            metavar="N",
            min=0,
            max=2**32 - 1,
            help="of what the model draws at random; default: new numbers in every run",
        ),
    ] = None,
    bench: Annotated[bool, typer.Option("--bench", help="measure the latency")] = False,
    batch: Annotated[
        int | None,
        typer.Option("--batch", metavar="N", min=1, help="--bench without inputs: rows; default 1"),
    ] = None,
    size: Annotated[
        list[str] | None,
        typer.Option(
            "--size",
            metavar="NAME=N",
            help="--bench without inputs: a symbolic size, such as T=128 (repeatable)",
        ),
    ] = None,
    warm_up: Annotated[
        int | None,
        typer.Option("--warm-up", metavar="N", min=0, help="--bench: calls not counted; default 5"),
    ] = None,
    model: Model = None,
    settings: Settings = None,
    roots: ImportRoots = None,
    format: OutputFormat = Format.text,
) -> None:
    """Run a model in onnxruntime, or by the language's own definition.

    Inputs and outputs are in the model's own layout for a .onnx file, and as the spec says for a .nn
    file. Without --weights a .nn file gets its initial ones.

    An array must hold the kind of number that the input does, and every value must fit: f64 becomes
    f32, but fractions never become whole numbers, nor whole numbers fractions. Bytes for an input of
    fractions, from a picture or a uint8 array, are pixels: 0 to 255 become 0 to 1. Pictures are resized
    to what the model reads. A seed makes random draws the same again, on the same device.

    \b
    Examples:
      nnspec run digits_cnn.onnx images.npy
      nnspec run digits_cnn.nn --weights trained.safetensors one.png two.png
      nnspec run digits_cnn.onnx image=images.npy -o outputs.npz --device cuda
      nnspec run digits_cnn.onnx --bench --batch 32 --threads 2
      nnspec run digits_lstm.nn --bench --size T=128
    """
    from nnspec.commands.measure import check_flags, chosen_sizes, measured
    from nnspec.commands.terminal import print_json, say, show_diagnostics
    from nnspec.driver import inference
    from nnspec.driver.inputs import read_inputs
    from nnspec.driver.runner import WARM_UP

    check_flags(bench, bool(inputs), batch=batch, size=size, warm_up=warm_up)
    engine: Runner
    if file.suffix.lower() == ".onnx":
        _check_model_file(weights=weights, model=model, settings=settings, roots=roots)
        engine = inference.load(file, _onnx_device(device), threads=threads, seed=seed)
    elif device is Device.definition:
        engine = _defined(file, model, weights, settings, roots, seed)
    else:
        built = _built(file, model, weights, settings, roots)
        engine = inference.load_files(built, device.value, threads=threads, seed=seed)
    show_diagnostics(engine.notes)
    feeds = read_inputs(engine.inputs, inputs or ())
    report: dict[str, Any] = {"device": engine.device}
    if bench:
        sizes = {} if feeds else chosen_sizes(engine.symbols, batch, size or ())
        told = engine.bench(
            feeds or engine.examples(sizes),
            warm_up=WARM_UP if warm_up is None else warm_up,
        )
        report["latency"] = told.to_json() | ({"sizes": sizes} if sizes else {})
    outputs = engine.run(feeds) if feeds or not bench else {}
    if output is not None and outputs:
        _write(output, outputs)
    if format is Format.json:
        print_json(report | ({"outputs": _as_json(outputs)} if outputs else {}))
        return
    for name, array in outputs.items():
        print(f"{name} {array.dtype.name}{list(array.shape)}")
        print(_shown(array))
    if output is not None and outputs:
        say(f"wrote {output}")
    if bench:
        others = {name: value for name, value in sizes.items() if not engine.symbols[name]}
        print(measured(engine.device, report["latency"], others))


def _check_model_file(**given: object) -> None:
    """Options of a spec, beside a model that is already made."""
    from nnspec.report.diagnostics import Diagnostic, SpecError

    flags = {"weights": "--weights", "model": "--model", "settings": "--set", "roots": "-I"}
    for name, value in given.items():
        if value:
            message = f"`{flags[name]}` means nothing to a .onnx file"
            raise SpecError(Diagnostic("E0706", message, helps=("give the .nn file",)))


def _built(
    file: Path,
    model: str | None,
    weights: Path | None,
    settings: list[str] | None,
    roots: list[Path] | None,
) -> Mapping[str, Content]:
    """The ONNX model of a spec; its images are laid out as in the language."""
    from nnspec.commands.sources import load_spec

    alone = load_spec(file, settings, roots).model(model).alone()
    return alone.build("onnx", weights=weights, layout="nhwc").files


def _onnx_device(device: Device) -> str:
    """The device of a `.onnx` file, which the definition knows nothing of."""
    from nnspec.report.diagnostics import Diagnostic, SpecError

    if device is Device.definition:
        message = "`--device definition` means nothing to a .onnx file"
        raise SpecError(Diagnostic("E0706", message, helps=("give the .nn file",)))
    return device.value


def _defined(
    file: Path,
    model: str | None,
    weights: Path | None,
    settings: list[str] | None,
    roots: list[Path] | None,
    seed: int | None,
) -> Runner:
    """A model of a spec, to be evaluated by its definition."""
    from nnspec.commands.sources import load_spec
    from nnspec.driver import defined
    from nnspec.driver.stored import load_all

    alone = load_spec(file, settings, roots).model(model).alone()
    (graph,) = alone.program.models
    stored = load_all(weights, alone.program, alone.whole)[graph] if weights else None
    return defined.load(graph, stored or alone.initial_weights(), seed=seed)


def _shown(array: Array) -> str:
    """The numbers, of a large array its corners."""
    import numpy as np

    return np.array2string(array, threshold=LONGEST, precision=6, suppress_small=True)


def _as_json(outputs: Mapping[str, Array]) -> dict[str, Any]:
    return {
        name: {
            "dtype": a.dtype.name,
            "shape": list(a.shape),
            "values": a.tolist() if a.size <= LONGEST else None,
        }
        for name, a in outputs.items()
    }


def _write(path: Path, outputs: Mapping[str, Array]) -> None:
    import numpy as np

    from nnspec.core.arrays import write_npz
    from nnspec.core.files import write_file

    def plain(array: Array) -> Array:
        """What `.npz` files hold: text by characters, and no types of ml_dtypes."""
        if array.dtype.kind == "O":
            return array.astype(str)
        return array if array.dtype.isbuiltin == 1 else array.astype(np.float32)

    named = {name: plain(array) for name, array in outputs.items()}
    write_file(path, lambda temporary: write_npz(temporary, named))
