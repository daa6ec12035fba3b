"""Rows of `semantics.md`, one by one: what the definition says, to which conformance holds every target."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from test_traps_of_layers import applied

from nnspec.catalogue.initializers import ForgetBias, GlorotUniform, Normal, Orthogonal
from nnspec.catalogue.ops import OPS
from nnspec.core.types import TensorType
from nnspec.graph.evaluate import ArraySite
from nnspec.graph.weight_map import Array

Weights = dict[str, Array]


def row(*cells: float) -> Array:
    """A sequence of one feature."""
    return np.array(cells, "f8").reshape(1, -1, 1)


def along(name: str, x: Array, *given: Any, **more: Any) -> list[float]:
    """What a layer makes of a sequence of one feature."""
    found: list[float] = applied(name, x, *given, **more).ravel().tolist()
    return found


def kernel(*cells: float) -> Weights:
    return {"weight": np.array(cells, "f8").reshape(1, 1, -1)}


def function(name: str, *operands: Any, **arguments: Any) -> Any:
    """A function of the catalogue, applied to arrays."""
    site = ArraySite()
    results = site.apply(OPS[name](**arguments), *(site.term(np.asarray(o)) for o in operands))
    return results[0].held if len(results) == 1 else [r.held for r in results]


SIX, SEVEN = row(*range(1, 7)), row(*range(1, 8))
CONV: dict[str, Any] = {"weights": kernel(1, 10, 100)}
ROWS: dict[str, tuple[Callable[[], Any], Any]] = {
    "11 same padding puts the odd cell at the end": (
        lambda: along("Conv1D", SIX, 1, (3,), (2,), "same", **CONV),
        [321, 543, 65],
    ),
    "12 padding never is the greatest": (
        lambda: along("MaxPool1D", -SIX, (3,), (3,), "same"),
        [-1, -4],
    ),
    "13 a mean leaves out padding": (
        lambda: along("AvgPool1D", row(2, 4, 6, 8), (3,), (1,), ((1, 1),)),
        [3, 4, 6, 7],
    ),
    "14 windows stand beside each other": (lambda: along("MaxPool1D", SIX, (2,)), [2, 4, 6]),
    "15 a last window begins before the end": (
        lambda: along("MaxPool1D", SEVEN, (2,), (3,), ((1, 1),), ceil_mode=True),
        [1, 4, 7],
    ),
    "16 what lies beyond the end counts in no mean": (
        lambda: along("AvgPool1D", SEVEN, (2,), (2,), ((1, 0),), ceil_mode=True),
        [1, 2.5, 4.5, 6.5],
    ),
    "17 pads stand axis by axis, before and after": (
        lambda: function("pad", np.ones((1, 1)), pads=((0, 1), (2, 0))).ravel().tolist(),
        [0, 0, 1, 0, 0, 0],
    ),
    "18 a transposed convolution is as long as its kernels reach": (
        lambda: len(along("ConvTranspose1D", row(1, 2, 3, 4), 1, (2,), (3,))),
        11,
    ),
    "19 nothing is added to the end": (
        lambda: along("ConvTranspose1D", row(1, 2), 1, (3,), (2,), ((1, 1),)),
        [1, 3, 2],
    ),
    "20 a causal place sees itself and what came before": (
        lambda: along("Conv1D", row(1, 2, 3), 1, (2,), padding="causal", weights=kernel(10, 1)),
        [1, 12, 23],
    ),
    "36 softplus is exact": (lambda: function("softplus", 30.0), 30 + np.exp(-30.0)),
    "51 a mask is true where attention is allowed": (
        lambda: function(
            "attention",
            np.ones((1, 1, 1)),
            np.ones((1, 2, 1)),
            row(3, 5),
            np.array([[True, False]]),
        ).item(),
        3,
    ),
    "53 bilinear counts from centres": (
        lambda: (
            function("resize", row(0, 8)[None], size=(1, 4), interpolation="bilinear")
            .ravel()
            .tolist()
        ),
        [0, 2, 6, 8],
    ),
    "54 nearest rounds a centre down": (
        lambda: function("resize", row(*range(5))[None], size=(1, 8)).ravel().tolist(),
        [0, 0, 1, 2, 2, 3, 4, 4],
    ),
    "55 an axis becomes its middle": (
        lambda: function(
            "resize", row(*range(10))[None], size=(1, 1), interpolation="bilinear"
        ).item(),
        4.5,
    ),
    "60 mse is not halved": (lambda: function("mse", [1.0, 3.0], [0.0, 0.0]), 5),
    "63 binary cross entropy is from raw scores": (
        lambda: function("binary_cross_entropy", [0.0], [1.0]),
        np.log(2),
    ),
    "79 argmax is i64": (lambda: function("argmax", [[1.0, 2.0]]).dtype.name, "int64"),
    "80 halves are rounded to the even": (
        lambda: function("round", [0.5, 1.5, 2.5]).tolist(),
        [0, 2, 2],
    ),
}


@pytest.mark.parametrize("trap", ROWS)
def test_row(trap: str) -> None:
    find, expected = ROWS[trap]
    assert find() == (expected if isinstance(expected, str) else pytest.approx(expected))


def test_21_22_23_batch_norm_keeps_nine_tenths_and_adds_1e_5() -> None:
    """Batch and running variance are those of the population."""
    site, op = ArraySite(training=True), OPS["BatchNorm"]()
    x = np.array([[0.0], [2e-2]])
    begin = {"weight": 1.0, "bias": 0.0, "running_mean": 5.0, "running_var": 3.0}
    held = {role: site.term(np.array([value])) for role, value in begin.items()}
    (y,) = site.apply(op, site.term(x), weights=held)
    np.testing.assert_allclose(y.held[1, 0], 1e-2 / np.sqrt(1e-4 + 1e-5))
    new = {role: site.kept[held[role]].held.item() for role in ("running_mean", "running_var")}
    assert new == {
        "running_mean": pytest.approx(0.9 * 5 + 0.1 * 1e-2),
        "running_var": pytest.approx(0.9 * 3 + 0.1 * 1e-4),
    }


def test_37_38_lstm_gates_are_i_f_g_o_with_one_bias() -> None:
    """The bias alone tells the gates: the first two and the last are shares, the third is tanh's."""
    i, f, g, o = 0.3, -0.2, 0.7, 1.1
    weights = {"bias_l0": np.array([i, f, g, o])}
    y, state, cell = applied("LSTM", row(0, 0), 1, "all", weights=weights)

    def share(z: float) -> float:
        return float(1 / (1 + np.exp(-z)))

    first = share(i) * np.tanh(g)
    second = share(f) * first + share(i) * np.tanh(g)
    assert cell.item() == pytest.approx(second)
    assert state.item() == y[0, 1, 0] == pytest.approx(share(o) * np.tanh(second))


