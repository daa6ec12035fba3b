"""Generated Gluon against the definition, op by op: outputs and gradients in both modes, and the symbol style."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from conformance import Case, case_of, check_case, op_cases, run_case, same
from grouped import each

import nnspec
from codegen import TARGETS, gluon
from codegen.gluon.dialect import DIALECT
from codegen.gluon.ops.tables import OPERATORS
from codegen.gluon.symbol import MODES
from nnspec.catalogue.ops import OPS
from nnspec.graph.passes.legalize import legalize

CASES = op_cases()
NO_F64 = re.compile(r"erf\b|RNN.*relu")
"""MXNet computes the derivative of its error function, and the relu of its recurrent layers, with the digits of f32 (each is
a `Fault`)."""


def test_every_op_is_in_a_table() -> None:
    """An op that is missing is caught here, never at a user's run."""
    known = {*DIALECT.layers, *DIALECT.functions, *DIALECT.rewrites, *DIALECT.never}
    assert [n for n, op in OPS.items() if op.is_primitive() and op not in known] == []
    assert {*DIALECT.layers} - {*OPERATORS} == {*MODES}
    assert all(reason for reason in DIALECT.never.values())


BOOLEANS = """
model M {
  input x: f32[N, 4], row: f32[4], i: i64[N, 4], flag: bool[N, 4]
  a = x > 0
  output where(a, x, -x), cast(x < row, f32), s = relu6(mean(x)), a, b = cast(i, bool), c = logical_not(flag)
  output d = logical_and(a, x < row), e = flag == a
}
"""


@pytest.mark.framework
@pytest.mark.parametrize("style", ["block", "symbol"])
def test_booleans_are_bytes(style: str, tmp_path: Path) -> None:
    """Wherever one is held: what a comparison gives stays as it is only where it chooses or is cast."""
    from codegen.gluon import runtime

    case = case_of("booleans", nnspec.load(BOOLEANS).program.models[0])
    target: Any = SimpleNamespace(emit=partial(gluon.emit, style=style))
    found = run_case(target, runtime, case, tmp_path)
    assert [a.dtype.name for a in found] == [*["float32"] * 3, *["int8"] * 5]
    same(found, case.expected, 2e-5)


@each(CASES, name=lambda case: case.name, group=lambda case: case.op)
def test_rewrites_keep_the_meaning(case: Case) -> None:
    """What is written in place of an op is the same by the definition."""
    legal = legalize(case.model, DIALECT.legality)
    if legal is not case.model:
        found = replace(case, model=legal, known={}).expected
        for a, b in zip(found, case.expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)


@pytest.mark.framework
@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_agrees(case: Case, tmp_path: Path) -> None:
    from codegen.gluon import runtime

    dtype = "f32" if NO_F64.match(case.name) else "f64"
    check_case(TARGETS["gluon"], runtime, case, tmp_path, dtype)


@pytest.mark.framework
@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_symbol_outputs(case: Case, tmp_path: Path) -> None:
    from codegen.gluon import runtime

    target: Any = SimpleNamespace(emit=partial(gluon.emit, style="symbol"))
    same(run_case(target, runtime, case, tmp_path), case.expected, 2e-5)
