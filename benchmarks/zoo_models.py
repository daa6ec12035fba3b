"""The two ONNX files that `zoo_onnx.py` compares: nnspec's, and PyTorch's export of the generated module."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from pathlib import Path

from beside_pytorch import models_of, network, onnx_file, pytorch_source, there
from test_zoo import SMALL

from codegen.target import EmittedModel
from nnspec.compiler import load
from nnspec.driver.verify.cases import weights_of
from nnspec.graph.graph import Graph
from nnspec.graph.weight_map import Array

ZOO = Path(__file__).parent.parent / "specs" / "zoo"


def models(name: str, full: bool) -> dict[str, Graph]:
    """Of a file of the zoo, as large as the tests have them, or as the file says; without chance."""
    return models_of(load(ZOO / f"{name}.nn", **({} if full else SMALL.get(name, {}))))


def ours(model: Graph, opset: int) -> tuple[Path, EmittedModel]:
    """The file, and how inputs lie in it."""
    folder = Path(tempfile.mkdtemp(prefix="nnspec-zoo-"))
    return onnx_file(model, weights_of(model, 0), folder, opset)


def theirs(model: Graph, inputs: Sequence[Array], kept: Path) -> tuple[Path, bool]:
    """The file with the same weights, and whether its sizes are those of the inputs only.

    It is taken from `kept` where it stands there: an export takes longer than all the rest.
    """
    import torch

    source, entry = pytorch_source(model)
    shapes = str([i.shape for i in inputs])
    digest = hashlib.sha256(f"{torch.__version__}{shapes}{source}".encode()).hexdigest()[:16]
    files = {True: kept / f"{digest}.onnx", False: kept / f"{digest}_fixed.onnx"}
    for dynamic, path in files.items():
        if path.exists():
            return path, not dynamic
    net = network(source, entry, weights_of(model, 0))
    layouts = entry.input_layouts
    given = tuple(map(torch.tensor, there(entry, inputs)))
    open_ = tuple(
        {
            place: torch.export.Dim.DYNAMIC
            for place, axis in enumerate(layout.order)
            if not isinstance(value.type.shape[axis], int)
        }
        for value, layout in zip(model.inputs, layouts, strict=True)
    )
    failed: Exception | None = None
    for dynamic, path in files.items():
        sizes = open_ if dynamic else None
        try:
            torch.onnx.export(net, given, path, dynamo=True, dynamic_shapes=sizes, verbose=False)
            return path, not dynamic
        except Exception as error:  # noqa: BLE001  exporters fail with whatever they meet
            failed = failed or error
    assert failed is not None
    raise failed
