"""Generated Gluon against the definition, op by op: outputs and gradients in both modes, and the symbol style."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from conformance import Case, check_case, op_cases, run_case, same

from codegen import TARGETS, gluon
from codegen.gluon.layers import APPLIED, LAYERS
from codegen.gluon.module import DIALECT
from nnspec.catalogue.ops import OPS
from nnspec.graph.weight_map import Array

CASES = list(op_cases())
NO_F64 = ("erf",)
"""MXNet computes the error function in f32 whatever it is given."""


def test_every_op_is_in_a_table() -> None:
    """An op that is missing is caught here, never at a user's run."""
    known = {*DIALECT.layers, *DIALECT.functions, *DIALECT.rewrites, *DIALECT.never}
    assert [n for n, op in OPS.items() if op.is_primitive() and op not in known] == []
    assert not set(APPLIED) - set(LAYERS)
    assert all(reason for reason in DIALECT.never.values())


@pytest.mark.framework
@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_agrees(case: Case, tmp_path: Path) -> None:
    from codegen.gluon import runtime

    dtype = "f32" if case.name.startswith(NO_F64) else "f64"
    check_case(TARGETS["gluon"], runtime, differentiate, case, tmp_path, dtype)


@pytest.mark.framework
@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_symbol_outputs(case: Case, tmp_path: Path) -> None:
    from codegen.gluon import runtime

    def emit(program: Any, **options: Any) -> Any:
        return gluon.emit(program, style="symbol", **options)

    target: Any = SimpleNamespace(emit=emit)
    same(run_case(target, runtime, case, tmp_path), case.expected(), 2e-5)


def differentiate(
    module: ModuleType,
    class_name: str,
    weights: dict[str, Array],
    inputs: list[Array],
    mixture: list[Array],
    training: bool,
) -> tuple[list[Array], list[Array | None], dict[str, Array | None]]:
    from mxnet import autograd, nd

    from codegen.gluon import runtime

    net = runtime._build(getattr(module, class_name), weights)
    arrays = [runtime._array(a) for a in inputs]
    floats = [x for x in arrays if x.dtype.__name__.startswith("float")]
    for x in floats:
        x.attach_grad()
    parameters = {
        n: p for n, p in net._collect_params_with_prefix().items() if p.grad_req != "null"
    }
    with autograd.record(train_mode=training):
        outputs = runtime._flat(net(*arrays))
        total = [
            (o * nd.array(m, dtype=o.dtype)).sum()
            for o, m in zip(outputs, mixture, strict=True)
            if o.dtype.__name__.startswith("float")
        ]
        loss = nd.add_n(*total) if total else None
    if loss is not None and (floats or parameters):
        loss.backward(train_mode=training)
    return (
        [o.asnumpy() for o in outputs],
        [x.grad.asnumpy() for x in floats],
        {n: p.grad().asnumpy() for n, p in parameters.items()},
    )
