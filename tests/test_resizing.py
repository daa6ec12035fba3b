"""Where frameworks disagree on resizing: rows 53 to 55 of `semantics.md`, and cells that f32 cannot tell apart."""

from __future__ import annotations

import numpy as np
import pytest

from codegen.resizing import finds_cells
from nnspec.catalogue.ops import Example
from nnspec.catalogue.ops.resizing import MOST_SHARES, Resize
from nnspec.core.dims import Dim, symbol
from nnspec.core.types import TensorType
from nnspec.graph.evaluate import ArraySite
from nnspec.graph.graph import Node
from nnspec.graph.single import single
from nnspec.graph.site import GraphSite, expanded

N = symbol("N")


@pytest.mark.parametrize(
    "interpolation,old,new,cells",
    [
        (
            "bilinear",
            3,
            6,
            [0, 0.25, 0.75, 1.25, 1.75, 2],
        ),  # 53: not with the outermost centres joined
        ("bilinear", 2, 5, [0, 0.1, 0.5, 0.9, 1]),
        ("nearest", 5, 8, [0, 0, 1, 2, 2, 3, 4, 4]),  # 54: by centres, not by where cells begin
        ("nearest", 4, 2, [1, 3]),  # a centre on a border takes the cell behind it
        ("nearest", 26, 11, [1, 3, 5, 8, 10, 13, 15, 17, 20, 22, 24]),
        ("nearest", 2, 6, [0, 0, 0, 1, 1, 1]),
        ("bilinear", 10, 1, [4.5]),  # 55: the middle, not the first cell
        ("bilinear", 1, 3, [0, 0, 0]),
    ],
)
def test_cells(interpolation: str, old: int, new: int, cells: list[float]) -> None:
    site = ArraySite()
    x = site.term(np.arange(old, dtype="f8").reshape(1, old, 1))
    (y,) = site.apply(Resize((new,), interpolation=interpolation), x)
    np.testing.assert_allclose(y.held[0, :, 0], cells, atol=1e-12)


def test_growth_without_bounds() -> None:
    """Each new cell was a node of its own: a size of 10**18 from the fuzzer never ended."""
    example = Example(Resize((10**18,), interpolation="bilinear"), (TensorType("f32", (N, 4, 3)),))
    (node,) = single(example).steps
    assert isinstance(node, Node)
    site = GraphSite(origin=node)
    expanded(node, site)
    assert len(site.steps) < 50


@pytest.mark.parametrize("factor", [MOST_SHARES, MOST_SHARES + 1])
def test_counted_cells(factor: int) -> None:
    """Both ways of growing by a whole number mean one thing."""
    site = ArraySite()
    x = site.term(np.array([3.0, -1.0, 5.0]).reshape(1, 3, 1))
    (y,) = site.apply(Resize((3 * factor,), interpolation="bilinear"), x)
    places = ((np.arange(3 * factor) + 0.5) / factor - 0.5).clip(0, 2)
    np.testing.assert_allclose(
        y.held[0, :, 0], np.interp(places, range(3), x.held[0, :, 0]), atol=1e-12
    )


@pytest.mark.parametrize(
    "old,new,told",
    [
        (5, 8, True),
        (224, 112, True),
        (26, 11, False),
        (6, 1, False),
        (N, 7, False),
        (N, N * 3, True),
    ],
)
def test_what_a_framework_may_round(old: Dim, new: Dim, told: bool) -> None:
    """A centre on a border: PyTorch takes cell 12 of 26 for the sixth of 11, which begins behind it."""
    example = Example(Resize((new,)), (TensorType("f32", (2, old, 3)),))
    (node,) = single(example).steps
    assert isinstance(node, Node)
    assert finds_cells(node) == told
