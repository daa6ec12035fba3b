"""Generated Keras against the ONNX reference evaluator, op by op."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conformance import Case, emitted_text, op_cases, run_case

from codegen import TARGETS
from codegen.keras.module import DIALECT
from nnspec.catalogue.ops import OPS
from nnspec.driver.generated import load_module
from nnspec.graph.graph import Program

CASES = list(op_cases())


def test_every_op_is_in_a_table() -> None:
    """An op that is missing is caught here, never at a user's run."""
    known = {*DIALECT.layers, *DIALECT.functions, *DIALECT.never}
    assert [n for n, op in OPS.items() if op.is_primitive() and op not in known] == []


@pytest.mark.framework
@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_outputs(case: Case, tmp_path: Path) -> None:
    from codegen.keras import runtime

    for dtype, bound in (("f32", 2e-5), ("f64", 2e-5)):
        found = run_case(TARGETS["keras"], runtime, case, tmp_path, dtype)
        for a, b in zip(found, case.expected(), strict=True):
            assert a.shape == np.shape(b)
            np.testing.assert_allclose(a, b, rtol=bound, atol=bound)


@pytest.mark.framework
@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_gradients_are_finite(case: Case, tmp_path: Path) -> None:
    """In training mode, for every weight and every operand of floats."""
    import tensorflow as tf

    emitted = TARGETS["keras"].emit(Program((case.model,)), stem="case", provenance="conformance")
    path = tmp_path / "case.py"
    path.write_text(emitted_text(emitted), encoding="utf-8")
    net = getattr(load_module(path), emitted.models[case.model].class_name)()
    inputs = [tf.convert_to_tensor(a) for a in case.inputs]
    floats = [x for x in inputs if x.dtype.is_floating]
    with tf.GradientTape() as tape:
        tape.watch(floats)
        result = net(*inputs, training=True)
        outputs = result if isinstance(result, tuple) else (result,)
        total = [tf.reduce_sum(o) for o in outputs if o.dtype.is_floating]
    leaves = [*floats, *(v.value for v in net.trainable_variables)]
    for gradient in tape.gradient(total, leaves) if total else ():
        assert gradient is None or np.isfinite(tf.convert_to_tensor(gradient).numpy()).all()
