"""Generated Keras against the definition, op by op: outputs and gradients, in both modes."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import pytest
from conformance import Case, check_case, op_cases

from codegen import TARGETS
from codegen.keras.dialect import DIALECT
from nnspec.catalogue.ops import OPS
from nnspec.graph.weight_map import Array

CASES = list(op_cases())
NO_F64 = re.compile(r"max_window\(steps = \(2, 2, 2\)|MaxPool3D|resize.*bilinear")
"""TensorFlow has no maxima of windows over volumes in f64, and interpolates images in f32."""


def test_every_op_is_in_a_table() -> None:
    """An op that is missing is caught here, never at a user's run."""
    known = {*DIALECT.layers, *DIALECT.functions, *DIALECT.rewrites, *DIALECT.never}
    assert [n for n, op in OPS.items() if op.is_primitive() and op not in known] == []


@pytest.mark.framework
@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_agrees(case: Case, tmp_path: Path) -> None:
    from codegen.keras import runtime

    dtype = "f32" if NO_F64.match(case.name) else "f64"
    check_case(TARGETS["keras"], runtime, differentiate, case, tmp_path, dtype)


def differentiate(
    module: ModuleType,
    class_name: str,
    weights: dict[str, Array],
    inputs: list[Array],
    mixture: list[Array],
    training: bool,
) -> tuple[list[Array], list[Array | None], dict[str, Array | None]]:
    import tensorflow as tf

    from codegen.keras import runtime

    runtime._use("f32" if any(a.dtype == "f4" for a in inputs) else "f64")
    net = runtime._network(module, class_name, weights)
    tensors = [tf.convert_to_tensor(a) for a in inputs]
    floats = [x for x in tensors if x.dtype.is_floating]
    variables = {n: v for n, v in runtime._variables(net) if v.trainable}
    with tf.GradientTape() as tape:
        tape.watch(floats)
        result = net(*tensors, training=training)
        outputs = list(result) if isinstance(result, (tuple, list)) else [result]
        total = [
            tf.reduce_sum(o * tf.cast(m, o.dtype))
            for o, m in zip(outputs, mixture, strict=True)
            if o.dtype.is_floating
        ]
    leaves = [*floats, *(v.value for v in variables.values())]
    found = tape.gradient(total, leaves) if total else [None] * len(leaves)
    slopes = [None if g is None else tf.convert_to_tensor(g).numpy() for g in found]
    by_weight = dict(zip(variables, slopes[len(floats) :], strict=True))
    return [o.numpy() for o in outputs], slopes[: len(floats)], by_weight
