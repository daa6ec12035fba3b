"""Generated PyTorch against the ONNX reference evaluator, op by op."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conformance import Case, emitted_text, op_cases, run_case

from codegen import TARGETS
from codegen.pytorch.module import DIALECT
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
def test_gradients_are_finite(case: Case, tmp_path: Path) -> None:
    """In training mode, for every weight and every operand of floats."""
    import torch

    emitted = TARGETS["pytorch"].emit(Program((case.model,)), stem="case", provenance="conformance")
    path = tmp_path / "case.py"
    path.write_text(emitted_text(emitted), encoding="utf-8")
    entry = emitted.models[case.model]
    net = getattr(load_module(path), entry.class_name)().train()
    inputs = [
        torch.tensor(x.there(a)) for a, x in zip(case.inputs, entry.input_layouts, strict=True)
    ]
    floats = [x.requires_grad_() for x in inputs if x.is_floating_point()]
    result = net(*inputs)
    outputs = result if isinstance(result, tuple) else (result,)
    total = sum(o.sum() for o in outputs if o.requires_grad)
    if isinstance(total, int):  # nothing here has a gradient (`cast` to integers, `stop_gradient`)
        return
    total.backward()
    leaves = [*floats, *(p for p in net.parameters() if p.requires_grad)]
    assert all(p.grad is None or bool(torch.isfinite(p.grad).all()) for p in leaves)


@pytest.mark.framework
@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_outputs(case: Case, tmp_path: Path) -> None:
    from codegen.pytorch import runtime

    for dtype, bound in (("f32", 2e-5), ("f64", 2e-5)):
        found = run_case(TARGETS["pytorch"], runtime, case, tmp_path, dtype)
        for a, b in zip(found, case.expected(), strict=True):
            assert a.shape == np.shape(b)
            np.testing.assert_allclose(a, b, rtol=bound, atol=bound)
