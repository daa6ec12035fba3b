"""Generated Keras against the definition, op by op: outputs and gradients, in both modes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from conformance import Case, check_case, op_cases

from codegen import TARGETS
from codegen.keras.dialect import DIALECT
from nnspec.catalogue.ops import OPS

CASES = op_cases()
NO_F64 = re.compile(r"max_window\(steps = \(2, 2, 2\)")
"""TensorFlow has no maxima of windows over volumes in f64."""


def test_every_op_is_in_a_table() -> None:
    """An op that is missing is caught here, never at a user's run."""
    known = {*DIALECT.layers, *DIALECT.functions, *DIALECT.rewrites, *DIALECT.never}
    assert [n for n, op in OPS.items() if op.is_primitive() and op not in known] == []


@pytest.mark.framework
@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_agrees(case: Case, tmp_path: Path) -> None:
    from codegen.keras import runtime

    dtype = "f32" if NO_F64.match(case.name) else "f64"
    check_case(TARGETS["keras"], runtime, case, tmp_path, dtype)
