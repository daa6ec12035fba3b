"""Generated PyTorch against the ONNX reference evaluator, op by op."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conformance import Case, op_cases, run_case

from codegen import TARGETS
from codegen.pytorch.module import DIALECT
from nnspec.ops import OPS

CASES = list(op_cases())


def test_every_op_is_in_a_table() -> None:
    """An op that is missing is caught here, never at a user's run."""
    known = {*DIALECT.layers, *DIALECT.functions, *DIALECT.never}
    assert [name for name, op in OPS.items() if op not in known] == []


@pytest.mark.framework
@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_outputs(case: Case, tmp_path: Path) -> None:
    from codegen.pytorch import runtime

    for dtype, bound in (("f32", 2e-5), ("f64", 2e-5)):
        found = run_case(TARGETS["pytorch"], runtime, case, tmp_path, dtype)
        for a, b in zip(found, case.expected(), strict=True):
            assert a.shape == np.shape(b)
            np.testing.assert_allclose(a, b, rtol=bound, atol=bound)
