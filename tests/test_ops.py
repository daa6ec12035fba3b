"""Declarations: documented, with valid examples, and shape rules that agree with brute force."""

from __future__ import annotations

import inspect
import itertools

import numpy as np
import pytest
from grouped import each

from nnspec.catalogue.data.catalogue import DATASETS
from nnspec.catalogue.initializers import INITIALIZERS
from nnspec.catalogue.ops import OPS, ShapeError
from nnspec.catalogue.ops.tables import Numbers, consecutive
from nnspec.catalogue.ops.windows import same_padding, window
from nnspec.core.dims import Sym, substitute, symbol
from nnspec.core.types import TensorType

DECLARED = [*OPS.values(), *INITIALIZERS.values(), *DATASETS.values()]


@pytest.mark.parametrize("cls", DECLARED, ids=lambda c: c.name)
def test_documented(cls: type) -> None:
    assert len(inspect.getdoc(cls) or "") > 10
    for field in cls.arguments():
        assert field.doc, f"{cls.name}.{field.name}"
        assert field.kind.expects


@pytest.mark.parametrize("cls", OPS.values(), ids=lambda c: c.name)
def test_examples_are_valid(cls: type) -> None:
    examples = list(cls.examples())
    assert examples or cls.name in ("constant", "random_normal")
    for example in examples:
        outputs = example.op.infer(*example.inputs)
        for weight in example.op.weights(*example.inputs):
            assert all(isinstance(d, int) and d > 0 for d in weight.shape)
        flops = substitute(example.op.flops(example.inputs, outputs), {"N": 2, "T": 5, "S": 3})
        assert isinstance(flops, int) and flops >= 0


@each(
    itertools.product(range(1, 12), (1, 2, 3, 5), (1, 2, 3), (1, 2)),
    name="size {0[0]}, kernel {0[1]}, stride {0[2]}, dilation {0[3]}".format,
    group="kernel {0[1]}".format,
)
def test_windows_count(case: tuple[int, int, int, int]) -> None:
    """Count the places at which a window fits, one by one."""
    size, kernel, stride, dilation = case
    reach = dilation * (kernel - 1)
    before, after = same_padding(size, kernel, stride, dilation)
    told = same_padding(symbol("n"), kernel, stride, dilation)
    assert tuple(substitute(cells, {"n": size}) for cells in told) == (before, after)
    assert isinstance(before, int) and isinstance(after, int)
    places = len(range(0, size + before + after - reach, stride))
    assert window(size, kernel, stride, dilation, "same") == places == -(-size // stride)
    assert after - before in (0, 1), "the odd cell goes to the end"
    if reach < size:
        fits = len(range(0, size - reach, stride))
        assert window(size, kernel, stride, dilation, "valid") == fits
        n = symbol("n")
        found = window(n, kernel, stride, dilation, "valid")
        assert isinstance(found, Sym)
        assert substitute(found, {"n": size}) == fits
    else:
        with pytest.raises(ShapeError):
            window(size, kernel, stride, dilation, "valid")


def test_initial_weights_do_not_change() -> None:
    """The same on every platform and in every version: files made from a seed stay valid."""
    from nnspec.graph.graph import Weight
    from nnspec.graph.weights import initialize

    found = {}
    for name in ("glorot_uniform", "normal", "orthogonal", "he_normal", "uniform", "zeros"):
        weight = Weight(
            TensorType("f32", (6, 5)), name, None, f"{name}.weight", "weight", INITIALIZERS[name]()
        )
        found[name] = initialize([weight], 0)[weight.path]
    first = [float(a[0, 0]) for a in found.values()]
    expected = [-0.58745474, -0.022557147, -0.039605625, -0.21915869, -0.049381681, 0.0]
    np.testing.assert_allclose(first, expected, rtol=1e-6)
    q = found["orthogonal"].astype("f8")
    np.testing.assert_allclose(q.T @ q, np.eye(5), atol=1e-6)
    assert np.abs(found["glorot_uniform"]).max() <= (6 / 11) ** 0.5
    assert not found["zeros"].any()


def test_only_what_every_framework_counts_is_counted() -> None:
    """Floats end to count up where they have not all whole numbers; Keras counts in no narrow type."""
    row, end = tuple(range(2**24 - 3, 2**24 + 3)), 2**24
    assert consecutive(Numbers(row, "f64")) == (row[0], row[-1] + 1)
    assert consecutive(Numbers(row[:-2], "f32")) is None
    assert consecutive(Numbers(tuple(range(end - 5, end)), "f32")) == (end - 5, end)
    assert [consecutive(Numbers(tuple(range(9)), kind)) for kind in ("f16", "u8")] == [None, None]
