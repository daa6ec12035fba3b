"""Element types: one table, and every op in every type is right on a target, or refused when compiling."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conformance import Case, case_of, run_case

from codegen import TARGETS
from nnspec.catalogue.ops import OPS, ShapeError
from nnspec.catalogue.ops.base import Example
from nnspec.compiler import compile_source
from nnspec.core.dtypes import DTYPES, INTEGERS, of_array
from nnspec.core.types import TensorType
from nnspec.driver.inference import load
from nnspec.graph.evaluate import evaluate_model
from nnspec.graph.graph import Program, weights
from nnspec.graph.single import single
from nnspec.graph.weight_files import load as load_weights
from nnspec.graph.weight_files import save as save_weights
from nnspec.graph.weight_map import Array
from nnspec.graph.weights import initialize
from nnspec.report.diagnostics import Reporter, SpecError
from nnspec.report.source import Source

COARSE = {("onnx", "f64"): {"attention", "MultiHeadAttention"}, ("gluon", "f64"): {"RNN"}}
"""onnxruntime scales a product of matrices by a number that it keeps as f32, in f64 too; MXNet's RNN has its relu in
f32 (a `Fault`)."""

ROUNDINGS = 16
"""Neighbours of the type that a result may be off by, of the tensor's scale: an op rounds once."""


def test_numpy_has_every_type() -> None:
    for dtype in DTYPES.values():
        array = np.zeros(2, dtype.numpy)
        assert array.dtype.itemsize == dtype.bytes
        assert of_array(array) is dtype
        if dtype.is_float:
            one = np.asarray(1, dtype.numpy)
            assert float(np.asarray(1 + dtype.epsilon).astype(dtype.numpy)) > float(one)
            assert float(np.asarray(1 + dtype.epsilon / 4).astype(dtype.numpy)) == float(one)


def _retyped(example: Example, dtype: str) -> Example | None:
    """The example with its numbers in another type; None where the op does not take it."""
    old = INTEGERS if dtype in INTEGERS and "f32" not in _types(example) else ("f32",)
    inputs = tuple(TensorType(dtype, t.shape) if t.dtype in old else t for t in example.inputs)
    try:
        example.op.infer(*inputs)
    except ShapeError:
        return None
    return None if inputs == example.inputs else Example(example.op, inputs)


def _types(example: Example) -> set[str]:
    return {t.dtype for t in example.inputs}


def _exact(example: Example, case: Case, inputs: list[Array]) -> Sequence[Array]:
    """What the op gives for the same numbers in f64."""

    types = (replace(t, dtype="f64") if t.is_float else t for t in example.inputs)
    model = single(Example(example.op, tuple(types)))
    weights = {k: a.astype("float64") for k, a in case.weights.items()}
    exact = [
        a.astype("float64") if t.is_float else a
        for a, t in zip(inputs, example.inputs, strict=True)
    ]
    return evaluate_model(model, exact, weights).outputs


def _cases(dtype: str) -> Iterator[tuple[Case, Sequence[Array]]]:
    """Each op in a type, with what it gives for the same numbers in f64."""
    for name, op in sorted(OPS.items()):
        for number, declared in enumerate(op.examples()):
            example = None if declared.op.stochastic else _retyped(declared, dtype)
            if example is None:
                continue
            case = case_of(f"{name}-{number}", single(example))
            inputs = [
                a.astype(DTYPES[v.type.dtype].numpy)
                for a, v in zip(case.inputs, case.model.inputs, strict=True)
            ]
            yield replace(case, inputs=inputs), _exact(example, case, inputs)


def _run_onnx(case: Case) -> list[Array]:
    target: Any = TARGETS["onnx"]
    emitted = target.emit(
        Program((case.model,)), stem="case", provenance="", weights={case.model: case.weights}
    )
    (model,) = emitted.files.values()
    entry = emitted.models[case.model]
    engine = load(model, "cpu")
    names = [i.name for i in engine.inputs]
    feeds = [x.there(a) for a, x in zip(case.inputs, entry.input_layouts, strict=True)]
    found = engine.run(dict(zip(names, feeds, strict=True)))
    return [x.back(a) for a, x in zip(found.values(), entry.output_layouts, strict=True)]


@pytest.mark.framework
@pytest.mark.parametrize("dtype", [name for name in DTYPES if name != "f32"])
@pytest.mark.parametrize("target", TARGETS)
def test_every_op_is_right_or_refused(target: str, dtype: str, tmp_path: Path) -> None:
    wrong: list[str] = []
    for case, expected in _cases(dtype):
        try:
            if target == "onnx":
                found = _run_onnx(case)
            else:
                runtime = importlib.import_module(f"codegen.{target}.runtime")
                found = run_case(TARGETS[target], runtime, case, tmp_path)
        except SpecError as error:
            if error.diagnostics[0].code != "E0704":
                wrong.append(f"{case.name}: {error.diagnostics[0].message}")
            continue
        except Exception as error:  # noqa: BLE001  what a framework raises, all of them told at once
            wrong.append(f"{case.name}: {type(error).__name__}: {str(error)[-300:]}")
            continue
        for value, a, b in zip(case.model.outputs, found, expected, strict=True):
            # Models in f64 run under a `floatx` of f64, in which Keras's metrics are then too.
            widened = (target, dtype, a.dtype) == ("keras", "f64", "float64")
            # MXNet has no booleans to compute with: they are zeros and ones of some type.
            numbers = target == "gluon" and value.type.dtype == "bool"
            if a.dtype != DTYPES[value.type.dtype].numpy and not widened and not numbers:
                wrong.append(f"{case.name}: {a.dtype} instead of {value.type}")
            epsilon = DTYPES[value.type.dtype].epsilon
            if case.op in COARSE.get((target, dtype), ()):
                epsilon = DTYPES["f32"].epsilon
            if not _close(a, b, epsilon):
                wrong.append(f"{case.name}: {np.ravel(a)[:4]} instead of {np.ravel(b)[:4]}")
    assert not wrong, "\n".join(wrong)


def _close(found: Array, expected: Array, epsilon: float) -> bool:
    if found.shape != np.shape(expected):
        return False
    a, b = found.astype("float64"), np.asarray(expected).astype("float64")
    allowed = max(ROUNDINGS * epsilon, 1e-10) if epsilon else 0.0
    return bool((np.abs(a - b) <= allowed * np.abs(b).max(initial=0.0)).all())


HALVES = """
model M(kind = "f16") {
  input x: f16[N, 4]
  weight scale: f16[] = constant(2)
  weight shift: bf16[3] = normal(0.5)
  y = x -> Dense(3)
  output y = cast(y * scale, bf16) + shift
}
"""


def test_weights_take_the_type_of_the_input_and_keep_it_in_files(tmp_path: Path) -> None:
    reporter = Reporter()
    (model,) = compile_source(Source("<text>", HALVES), reporter).models
    reporter.raise_errors()
    types = {w.path: w.type.dtype for w in weights(model)}
    assert types == {
        "scale": "f16", "shift": "bf16", "dense.weight": "f16", "dense.bias": "f16",
    }  # fmt: skip
    arrays = initialize(weights(model), 0)
    save_weights(tmp_path / "w.safetensors", arrays)
    for path, array in load_weights(tmp_path / "w.safetensors").items():
        assert array.dtype == DTYPES[types[path]].numpy
        assert array.tobytes() == arrays[path].tobytes()
