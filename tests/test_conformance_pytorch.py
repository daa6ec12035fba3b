"""Generated PyTorch against the definition, op by op: outputs and gradients, in both modes."""

from __future__ import annotations

from pathlib import Path

import pytest
from conformance import Case, check_case, op_cases

from codegen import TARGETS
from codegen.pytorch.dialect import DIALECT
from nnspec.catalogue.ops import OPS

CASES = op_cases()


def test_every_op_is_in_a_table() -> None:
    """An op that is missing is caught here, never at a user's run."""
    known = {*DIALECT.layers, *DIALECT.functions, *DIALECT.never}
    assert [n for n, op in OPS.items() if op.is_primitive() and op not in known] == []


@pytest.mark.framework
@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_agrees(case: Case, tmp_path: Path) -> None:
    from codegen.pytorch import runtime

    check_case(TARGETS["pytorch"], runtime, case, tmp_path)
