"""Fixed text of generated programs: what a definition needs is read off it, and each does what it says."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import numpy as np
import pytest

import nnspec
from codegen.python.fixed import snippet_imports, snippets
from codegen.python.snippets.data import load_data, refuse_single_rows
from codegen.python.snippets.epochs import stop_unless_finite
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


TYPES = {"x": ("float32", (4, None)), "y": ("int64", ())}


def stored(folder: Path, **changes: np.ndarray | None) -> str:
    """A file that fits `TYPES`, but for what is changed (None: left out)."""
    columns = {"x": np.ones((3, 4, 2)), "y": np.arange(3), **changes}
    path = folder / "data.npz"
    np.savez(path, **{name: a for name, a in columns.items() if a is not None})
    return str(path)


def test_data_in_their_types(tmp_path: Path) -> None:
    columns, held_out = load_data(stored(tmp_path, other=np.ones(2)), TYPES)
    assert [(n, a.dtype.name) for n, a in columns.items()] == [("x", "float32"), ("y", "int64")]
    assert held_out == {}
    path = stored(tmp_path, validation_x=np.ones((1, 4, 9)), validation_y=np.ones(1, "uint8"))
    assert list(load_data(path, TYPES)[1]) == ["x", "y"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y": None}, "has no column y (found: x)"),
        ({"x": np.ones((3, 5, 2))}, "should be float32 [rows, 4, any], found float64 [3, 5, 2]"),
        ({"y": np.ones((3, 1), "int64")}, "should be int64 [rows], found int64 [3, 1]"),
        ({"y": np.ones(3)}, "should be int64 [rows], found float64 [3]"),
        ({"y": np.arange(2)}, "as many in each column, found {'x': 3, 'y': 2}"),
        ({"x": np.ones((0, 4, 2)), "y": np.arange(0)}, "should have some rows"),
        ({"validation_x": np.ones((3, 4, 2))}, "has no column validation_y"),
    ],
)
def test_data_that_do_not_fit(
    changes: dict[str, np.ndarray | None], message: str, tmp_path: Path
) -> None:
    """A clear end before anything is trained."""
    with pytest.raises(SystemExit) as end:
        load_data(stored(tmp_path, **changes), TYPES)
    assert message in str(end.value)


def test_a_batch_of_one_row() -> None:
    """Refused where a batch norm would normalise over the rows alone, on every target."""
    columns = {"x": np.ones((9, 4))}
    refuse_single_rows(columns, 5)
    refuse_single_rows(columns, 9)
    for size in (1, 4, 8):
        with pytest.raises(SystemExit, match="leave a batch of one row"):
            refuse_single_rows(columns, size)
    for layers, refused in (
        ("x: f32[N, 8] output y = x -> BatchNorm -> Dense(2)", True),
        (
            "x: f32[N, 4, 4, 1] output y = x -> Conv2D(3, 4) -> BatchNorm -> flatten -> Dense(2)",
            True,
        ),
        (
            "x: f32[N, 4, 4, 1] output y = x -> Conv2D(3, 3) -> BatchNorm -> flatten -> Dense(2)",
            False,
        ),
        ("x: f32[N, 8] output y = x -> Dense(2)", False),
    ):
        column = layers.split(" output")[0]
        text = f"""
          model M {{ input {layers} }}
          train T {{ net = M() batch {column}, y: i64[N]
            minimize cross_entropy(net(x), y) using SGD(0.1) }}
        """
        for target in ("pytorch", "keras", "gluon"):
            (code,) = nnspec.load(text).build(target).files.values()
            assert ("refuse_single_rows(columns, args.batch_size)" in code) == refused, target


def test_a_loss_that_is_no_number() -> None:
    figures = {"loss": 0.5, "perplexity": float("inf")}
    stop_unless_finite(figures, ["loss"])
    for value in ("nan", "inf"):
        with pytest.raises(SystemExit, match=f"loss is {value}: training stops"):
            stop_unless_finite({"loss": float(value)}, ["loss"])


@pytest.mark.framework
def test_keras_sparse_gradients() -> None:
    """Those of an embedding, in which a row may come twice, mean what dense ones mean."""
    importlib.import_module("codegen.keras.runtime")
    import keras
    import tensorflow as tf

    from codegen.keras.snippets import optimizers
    from codegen.keras.snippets.trainer import StopUnlessFinite

    rows, indices = np.array([[1.0, 2.0], [3.0, -4.0], [0.5, 0.5]], "float32"), [1, 1, 3]
    dense = np.zeros((5, 2), "float32")
    np.add.at(dense, indices, rows)
    for make in (
        lambda: optimizers.Adam(0.1),
        lambda: optimizers.DecayedAdam(0.1, decay=0.1),
        lambda: optimizers.DecayedSGD(0.1, momentum=0.9, decay=0.1),
    ):
        ends = []
        for gradient in (dense, tf.IndexedSlices(rows, indices, (5, 2))):
            variable, used = keras.Variable(np.ones((5, 2), "float32")), make()
            for _ in range(2):
                used.apply([gradient], [variable])
            ends.append(np.asarray(variable))
        np.testing.assert_allclose(ends[1], ends[0], rtol=1e-6)
    with pytest.raises(SystemExit, match="loss is nan"):
        StopUnlessFinite(["loss"]).on_epoch_end(0, {"loss": float("nan")})
