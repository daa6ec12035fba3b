"""ONNX: every op at several opsets, clean for the checker, in onnxruntime as the definition has it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from conformance import Case, op_cases

import nnspec
from codegen import TARGETS
from codegen.onnx import files
from codegen.onnx.module import IR_VERSIONS, LEGALITY, RULES
from nnspec import cli
from nnspec.catalogue.ops import OPS
from nnspec.driver import inference
from nnspec.graph import weight_files, weights
from nnspec.graph.graph import Program
from nnspec.report.diagnostics import SpecError

CASES = list(op_cases())


def test_every_op_is_lowered() -> None:
    known = {*RULES, *LEGALITY.rewrites}
    assert [n for n, op in OPS.items() if op.is_primitive() and op not in known] == []


@pytest.mark.parametrize("opset", (17, 20, 24))
def test_examples(opset: int) -> None:
    for case in CASES:
        model = _built(case, opset)
        onnx.checker.check_model(model, full_check=True)
        onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
        assert model.ir_version == IR_VERSIONS[opset]
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), providers=["CPUExecutionProvider"]
        )
        feeds = {i.name: a for i, a in zip(session.get_inputs(), case.inputs, strict=True)}
        for found, expected in zip(session.run(None, feeds), case.expected(), strict=True):
            found, expected = found.astype("f8"), expected.astype("f8")
            scale = np.abs(expected).max(initial=1e-6)
            # One f32 rounding is 6e-8; sums of some hundred terms in another order reach 1e-6.
            assert np.abs(found - expected).max(initial=0) <= 1e-5 * scale, case.name


def _built(case: Case, opset: int) -> onnx.ModelProto:
    emitted = TARGETS["onnx"].emit(
        Program((case.model,)),
        stem="x",
        provenance="test",
        opset=opset,
        layout="nhwc",
        weights={case.model: case.weights},
    )
    (content,) = emitted.files.values()
    return onnx.load_from_string(content)


def test_metadata_names_and_bytes() -> None:
    spec = nnspec.load("specs/digits_cnn.nn")
    first, second = (spec.build("onnx").files["digits_cnn.onnx"] for _ in range(2))
    assert first == second
    model = onnx.load_from_string(first)
    assert {i.name for i in model.graph.initializer} >= {"conv2d.weight", "dense.bias"}
    assert [n.name for n in model.graph.node][:2] == ["conv2d", "relu"]
    location = {p.key: p.value for p in model.graph.node[0].metadata_props}["nnspec.location"]
    assert location.endswith("specs/digits_cnn.nn:6:8")
    assert {p.key: p.value for p in model.metadata_props}["nnspec.layout.image"] == "NCHW"
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "N"


@pytest.mark.parametrize("options", ({"opset": 16}, {"opset": 25}, {"layout": "chwn"}))
def test_options_that_do_not_exist(options: dict[str, object]) -> None:
    with pytest.raises(SpecError, match="E0706"):
        nnspec.load("specs/digits_cnn.nn").build("onnx", **options)


def test_a_wrong_layer_is_found() -> None:
    """The check can fail: swapped columns of one weight change the outputs."""
    case = next(c for c in CASES if c.name.startswith("Dense"))
    wrong = dict(case.weights)
    path = next(p for p in wrong if p.endswith("weight"))
    wrong[path] = wrong[path][:, ::-1].copy()
    model = _built(Case(case.name, case.model, wrong, case.inputs), 20)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    feeds = {i.name: a for i, a in zip(session.get_inputs(), case.inputs, strict=True)}
    assert np.abs(session.run(None, feeds)[0] - case.expected()[0]).max() > 1e-2


LARGE = """\
model Large(width = 64) {
  input tokens: i64[N, 5]
  output y = tokens -> Embedding(100, width) -> LSTM(width) -> Dense(width) -> Dense(3)
}
"""


def _answers(folder: Path) -> np.ndarray:
    session = onnxruntime.InferenceSession(folder / "large.onnx")
    answers: np.ndarray = session.run(None, {"tokens": np.arange(10).reshape(2, 5)})[0]
    return answers


@pytest.mark.parametrize("given", (False, True), ids=("initial", "stored"))
def test_weights_of_large_models(
    given: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written part by part, inside or beside the model: the same numbers as of a small one."""
    spec = tmp_path / "large.nn"
    spec.write_text(LARGE)
    command = ["build", str(spec), "--target", "onnx", "-o"]
    if given:
        stored = str(tmp_path / "w.safetensors")
        assert cli.status(["init", str(spec), "-o", stored, "--seed", "3"]) == 0
        command = [*command[:-1], "--weights", stored, "-o"]
    assert cli.status([*command, str(tmp_path / "whole")]) == 0
    expected = _answers(tmp_path / "whole")
    monkeypatch.setattr(files, "AT_ONCE", 1000)
    monkeypatch.setattr(weights, "PART", 1000)
    monkeypatch.setattr(weight_files, "PART", 999)
    assert cli.status([*command, str(tmp_path / "parts")]) == 0
    whole, parts = (tmp_path / name / "large.onnx" for name in ("whole", "parts"))
    assert whole.read_bytes() == parts.read_bytes()
    onnx.checker.check_model(parts, full_check=True)
    monkeypatch.setattr(files, "LARGEST", 20_000)
    assert cli.status([*command, str(tmp_path / "beside")]) == 0
    beside = tmp_path / "beside"
    assert {p.name for p in beside.iterdir()} == {"large.onnx", "large.onnx.data"}
    assert (beside / "large.onnx").stat().st_size < 20_000
    onnx.checker.check_model(beside / "large.onnx", full_check=True)
    np.testing.assert_array_equal(_answers(beside), expected)
    found = inference.load_files(nnspec.load(spec).build("onnx").files)
    assert found.run({"tokens": np.zeros((1, 5), "i8")})["y"].shape == (1, 5, 3)


def test_large_models_need_no_memory(tmp_path: Path) -> None:
    """Neither to draw the weights, nor to write them, nor to read them: 1.3 times the file at most."""
    spec = tmp_path / "wide.nn"
    spec.write_text(
        "model Wide {\n  input x: i64[N]\n  output y = x -> Embedding(5120, 8192, glorot_uniform())\n}\n"
    )
    build = f"'build', '{spec}', '--target', 'onnx', '-o', '{tmp_path}'"
    code = (
        "import re; from nnspec import cli; "
        f"assert not cli.status(['init', '{spec}', '-o', '{tmp_path}/w.safetensors']); "
        f"assert not cli.status([{build}, '--weights', '{tmp_path}/w.safetensors']); "
        # Not `getrusage`, which counts what pytest had before it became this process.
        "print(re.search(r'VmHWM:\\s*(\\d+) kB', open('/proc/self/status').read())[1])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    size = (tmp_path / "wide.onnx").stat().st_size
    assert size > 160 * 2**20
    assert int(result.stdout) * 2**10 < 1.3 * size
