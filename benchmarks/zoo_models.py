"""The two ONNX files that `zoo_onnx.py` compares: nnspec's, and PyTorch's export of the generated module."""

from __future__ import annotations

import hashlib
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from codegen import TARGETS
from codegen.target import EmittedModel
from nnspec.compiler import load
from nnspec.core.files import write_files
from nnspec.driver.generated import load_module
from nnspec.driver.verify.cases import inputs_of, symbol_sizes, weights_of
from nnspec.graph.exported import exported
from nnspec.graph.graph import Graph, Program
from nnspec.graph.passes.freeze_random import freeze_graph
from nnspec.graph.weight_map import Array, to_native

ROOT = Path(__file__).parent.parent
ZOO = ROOT / "specs" / "zoo"


def models(name: str, full: bool) -> dict[str, Graph]:
    """Of a file of the zoo, as large as the tests have them, or as the file says; without chance."""
    sys.path.append(str(ROOT / "tests"))
    from test_zoo import SMALL

    program = load(ZOO / f"{name}.nn", **({} if full else SMALL.get(name, {})))
    return {called: freeze_graph(model) for called, model in exported(program).items()}


def trials_of(
    model: Graph, sizes: Sequence[Sequence[int]]
) -> list[tuple[dict[str, int], list[Array]]]:
    """Sizes of what is symbolic, and inputs of these sizes in the language's order of axes."""
    generator = np.random.default_rng(0)
    tried = [dict(zip(symbol_sizes(model.inputs), each)) for each in sizes]
    return [(each, inputs_of(model.inputs, model.steps, each, generator)) for each in tried]


def ours(model: Graph, opset: int) -> tuple[Path, EmittedModel]:
    """The file, and how inputs lie in it."""
    weights = {model: weights_of(model, 0)}
    emitted = TARGETS["onnx"].emit(
        Program((model,)), stem="model", provenance="", weights=weights, opset=opset
    )
    folder = Path(tempfile.mkdtemp(prefix="nnspec-zoo-"))
    write_files({folder / name: content for name, content in emitted.files.items()})
    return folder / "model.onnx", emitted.models[model]


def theirs(model: Graph, inputs: Sequence[Array], kept: Path) -> tuple[Path, bool]:
    """The file with the same weights, and whether its sizes are those of the inputs only.

    It is taken from `kept` where it stands there: an export takes longer than all the rest.
    """
    import torch

    emitted = TARGETS["pytorch"].emit(Program((model,)), stem="model", provenance="")
    (source,) = emitted.files.values()
    assert isinstance(source, str)
    shapes = str([i.shape for i in inputs])
    digest = hashlib.sha256(f"{torch.__version__}{shapes}{source}".encode()).hexdigest()[:16]
    files = {True: kept / f"{digest}.onnx", False: kept / f"{digest}_fixed.onnx"}
    for dynamic, path in files.items():
        if path.exists():
            return path, not dynamic
    file = Path(tempfile.mkdtemp(prefix="nnspec-zoo-")) / "model_pytorch.py"
    file.write_text(source)
    entry = emitted.models[model]
    native = to_native(weights_of(model, 0), entry.weight_map)
    net = network(getattr(load_module(file), entry.class_name), native)
    layouts = entry.input_layouts
    given = tuple(torch.tensor(x.there(a)) for x, a in zip(layouts, inputs, strict=True))
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


def network(made_by: Any, native: Mapping[str, Array]) -> Any:
    """The generated module with given weights, in evaluation; it counts batches, which the language does not."""
    import torch

    net = made_by()
    found = net.load_state_dict({n: torch.tensor(a) for n, a in native.items()}, strict=False)
    fixed = {name for name, p in net.named_parameters() if not p.requires_grad}
    lost = [n for n in found.missing_keys if n not in fixed and "num_batches" not in n]
    assert not lost, lost
    assert not found.unexpected_keys, found.unexpected_keys
    return net.eval()
