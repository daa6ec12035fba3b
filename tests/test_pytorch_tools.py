"""Generated PyTorch under PyTorch's own tools: autocast, `torch.export`, TorchScript, `torch.compile`, state dicts."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from codegen import TARGETS
from nnspec.compiler import load
from nnspec.driver.generated import load_module
from nnspec.driver.verify import cases

pytestmark = pytest.mark.framework
GOLDEN = Path(__file__).parent / "cases" / "golden"


@lru_cache
def network(name: str, folder: Path) -> tuple[Any, tuple[Any, ...]]:
    """The first model of a spec, in evaluation, and inputs for it."""
    import torch

    torch.manual_seed(0)
    program = load(GOLDEN / f"{name}.nn")
    emitted = TARGETS["pytorch"].emit(program, stem=name, provenance="A test.")
    path = folder / f"{name}_pytorch.py"
    path.write_text(str(emitted.files[path.name]), encoding="utf-8")
    graph, entry = next(iter(emitted.models.items()))
    sizes = cases.symbol_sizes(graph.inputs)
    arrays = cases.inputs_of(graph.inputs, graph.steps, sizes, np.random.default_rng(0))
    inputs = tuple(
        torch.tensor(layout.there(a)) for a, layout in zip(arrays, entry.input_layouts, strict=True)
    )
    return getattr(load_module(path), entry.class_name)().eval(), inputs


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tools")


def in_bf16(net: Any, inputs: tuple[Any, ...]) -> Any:
    """Forward and, in training, backward."""
    import torch

    with torch.autocast("cpu", torch.bfloat16):
        net.train()(*inputs).float().mean().backward()
        result = net.eval()(*inputs)
    slopes = [p.grad for p in net.parameters() if p.requires_grad]
    assert all(s is not None and s.isfinite().all() for s in slopes)
    return result.float()


def exported(net: Any, inputs: tuple[Any, ...]) -> Any:
    import torch

    return torch.export.export(net, inputs).module()(*inputs)


def scripted(net: Any, inputs: tuple[Any, ...]) -> Any:
    import torch

    return torch.jit.script(net)(*inputs)


def compiled(net: Any, inputs: tuple[Any, ...]) -> Any:
    """Whole: nothing in it makes the tracer leave the graph."""
    import torch

    return torch.compile(net, backend="aot_eager", fullgraph=True)(*inputs)


def reloaded(net: Any, inputs: tuple[Any, ...]) -> Any:
    other = type(net)().eval()
    other.load_state_dict(net.state_dict())
    return other(*inputs)


EVERYWHERE = [in_bf16, exported, reloaded]
TOOLS = {
    "resnet": [*EVERYWHERE, scripted, compiled],
    # TorchScript and Dynamo do not take subclasses of `nn.LSTM`.
    "language_model": EVERYWHERE,
}


@pytest.mark.parametrize(("name", "tool"), [(n, t) for n, tools in TOOLS.items() for t in tools])
def test_tools(name: str, tool: Callable[[Any, tuple[Any, ...]], Any], folder: Path) -> None:
    net, inputs = network(name, folder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = tool(net, inputs)
    expected = net(*inputs).detach()
    error = (found - expected).abs().max() / expected.abs().max()
    assert error <= (0.05 if tool is in_bf16 else 1e-6)
