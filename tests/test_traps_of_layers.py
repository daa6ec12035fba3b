"""Where frameworks disagree on layers, row by row of `semantics.md`: what the definition says, to which every target is held."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conformance import case_of, generated, outputs_of

from codegen import TARGETS
from nnspec.catalogue.ops import OPS, Example, Op
from nnspec.catalogue.ops.noise import GaussianNoise, SpatialDropout2D
from nnspec.catalogue.ops.recurrent import RNN
from nnspec.core.types import TensorType
from nnspec.graph.evaluate import ArraySite
from nnspec.graph.single import single
from nnspec.graph.weight_map import Array

PYTHON = [name for name in TARGETS if name != "onnx"]


def applied(
    name: str, x: Array, *given: Any, weights: dict[str, Array] | None = None, **more: Any
) -> Any:
    """A layer applied to an array, weights as they begin but for those given."""
    site, op = ArraySite(), OPS[name](*given, **more)
    term = site.term(x)
    begin = {"weight": 1.0, "bias": 0.0}
    held = {s.role: np.full(s.shape, begin.get(s.role, 0.0)) for s in op.weights(term.type)}
    held |= weights or {}
    results = site.apply(op, term, weights={r: site.term(a) for r, a in held.items()})
    return [r.held for r in results] if len(results) > 1 else results[0].held


def test_6_depthwise_kernels_stand_channel_by_channel() -> None:
    """`weight` is [C * multiplier, 1, h, w]; what a channel gives stands together."""
    x = np.array([1.0, 10.0]).reshape(1, 1, 1, 2)
    weight = np.array([1.0, 2.0, 3.0, 4.0]).reshape(4, 1, 1, 1)
    found = applied("DepthwiseConv2D", x, (1, 1), depth_multiplier=2, weights={"weight": weight})
    np.testing.assert_array_equal(found[0, 0, 0], [1, 2, 30, 40])


@pytest.mark.parametrize("name", ["global_avg_pool", "global_max_pool"])
def test_9_global_pools_drop_space(name: str) -> None:
    x = np.zeros((2, 5, 3, 4))
    assert applied(name, x).shape == (2, 4)
    assert applied(name, x, keepdims=True).shape == (2, 1, 1, 4)


def test_27_layer_norm_adds_1e_5() -> None:
    x = np.array([[0.0, 2e-2]])
    np.testing.assert_allclose(applied("LayerNorm", x)[0, 1], 1e-2 / np.sqrt(1e-4 + 1e-5))


def test_28_group_norm_scales_each_channel() -> None:
    """By runs of neighbouring channels, epsilon 1e-5."""
    x = np.array([[[0.0, 2e-2, 5.0, 5.0]]])
    weight = np.array([1.0, 2.0, 3.0, 4.0])
    found = applied("GroupNorm", x, 2, weights={"weight": weight})
    one = 1e-2 / np.sqrt(1e-4 + 1e-5)
    np.testing.assert_allclose(found[0, 0], [-one, 2 * one, 0, 0])


def test_29_instance_norm_has_scale_and_offset() -> None:
    x = np.array([[[0.0], [2e-2]]])
    found = applied("InstanceNorm", x, weights={"weight": np.array([3.0]), "bias": np.array([1.0])})
    one = 1e-2 / np.sqrt(1e-4 + 1e-5)
    np.testing.assert_allclose(found[0, :, 0], [1 - 3 * one, 1 + 3 * one])


def test_30_rms_norm_adds_1e_6() -> None:
    x = np.array([[3e-3, 4e-3]])
    np.testing.assert_allclose(applied("RMSNorm", x), x / np.sqrt(12.5e-6 + 1e-6))


def test_31_local_response_norm_divides_alpha_by_size() -> None:
    """k is 1; of an even number of neighbours, one more stands before."""
    x = np.array([[[1.0, 2.0, 3.0]]])
    found = applied("local_response_norm", x, 2, alpha=0.5, beta=1.0)
    np.testing.assert_allclose(found[0, 0], [1 / 1.25, 2 / 2.25, 3 / 4.25])


@pytest.mark.parametrize("name", ["LSTM", "GRU", "RNN"])
def test_45_both_directions_end_after_the_whole_sequence(name: str) -> None:
    """The backward half of "last" has read everything: it stands at the first place of the sequence."""
    x = np.random.default_rng(0).standard_normal((2, 5, 3))
    sides, width = ("", "_reverse"), {"LSTM": 16, "GRU": 12, "RNN": 4}[name]
    weights = {f"weight_ih_l0{s}": np.full((width, 3), 0.3) for s in sides}
    weights |= {f"weight_hh_l0{s}": np.full((width, 4), 0.2) for s in sides}
    biases = ("bias_ih", "bias_hh") if name == "GRU" else ("bias",)
    weights |= {f"{b}_l0{s}": np.full(width, 0.1) for b in biases for s in sides}
    sequence = applied(name, x, 4, bidirectional=True, weights=weights)
    last = applied(name, x, 4, "last", bidirectional=True, weights=weights)
    np.testing.assert_array_equal(last[:, :4], sequence[:, -1, :4])
    np.testing.assert_array_equal(last[:, 4:], sequence[:, 0, 4:])


def test_57_pixel_shuffle_keeps_a_feature_together() -> None:
    """Feature by feature, each of a square's cells: PyTorch's order, ONNX's CRD."""
    found = applied("pixel_shuffle", np.arange(8.0).reshape(1, 1, 1, 8), 2)
    np.testing.assert_array_equal(found[0, ..., 0], [[0, 1], [2, 3]])
    np.testing.assert_array_equal(found[0, ..., 1], [[4, 5], [6, 7]])


