"""Generated PyTorch against the definition, op by op: outputs and gradients, in both modes."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
from conformance import Case, check_case, op_cases

from codegen import TARGETS
from codegen.pytorch.dialect import DIALECT
from nnspec.catalogue.ops import OPS
from nnspec.graph.weight_map import Array

CASES = list(op_cases())


def test_every_op_is_in_a_table() -> None:
    """An op that is missing is caught here, never at a user's run."""
    known = {*DIALECT.layers, *DIALECT.functions, *DIALECT.never}
    assert [n for n, op in OPS.items() if op.is_primitive() and op not in known] == []


@pytest.mark.framework
@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_agrees(case: Case, tmp_path: Path) -> None:
    from codegen.pytorch import runtime

    check_case(TARGETS["pytorch"], runtime, differentiate, case, tmp_path)


def differentiate(
    module: ModuleType,
    class_name: str,
    weights: dict[str, Array],
    inputs: list[Array],
    mixture: list[Array],
    training: bool,
) -> tuple[list[Array], list[Array | None], dict[str, Array | None]]:
    import torch

    from codegen.pytorch import runtime

    net = runtime._network(module, class_name, weights).double().train(training)
    tensors = [torch.tensor(a) for a in inputs]
    floats = [x.requires_grad_() for x in tensors if x.is_floating_point()]
    result = net(*tensors)
    outputs = result if isinstance(result, tuple) else (result,)
    total = sum(
        (o * torch.tensor(m)).sum()
        for o, m in zip(outputs, mixture, strict=True)
        if o.is_floating_point() and o.requires_grad
    )
    if isinstance(total, torch.Tensor):  # else nothing here has a gradient
        total.backward()
    parameters = {n: p.grad for n, p in net.named_parameters() if p.requires_grad}
    return (
        [o.detach().numpy() for o in outputs],
        [None if x.grad is None else x.grad.numpy() for x in floats],
        {n: None if g is None else g.numpy() for n, g in parameters.items()},
    )
