"""`nnspec build --target onnx` beside `torch.onnx.export` of the generated PyTorch model, and the
latency of the two files in onnxruntime: `python benchmarks/onnx_export.py`."""

from __future__ import annotations

import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from interleave import main, median_of
from train_step import generated

import nnspec
from codegen import TARGETS
from nnspec.graph.graph import weights
from nnspec.graph.weights import initialize

SPECS = Path(__file__).parent.parent / "specs"
NAMES = ("digits_cnn", "digits_mlp", "digits_convnet", "digits_autoencoder", "digits_lstm")
FILES = Path(tempfile.gettempdir()) / "nnspec-benchmark-onnx"
BATCH = 8


def build(name: str) -> dict[str, Any]:
    """With given weights, as the exporter has them."""
    program = nnspec.load(SPECS / f"{name}.nn").program
    (model,) = program.models
    given = {model: initialize(weights(model), 0)}
    emit = partial(TARGETS["onnx"].emit, program, stem=name, provenance="", weights=given)
    return {"seconds": median_of(emit, 20)}


def export(name: str) -> dict[str, Any]:
    import torch

    module = generated("pytorch", SPECS / f"{name}.nn")
    program = nnspec.load(SPECS / f"{name}.nn")
    net = getattr(module, program.models[0].name)().eval()
    kind = program.models[0].graph.inputs[0].type
    layout = program.build("onnx").models[program.models[0].graph].input_layouts[0]
    sizes = [BATCH, *(int(str(d)) for d in kind.shape[1:])]
    image = torch.zeros(*(sizes if layout is None else [sizes[i] for i in (0, 3, 1, 2)]))

    def call() -> None:
        torch.onnx.export(
            net,
            (image,),
            FILES / f"{name}_torch.onnx",
            dynamo=True,
            external_data=False,
            dynamic_shapes=({0: torch.export.Dim("N")},),
            verbose=False,
        )

    FILES.mkdir(exist_ok=True)
    start = time.perf_counter()
    call()
    first = time.perf_counter() - start
    (FILES / f"{name}_nnspec.onnx").write_bytes(program.build("onnx").files[f"{name}.onnx"])
    return {"seconds": median_of(call, 3, 0), "first": first}


def latency(name: str, maker: str) -> dict[str, Any]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    path = FILES / f"{name}_{maker}.onnx"
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    (wanted,) = session.get_inputs()
    image = np.random.default_rng(0).random((BATCH, *wanted.shape[1:]), dtype=np.float32)
    feeds = {wanted.name: image}
    return {"seconds": median_of(lambda: session.run(None, feeds), 400, 50)}


CASES = {
    **{f"build {n}": partial(build, n) for n in NAMES},
    **{f"export {n}": partial(export, n) for n in NAMES},
    **{
        f"{maker} latency {n}": partial(latency, n, maker)
        for n in NAMES
        for maker in ("nnspec", "torch")
    },
}

if __name__ == "__main__":
    results = main(__file__, CASES, 5)
    for name in NAMES if results else ():
        ours, theirs = results[f"build {name}"]["seconds"], results[f"export {name}"]["seconds"]
        ratio = (
            results[f"nnspec latency {name}"]["seconds"]
            / results[f"torch latency {name}"]["seconds"]
        )
        print(
            f"{name:<20} build {ours * 1000:7.1f} ms, torch.onnx.export {theirs * 1000:8.0f} ms"
            f" ({theirs / ours:5.0f} x), latency ratio {ratio:.3f}"
        )