def drawn(target: str, folder: Path, x: TensorType, op: Op, **weights: Array) -> list[Array]:
    """Of a layer in training and in evaluation, with what it was applied to."""
    case = case_of("noise", single(Example(op, (x,))))
    of_roles = {path.rpartition(".")[2]: path for path in case.weights}
    case = replace(case, weights=case.weights | {of_roles[r]: a for r, a in weights.items()})
    made = generated(TARGETS[target], case, folder)
    runtime = import_module(f"codegen.{target}.runtime")
    both = (outputs_of(made, runtime, "f32", training)[0] for training in (True, False))
    return [*both, case.inputs[0]]


@pytest.mark.framework
@pytest.mark.parametrize("target", PYTHON)
def test_noise_stands_in_training_only(target: str, tmp_path: Path) -> None:
    x = TensorType("f32", (40, 250))
    noisy, same, plain = drawn(target, tmp_path, x, GaussianNoise(0.3))
    np.testing.assert_array_equal(same, plain)
    noise = noisy - plain
    assert abs(noise.mean()) < 0.02
    assert abs(noise.std() - 0.3) < 0.02
    assert abs((noise**3).mean()) < 0.01
    assert abs((noise**4).mean() / 0.3**4 - 3) < 0.5


@pytest.mark.framework
@pytest.mark.parametrize("target", PYTHON)
def test_spatial_dropout_takes_whole_features(target: str, tmp_path: Path) -> None:
    x = TensorType("f32", (20, 3, 4, 50))
    found, same, plain = drawn(target, tmp_path, x, SpatialDropout2D(0.25))
    np.testing.assert_array_equal(same, plain)
    kept = found[:, :1, :1] != 0
    np.testing.assert_allclose(found, np.where(kept, plain / 0.75, 0), rtol=1e-5)
    assert abs(kept.mean() - 0.75) < 0.05


@pytest.mark.framework
@pytest.mark.parametrize("target", PYTHON)
def test_46_dropout_of_a_recurrent_layer_stands_between_its_layers(
    target: str, tmp_path: Path
) -> None:
    """Each element of each step by itself, before the second of two layers that hand on what they get."""
    x = TensorType("f32", (20, 3, 50))
    matrices = {"weight_ih": np.eye(50), "weight_hh": np.zeros((50, 50)), "bias": np.zeros(50)}
    weights = {f"{r}_l{i}": a.astype("f4") for r, a in matrices.items() for i in (0, 1)}
    op = RNN(50, layers=2, dropout=0.25, activation="relu")
    found, same, x_ = drawn(target, tmp_path, x, op, **weights)
    plain = np.maximum(x_, 0)
    np.testing.assert_allclose(same, plain, rtol=1e-6)
    kept = found != 0
    np.testing.assert_allclose(found, np.where(kept, plain / 0.75, 0), rtol=1e-5)
    for step in range(3):
        assert abs(kept[:, step][plain[:, step] > 0].mean() - 0.75) < 0.07
    both = plain[:, 0] * plain[:, 1] > 0
    assert (kept[:, 0] != kept[:, 1])[both].any()
