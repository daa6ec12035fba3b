"""ONNX: every op at several opsets, clean for the checker, the same in onnxruntime and the evaluator."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from conformance import Case, op_cases

import nnspec
from codegen import TARGETS
from codegen.onnx.functions import REWRITES
from codegen.onnx.module import IR_VERSIONS, RULES
from nnspec.catalogue.ops import OPS
from nnspec.graph.graph import Program
from nnspec.report.diagnostics import SpecError

CASES = list(op_cases())


def test_every_op_is_lowered() -> None:
    known = {*RULES, *REWRITES}
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
