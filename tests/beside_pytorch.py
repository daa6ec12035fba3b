"""An ONNX file run beside the generated PyTorch module, with the same weights, at several sizes of what is symbolic."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from codegen import TARGETS
from codegen.target import EmittedModel
from nnspec.core.files import write_files
from nnspec.driver.generated import load_module
from nnspec.driver.verify.cases import inputs_of, symbol_sizes, weights_of
from nnspec.graph.exported import exported
from nnspec.graph.graph import Graph, Program
from nnspec.graph.passes.freeze_random import freeze_graph
from nnspec.graph.passes.widen import Widening
from nnspec.graph.sizes import large_enough
from nnspec.graph.weight_map import Array, to_native


def models_of(program: Program) -> dict[str, Graph]:
    """By the names under which they are exported; without chance."""
    return {called: freeze_graph(model) for called, model in exported(program).items()}


def trials_of(
    model: Graph, sizes: Sequence[Sequence[int]]
) -> list[tuple[dict[str, int], list[Array]]]:
    """Sizes of what is symbolic, and inputs of these sizes in the language's order of axes."""
    generator = np.random.default_rng(0)
    names = symbol_sizes(model.inputs)
    tried = [large_enough(model.steps, dict(zip(names, each))) for each in sizes]
    return [(each, inputs_of(model.inputs, model.steps, each, generator)) for each in tried]


def onnx_file(
    model: Graph, weights: Mapping[str, Array], folder: Path, opset: int = 20
) -> tuple[Path, EmittedModel]:
    """The file, and how inputs lie in it."""
    emitted = TARGETS["onnx"].emit(
        Program((model,)), stem="model", provenance="", weights={model: weights}, opset=opset
    )
    write_files({folder / name: content for name, content in emitted.files.items()})
    return folder / "model.onnx", emitted.models[model]


def pytorch_source(model: Graph) -> tuple[str, EmittedModel]:
    """The generated module, and how inputs lie in it."""
    emitted = TARGETS["pytorch"].emit(Program((model,)), stem="model", provenance="")
    (source,) = emitted.files.values()
    assert isinstance(source, str)
    return source, emitted.models[model]


def network(source: str, entry: EmittedModel, weights: Mapping[str, Array]) -> Any:
    """The module with given weights, in evaluation; it counts batches, which the language does not."""
    import torch

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model_pytorch.py"
        path.write_text(source)
        net = getattr(load_module(path), entry.class_name)()
    native = to_native(weights, entry.weight_map)
    found = net.load_state_dict({n: torch.tensor(a) for n, a in native.items()}, strict=False)
    fixed = {name for name, p in net.named_parameters() if not p.requires_grad}
    lost = [n for n in found.missing_keys if n not in fixed and "num_batches" not in n]
    assert not lost, lost
    assert not found.unexpected_keys, found.unexpected_keys
    return net.eval()


def there(entry: EmittedModel, arrays: Sequence[Array]) -> list[Array]:
    """Inputs as a target has them."""
    return [layout.there(a) for a, layout in zip(arrays, entry.input_layouts, strict=True)]


def back(entry: EmittedModel, arrays: Sequence[Array]) -> list[Array]:
    """A target's outputs as the language has them."""
    return [layout.back(a) for a, layout in zip(arrays, entry.output_layouts, strict=True)]


def by_pytorch(net: Any, entry: EmittedModel, arrays: Sequence[Array]) -> list[Array]:
    """The outputs of the module."""
    import torch

    with torch.no_grad():
        found = net(*map(torch.tensor, there(entry, arrays)))
    return back(entry, [x.numpy() for x in (found if isinstance(found, tuple) else (found,))])


def fed(session: Any, arrays: Sequence[Array]) -> dict[str, Array]:
    """Inputs of an onnxruntime session by their names."""
    return {i.name: a for i, a in zip(session.get_inputs(), arrays, strict=True)}


def difference(ours: Sequence[Array], theirs: Sequence[Array]) -> float:
    """The largest of all outputs, of the scale of each."""
    apart = [0.0]
    for x, y in zip(ours, theirs, strict=True):
        if x.shape != y.shape or not (np.isfinite(x).all() and np.isfinite(y).all()):
            return float("inf")
        scale = max(float(np.abs(y).max(initial=0)), 1e-6)
        apart.append(float(np.abs(x.astype("f8") - y.astype("f8")).max(initial=0)) / scale)
    return max(apart)


WITHIN = 1e-5
"""Of an output's scale: both sides compute in f32."""

JUMP = 1e-3
"""What rounding alone may move where a network is judged by it."""


@dataclass(frozen=True)
class Trial:
    """What came of inputs of these sizes.

    apart: how far onnxruntime's outputs are from PyTorch's. rounding: where that is more than `WITHIN`, how far PyTorch's are
    from its own in f64.
    """

    sizes: str
    apart: float
    rounding: float = 0.0

    @property
    def is_right(self) -> bool:
        """Within a few roundings, or no further than twice what both sides lose by rounding."""
        return self.apart <= max(WITHIN, 4 * min(self.rounding, JUMP))


def trials(model: Graph, sizes: Sequence[Sequence[int]]) -> Iterator[Trial]:
    """The outputs of both, with the same weights, for inputs of sizes."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    weights = weights_of(model, 0)
    with tempfile.TemporaryDirectory() as folder:
        path, entry = onnx_file(model, weights, Path(folder))
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    source, of_module = pytorch_source(model)
    net = network(source, of_module, weights)
    for each, arrays in trials_of(model, sizes):
        ours = back(entry, session.run(None, fed(session, there(entry, arrays))))
        theirs = by_pytorch(net, of_module, arrays)
        apart = difference(ours, theirs)
        rounding = 0.0
        if apart > WITHIN:
            rounding = difference(theirs, in_f64(model, weights, arrays))
        yield Trial(" ".join(f"{s} = {n}" for s, n in each.items()), apart, rounding)


def in_f64(model: Graph, weights: Mapping[str, Array], arrays: Sequence[Array]) -> list[Array]:
    """PyTorch's outputs in more digits, with the same weights and inputs."""
    widened = Widening().graph(model)
    source, entry = pytorch_source(widened)
    net = network(source, entry, {path: _wide(a) for path, a in weights.items()})
    return by_pytorch(net, entry, list(map(_wide, arrays)))


def _wide(array: Array) -> Array:
    return array.astype("f8") if array.dtype == np.float32 else array
