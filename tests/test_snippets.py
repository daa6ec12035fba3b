"""Fixed text of generated programs: what a definition needs is read off it, and each does what it says."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from codegen.python.fixed import snippet_imports, snippets
from codegen.python.source import Import

ROOT = Path(__file__).parent.parent
PACKAGES = [f"codegen.{name}.snippets" for name in ("python", "pytorch", "keras", "gluon")]


def test_what_a_definition_needs() -> None:
    """Imports and other definitions that it reads, not its own variables; in the order of the text."""
    pytorch = snippets("codegen.pytorch.snippets")
    assert set(pytorch["load_weights"].uses) == {"nn", "load_file", "SafetensorError", "sys"}
    assert pytorch["BatchNorm2d"].uses == ("RunningStatistics", "nn")
    keras = snippets("codegen.keras.snippets")
    assert "Adam" in keras["DecayedAdam"].uses
    assert keras["DecayedAdam"].text.startswith("@keras.saving.register")
    assert list(keras).index("Adam") < list(keras).index("DecayedAdam")
    imports = snippet_imports("codegen.pytorch.snippets")
    assert imports["F"] == Import("torch.nn.functional", alias="F")
    assert imports["load_file"] == Import("safetensors.torch", "load_file")


@pytest.mark.parametrize("package", PACKAGES)
def test_files_hold_nothing_else(package: str) -> None:
    """Imports and definitions: anything else would not reach the generated file."""
    for path in (ROOT / package.replace(".", "/")).glob("*.py"):
        _, *statements = ast.parse(path.read_text()).body
        allowed = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)
        assert all(isinstance(s, allowed) for s in statements), path


@pytest.mark.framework
@pytest.mark.parametrize("shape", [(6, 5), (4, 5, 7), (3, 5, 4, 2)])
def test_pytorch_batch_norm(shape: tuple[int, ...]) -> None:
    """The running variance is the batch's own; gradients pass."""
    import torch

    from codegen.pytorch.snippets.batch_norm import BatchNorm1d, BatchNorm2d

    torch.manual_seed(0)
    norm = (BatchNorm2d if len(shape) == 4 else BatchNorm1d)(5).double()
    kept = torch.ones(5, dtype=torch.float64)
    for count in (1, 2):
        x = torch.randn(shape, dtype=torch.float64, requires_grad=True) * 3 + 1
        axes = [a for a in range(x.dim()) if a != 1]
        norm(x).square().sum().backward()
        kept = 0.9 * kept + 0.1 * x.var(axes, correction=0)
        torch.testing.assert_close(norm.running_var, kept.detach(), rtol=1e-12, atol=0)
        assert norm.num_batches_tracked == count
    assert norm.weight.grad is not None


@pytest.mark.framework
@pytest.mark.parametrize("training", [True, False])
def test_pytorch_batch_norm_is_compiled(training: bool) -> None:
    """Under autocast, scripted, exported and compiled, each with another size of the batch."""
    import torch
    from torch import nn

    from codegen.pytorch.snippets.batch_norm import BatchNorm2d

    net = nn.Sequential(nn.Conv2d(3, 5, 3), BatchNorm2d(5), nn.ReLU()).train(training)
    few, many = torch.randn(2, 3, 8, 8), torch.randn(4, 3, 8, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert net(few).dtype == torch.bfloat16
    rows = torch.export.Dim("rows", min=2)
    exported = torch.export.export(net, (few,), dynamic_shapes=({0: rows},)).module()
    compiled = torch.compile(net, backend="aot_eager")
    for other in (torch.jit.script(net), exported, compiled):
        for x in (few, many):
            torch.testing.assert_close(other(x), net(x), rtol=1e-4, atol=1e-5)
