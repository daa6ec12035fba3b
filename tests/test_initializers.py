"""Initial values: their distribution, their independence of one another, orthonormal matrices."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import pytest

from nnspec.catalogue.initializers import INITIALIZERS, ForgetBias, Initializer, fans_of
from nnspec.core.types import TensorType
from nnspec.graph.graph import Weight
from nnspec.graph.weights import initialize

SHAPE, FANS = (300, 200), (200, 300)


def draw(initializer: Initializer, shape: tuple[int, ...] = SHAPE, seed: int = 0) -> Any:
    return initializer.sample(shape, FANS, np.random.Generator(np.random.PCG64(seed)))


@pytest.mark.parametrize(
    ("initializer", "deviation"),
    [
        (INITIALIZERS["normal"](0.3), 0.3),
        (INITIALIZERS["truncated_normal"](0.3), 0.3 * 0.879626),
        (INITIALIZERS["uniform"](-1.0, 1.0), 1 / math.sqrt(3)),
        (INITIALIZERS["glorot_uniform"](), math.sqrt(2 / 500)),
        (INITIALIZERS["glorot_normal"](), math.sqrt(2 / 500)),
        (INITIALIZERS["he_uniform"](), math.sqrt(2 / 200)),
        (INITIALIZERS["lecun_normal"](), math.sqrt(1 / 200)),
        (INITIALIZERS["he_normal"](), math.sqrt(2 / 200)),
    ],
    ids=lambda v: getattr(v, "name", ""),
)
def test_distribution(initializer: Initializer, deviation: float) -> None:
    values = draw(initializer)
    assert values.shape == SHAPE and values.dtype == np.float64
    assert abs(values.mean()) < 4 * deviation / math.sqrt(values.size)
    assert values.std() == pytest.approx(deviation, rel=0.02)


def test_truncated_normal_ends_at_two_deviations() -> None:
    values = draw(INITIALIZERS["truncated_normal"](0.3))
    assert 0.599 < values.max() <= 0.6
    assert -0.599 > values.min() >= -0.6


@pytest.mark.parametrize("shape", [(7, 7), (12, 5), (5, 12), (8, 3, 2, 2), (1, 4), (4, 1)])
def test_orthogonal(shape: tuple[int, ...]) -> None:
    matrix = draw(INITIALIZERS["orthogonal"](2.0), shape).reshape(shape[0], -1) / 2
    fewer = matrix @ matrix.T if matrix.shape[0] <= matrix.shape[1] else matrix.T @ matrix
    np.testing.assert_allclose(fewer, np.eye(len(fewer)), atol=1e-13)


def test_orthogonal_matrices_are_drawn_evenly() -> None:
    """Moments of an entry, and of the trace, of matrices drawn from all orthogonal ones alike."""
    many = np.array([draw(INITIALIZERS["orthogonal"](), (6, 6), seed) for seed in range(300)])
    np.testing.assert_allclose((many**2).mean(axis=0), 1 / 6, atol=0.05)
    np.testing.assert_allclose((many**4).mean(), 3 / (6 * 8), rtol=0.05)
    traces = np.trace(many, axis1=1, axis2=2)
    np.testing.assert_allclose([traces.mean(), (traces**2).mean()], [0, 1], atol=0.2)


def test_orthogonal_weights_of_a_large_lstm_are_drawn_soon() -> None:
    """With sums along an axis, as of Gram and Schmidt, they took more than ten seconds."""
    begin = time.process_time()
    draw(INITIALIZERS["orthogonal"](), (4000, 1000))
    assert time.process_time() - begin < 5


def test_forget_gate_starts_open() -> None:
    bias = draw(ForgetBias(3), (12,))
    assert bias.tolist() == [0] * 3 + [1] * 3 + [0] * 6
    assert "forget_bias" not in INITIALIZERS, "only the compiler makes it"


def test_fans_of_a_free_weight() -> None:
    assert fans_of((5, 7), None) == (5, 7)
    assert fans_of((3, 3, 5, 7), None) == (45, 63)
    assert fans_of((5,), None) == (5, 5)
    assert fans_of((), None) == (1, 1)
    assert fans_of((5, 7), (2, 3)) == (2, 3)


def weight(path: str) -> Weight:
    return Weight(
        TensorType("f32", (4, 3)),
        path=path,
        role="weight",
        initializer=INITIALIZERS["glorot_uniform"](),
    )


def test_a_weight_depends_on_its_path_and_the_seed_alone() -> None:
    alone = initialize([weight("a")], 0)["a"]
    both = initialize([weight("b"), weight("a")], 0)
    assert alone.dtype == np.float32
    assert (both["a"] == alone).all() and (both["b"] != alone).all()
    assert (initialize([weight("a")], 1)["a"] != alone).all()
