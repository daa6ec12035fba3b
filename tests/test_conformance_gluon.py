"""Generated Gluon against the ONNX reference evaluator, op by op, in both styles."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from conformance import Case, op_cases, run_case

from codegen import TARGETS, gluon
from codegen.gluon.layers import APPLIED, LAYERS
from codegen.gluon.module import DIALECT
from nnspec.catalogue.ops import OPS
from nnspec.graph.graph import Node

CASES = [
    c
    for c in op_cases()
    if not any(isinstance(n, Node) and type(n.op) in DIALECT.never for n in c.model.steps)
]


def test_every_op_is_in_a_table() -> None:
    """An op that is missing is caught here, never at a user's run."""
    known = {*DIALECT.layers, *DIALECT.functions, *DIALECT.never}
    assert [n for n, op in OPS.items() if op.is_primitive() and op not in known] == []
    assert not set(APPLIED) - set(LAYERS)
    assert all(reason for reason in DIALECT.never.values())


@pytest.mark.framework
@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_outputs(case: Case, tmp_path: Path) -> None:
    from codegen.gluon import runtime

    for dtype in ("f32", "f64"):
        if dtype == "f64" and not case.inputs:
            continue
        _compare(run_case(TARGETS["gluon"], runtime, case, tmp_path, dtype), case)


@pytest.mark.framework
@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_symbol_outputs(case: Case, tmp_path: Path) -> None:
    from codegen.gluon import runtime

    def emit(program: Any, **options: Any) -> Any:
        return gluon.emit(program, style="symbol", **options)

    target: Any = SimpleNamespace(emit=emit)
    _compare(run_case(target, runtime, case, tmp_path), case)


def _compare(found: list[Any], case: Case) -> None:
    for a, b in zip(found, case.expected(), strict=True):
        assert a.shape == np.shape(b)
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-5)