def test_40_41_gru_gates_are_r_z_n_and_the_reset_comes_after_the_product() -> None:
    r, z, n, from_h = 0.3, -0.2, 0.7, 0.5
    weights = {"bias_ih_l0": np.array([r, z, n]), "bias_hh_l0": np.array([0, 0, from_h])}
    found = applied("GRU", row(0), 1, "last", weights=weights).item()
    reset, keep = (1 / (1 + np.exp(-a)) for a in (r, z))
    assert found == pytest.approx((1 - keep) * np.tanh(n + reset * from_h))


def test_39_47_50_77_how_weights_begin() -> None:
    x = TensorType("f32", (2, 5, 3))
    begins = {s.role: s.initializer for s in OPS["LSTM"](4).weights(x)}
    assert begins == {
        "weight_ih_l0": GlorotUniform(),
        "weight_hh_l0": Orthogonal(),
        "bias_l0": ForgetBias(4),
    }
    (table,) = OPS["Embedding"](10, 4).weights(TensorType("i64", (2,)))
    assert table.initializer == Normal(0.02)


def test_42_rnn_is_tanh() -> None:
    weights = {"bias_l0": np.array([-0.5])}
    assert applied("RNN", row(0), 1, "last", weights=weights).item() == pytest.approx(np.tanh(-0.5))
    relu = applied("RNN", row(0), 1, "last", activation="relu", weights=weights)
    assert relu.item() == 0


def test_78_dropout_scales_what_stays() -> None:
    site = ArraySite(training=True, generator=np.random.default_rng(0))
    (y,) = site.apply(OPS["Dropout"](0.2), site.term(np.ones((100, 100))))
    assert set(np.unique(y.held)) == {0.0, 1.25}
    assert y.held.mean() == pytest.approx(1, abs=0.02)


def ctc_by_hand(logits: Array, labels: list[int], blank: int) -> float:
    """Over all ways to go through the classes, step by step."""
    likely = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    total = 0.0
    for path in np.ndindex(*(logits.shape[1],) * len(logits)):
        kept = [c for i, c in enumerate(path) if i == 0 or c != path[i - 1]]
        if [c for c in kept if c != blank] == labels:
            total += np.exp(sum(likely[t, c] for t, c in enumerate(path)))
    return float(-np.log(total))


@pytest.mark.parametrize("blank", [0, 2])
def test_65_the_blank_of_ctc_is_the_first_class(blank: int) -> None:
    """By default; of labels and steps as many count as lengths say, and a label may stand twice."""
    x = np.random.default_rng(1).standard_normal((3, 5, 3))
    labels = [[1, 1, 1], [2 - blank, 1, 1], [1, 2 - blank, 1]]
    counts, steps = [2, 1, 0], [5, 4, 3]
    more = {"blank": blank} if blank else {}
    found = function("ctc", x, labels, counts, steps, reduction="none", **more)
    each = [
        ctc_by_hand(x[i, : steps[i]], labels[i][: counts[i]], blank) for i in range(len(labels))
    ]
    np.testing.assert_allclose(found, each, rtol=1e-12)
    assert function("ctc", x, labels, counts, steps, **more) == pytest.approx(np.mean(each))
