"""ONNX: every op at several opsets, clean for the checker, in onnxruntime as the definition has it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from conformance import Case, op_cases
from deviations import note

import nnspec
from codegen import TARGETS
from codegen.onnx import files
from codegen.onnx.operator_sets import IR_VERSIONS, operator_set
from nnspec import cli
from nnspec.catalogue.ops import OPS
from nnspec.driver import inference
from nnspec.graph import weight_files, weights
from nnspec.graph.evaluate import evaluate_model
from nnspec.graph.graph import Program
from nnspec.graph.graph import weights as weights_of
from nnspec.graph.weight_map import to_canonical, to_native
from nnspec.report.diagnostics import SpecError

CASES = op_cases()


def test_every_op_is_lowered() -> None:
    operators = operator_set(17)
    known = {*operators.rules, *operators.legality.rewrites}
    assert [n for n, op in OPS.items() if op.is_primitive() and op not in known] == []


@pytest.mark.parametrize(
    "opset", [24, *(pytest.param(older, marks=pytest.mark.slow) for older in (17, 20))]
)
def test_examples(opset: int) -> None:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # of models so small, threads take more than they give
    for case in CASES:
        model = _built(case, opset)
        onnx.checker.check_model(model, full_check=True)
        onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
        assert model.ir_version == IR_VERSIONS[opset]
        assert set(_names(model)) <= _typed(model), case.name
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        feeds = {i.name: a for i, a in zip(session.get_inputs(), case.inputs, strict=True)}
        for found, expected in zip(session.run(None, feeds), case.expected, strict=True):
            found, expected = found.astype("f8"), expected.astype("f8")
            scale = np.abs(expected).max(initial=1e-6)
            # One f32 rounding is 6e-8; sums of some hundred terms in another order reach 1e-6.
            assert np.abs(found - expected).max(initial=0) <= 1e-5 * scale, case.name
            note("onnx", case.op, "outputs", found, expected)


def _names(model: onnx.ModelProto) -> list[str]:
    """Of every value on the way, and what comes out."""
    return [name for node in model.graph.node for name in node.output if name]


def _typed(model: onnx.ModelProto) -> set[str]:
    """Values whose type is told, with a number or a name for each size."""
    values = (*model.graph.value_info, *model.graph.output)
    tensors = [(v.name, v.type.tensor_type) for v in values]
    return {
        name
        for name, t in tensors
        if t.elem_type and t.HasField("shape") and all(d.WhichOneof("value") for d in t.shape.dim)
    }


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
    assert (model.producer_name, model.producer_version) == ("nnspec", nnspec.__version__)
    told = "f32[N, 28, 28, 1] in the spec; axes here: NCHW"
    assert model.graph.input[0].doc_string == told
    assert all(v.doc_string for v in model.graph.output)


NORMED = """\
model Normed {
  input x: f32[N, T, 5]
  dense = Dense(5)
  y = dense(x) -> BatchNorm -> relu
  output z = dense(y), y
}
"""


def test_a_layer_with_a_norm_and_without() -> None:
    """Its matrix stands in two forms, its bias is added once; the map names one of them."""
    spec = nnspec.load(NORMED)
    (graph,) = spec.program.models
    stored = weights.initialize(weights_of(graph), 1)
    entries = spec.build("onnx").models[graph].weight_map
    back = to_canonical(to_native(stored, entries), entries)
    assert back.keys() == stored.keys()
    assert all(np.array_equal(back[path], array) for path, array in stored.items())
    assert spec.verify(["onnx"]).agrees


BOTH_WAYS = """\
model Tagger {
  input tokens: i64[N, T]
  output tags = tokens -> Embedding(9, 5) -> LSTM(4, bidirectional = true, layers = 2)
    -> GRU(3, bidirectional = true) -> RNN(3)
}
"""


def test_recurrent_weights_stand_in_their_final_form() -> None:
    """No operator puts them together, and the map leads from several to one and back."""
    spec = nnspec.load(BOTH_WAYS)
    (graph,) = spec.program.models
    stored = weights.initialize(weights_of(graph), 1)
    emitted = TARGETS["onnx"].emit(spec.program, stem="x", provenance="t", weights={graph: stored})
    (content,) = emitted.files.values()
    model = onnx.load_from_string(content)
    assert "Concat" not in {node.op_type for node in model.graph.node}
    held = {i.name: onnx.numpy_helper.to_array(i) for i in model.graph.initializer}
    entries = emitted.models[graph].weight_map
    native = to_native(stored, entries)
    assert native["lstm.weight_ih_l1"].shape == (2, 16, 8)
    assert native["gru.bias_l0"].shape == (2, 18)
    for name, array in native.items():
        np.testing.assert_array_equal(array, held[name])
    back = to_canonical(native, entries)
    assert back.keys() == stored.keys()
    for path, array in stored.items():
        np.testing.assert_array_equal(back[path], array)
    docs = [v.doc_string for v in (*model.graph.input, *model.graph.output)]
    assert docs == ["i64[N, T] in the spec; numbers from 0 to 8", "f32[N, T, 3] in the spec"]


def _run(text: str, **arrays: np.ndarray) -> tuple[list[np.ndarray], Sequence[np.ndarray]]:
    """What onnxruntime gives, and what the definition says."""
    spec = nnspec.load(text)
    (graph,) = spec.program.models
    (content,) = spec.build("onnx").files.values()
    found = onnxruntime.InferenceSession(content).run(None, arrays)
    return found, evaluate_model(graph, list(arrays.values()), {}).outputs


def test_halves_are_rounded_to_even_and_negative_numbers_count_from_the_end() -> None:
    text = "model M {{\n  input x: f32[6]\n{}  output y = {}\n}}\n"
    halves = np.array([-2.5, -0.5, 0.5, 1.5, 2.5, 3.5], "f4")
    for found, expected in (
        _run(text.format("", "round(x)"), x=halves),
        _run(text.format("  input i: i64[3]\n", "gather(x, i)"), x=halves, i=np.array([-1, 0, -6])),
    ):
        np.testing.assert_array_equal(found[0], expected[0])


FUSED = {
    "convolutions": (
        "input x: f32[N, 8, 8, 3]",
        'x -> Conv2D(8, 3, padding = "same", use_bias = false) -> BatchNorm -> relu -> MaxPool2D(2)'
        ' -> Conv2D(8, 3, stride = 2, padding = "same", activation = relu) -> flatten'
        " -> Dense(5, activation = relu)",
        "FusedConv MaxPool FusedConv Flatten FusedGemm",
    ),
    "norms of matrices": (
        "input x: f32[N, 5]",
        "x -> Dense(4) -> BatchNorm -> relu -> Dense(3, use_bias = false) -> BatchNorm(scale = false)",
        "FusedGemm Gemm",
    ),
    "norms of places": (
        "input x: f32[N, T, 2, 5]",
        "x -> Shared(4) -> Shared(3) -> max(axis = [1, 2])",
        "Reshape FusedGemm FusedGemm Shape Shape Concat Reshape ReduceMax",
    ),
}
SHARED = "block Shared(units) { input x output x -> Dense(units) -> BatchNorm -> relu }\n"


@pytest.mark.parametrize("given, result, wanted", FUSED.values(), ids=FUSED)
def test_onnxruntime_fuses_what_can_be(
    given: str, result: str, wanted: str, tmp_path: Path
) -> None:
    """Norms and activations go into the layers before them: no operator that we write hinders it."""
    spec = nnspec.load(f"{SHARED}model Fused {{\n  {given}\n  output y = {result}\n}}\n")
    (content,) = spec.build("onnx").files.values()
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "fused.onnx")
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    kinds = [node.op_type for node in onnx.load(tmp_path / "fused.onnx").graph.node]
    assert " ".join(kinds) == wanted
    assert spec.verify(["onnx"]).agrees


WRITTEN = {
    "one reshape of several": (
        "image -> reshape([N, 16]) -> reshape([N, 1, 1, 16]) -> relu",
        20,
        "Reshape Relu",
    ),
    "no reshape at all": ("image -> reshape([N, 4, 4]) -> reshape([N, 2, 2, 4])", 20, "Identity"),
    "equals once": ("tanh(relu(image)) * tanh(relu(image))", 20, "Relu Tanh Mul"),
    "a step of a loop that nobody reads": ("unread(image)", 20, "Relu"),
    "the mean of an image": ("image -> global_avg_pool", 20, "ReduceMean"),
    "length": ("normalize(image)", 20, "ReduceL2 Max Div"),
    "angles by their numbers": ("rotary(image)", 23, "Shape Concat Expand RotaryEmbedding"),
}
BLOCK = """block both {
  input x
  output relu(x), tanh(x)
}
block unread {
  input x
  y, _ = both(x)
  output y
}
"""


@pytest.mark.parametrize("text, opset, kinds", WRITTEN.values(), ids=WRITTEN)
def test_no_operator_too_many(text: str, opset: int, kinds: str) -> None:
    spec = f"{BLOCK}model M {{\n  input image: f32[N, 2, 2, 4]\n  output y = {text}\n}}\n"
    (content,) = nnspec.load(spec).build("onnx", opset=opset, layout="nhwc").files.values()
    assert " ".join(n.op_type for n in onnx.load_from_string(content).graph.node) == kinds


@pytest.mark.parametrize("options", ({"opset": 16}, {"opset": 25}, {"layout": "chwn"}))
def test_options_that_do_not_exist(options: dict[str, object]) -> None:
    with pytest.raises(SpecError, match="E0706"):
        nnspec.load("specs/digits_cnn.nn").build("onnx", **options)


DRAWS = """\
model Noisy {
  input x: f32[N, 3]
  output y = random_normal([x.shape[0], 3]), z = random_uniform([2, 3]), coin = random_bernoulli([5])
}
"""


def test_draws_are_for_operator_sets_that_onnxruntime_draws_in() -> None:
    spec = nnspec.load(DRAWS)
    (content,) = spec.build("onnx", opset=21).files.values()
    session = onnxruntime.InferenceSession(content)
    first, second = (session.run(None, {"x": np.zeros((4, 3), "f4")}) for _ in range(2))
    assert [a.shape for a in first] == [(4, 3), (2, 3), (5,)]
    assert not np.array_equal(first[0], second[0]) and not np.array_equal(first[1], second[1])
    with pytest.raises(SpecError, match="E0704.*no kernel.*beyond operator set 21.*--opset 21"):
        spec.build("onnx", opset=22)


def test_a_wrong_layer_is_found() -> None:
    """The check can fail: swapped columns of one weight change the outputs."""
    case = next(c for c in CASES if c.name.startswith("Dense"))
    wrong = dict(case.weights)
    path = next(p for p in wrong if p.endswith("weight"))
    wrong[path] = wrong[path][:, ::-1].copy()
    model = _built(Case(case.name, case.model, wrong, case.inputs), 20)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    feeds = {i.name: a for i, a in zip(session.get_inputs(), case.inputs, strict=True)}
    assert np.abs(session.run(None, feeds)[0] - case.expected[0]).max() > 1e-2


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


def test_numbers_that_are_counted_need_no_memory() -> None:
    """The fuzzer's size of 2**31: onnx worked out a shape of so many numbers, to find the types of others."""
    text = (
        "model M { input x: f32[N, 2, 3] y = resize(x, size = [2**31], interpolation = 'bilinear') "
        "output z = y -> Dense(4) -> log_softmax(axis = 1) }"
    ).replace("'", '"')
    code = (
        "import nnspec, resource, codegen.onnx; spec = nnspec.load(__import__('sys').argv[1]); "
        "resource.setrlimit(resource.RLIMIT_DATA, (2**30, 2**30)); spec.build('onnx')"
    )
    subprocess.run([sys.executable, "-c", code, text], check=True)


@pytest.mark.parametrize(
    "body", ["x = x -> Dense(3)", "weight w: f32[3] = normal(0.02)\nx = w * x"]
)
def test_outputs_have_names_of_their_own(body: str) -> None:
    """ONNX takes no two values of one name: an input that is bound anew comes out as `x_output`."""
    spec = nnspec.load(f"model M {{ input x: f32[N, 3]\n{body}\noutput x, w = 2 * x }}\n")
    (content,) = spec.build("onnx").files.values()
    model = onnx.load_from_string(content)
    assert [o.name for o in model.graph.output] == [
        "x_output",
        "w_output" if "weight" in body else "w",
    ]
    assert spec.verify(["onnx"]).agrees
