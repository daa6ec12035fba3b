"""Rows of `semantics.md` where frameworks disagree: what each target writes so that all mean the language's.

That they do, in numbers, the conformance tests show for every example.
"""

from typing import Any

import numpy as np
import pytest

import nnspec
from codegen import TARGETS
from nnspec.catalogue.ops import OPS
from nnspec.graph.evaluate import ArraySite

TRAPS = {
    "row 6: Keras counts the fan in of a channel's kernel as its fan out": (
        "reshape(x, [N, 5, 2, 2]) -> DepthwiseConv2D(2, kernel_initializer = he_uniform)",
        {"keras": 'mode="fan_out"'},
    ),
    "row 17: PyTorch's pads begin with the last axis": (
        'pad(x, [(0, 0), (1, 2), (0, 3)], mode = "edge")',
        {"pytorch": 'F.pad(x, (0, 3, 1, 2), mode="replicate")'},
    ),
    "row 15: PyTorch's last window begins before the end, as the language's": (
        "x -> MaxPool1D(2, 3, ceil_mode = true)",
        {"pytorch": "nn.MaxPool1d(2, stride=3, ceil_mode=True)"},
    ),
    "row 42: MXNet's plain RNN is one of relu unless it is told": (
        "x -> RNN(3)",
        {"gluon": 'activation="tanh"', "keras": "layers.SimpleRNN(3, return_sequences=True)"},
    ),
    "row 65: PyTorch's mean divides each row by its number of labels": (
        "ctc(x, argmax(x)[:, :2])",
        {"pytorch": 'reduction="none"'},
    ),
    "row 32: the slope of leaky_relu is 0.01, Keras's function has 0.2": (
        "leaky_relu(x)",
        {"pytorch": "F.leaky_relu(x)", "keras": "ops.leaky_relu(x, negative_slope=0.01)"},
    ),
    "row 33: PReLU has a slope a feature that begins at 0.25, Keras one a place that begins at 0": (
        "x -> PReLU",
        {
            "pytorch": "nn.PReLU(4)",
            "keras": "shared_axes=[1], alpha_initializer=keras.initializers.Constant(0.25)",
        },
    ),
    "row 34: gelu is the exact one, Keras's function is not": (
        "gelu(x)",
        {"pytorch": "F.gelu(x)", "keras": "ops.gelu(x, approximate=False)"},
    ),
    "row 34: Keras's gelu by name is the exact one": (
        "x -> Dense(3, activation = gelu)",
        {"keras": 'activation="gelu"', "pytorch": "F.gelu(self.dense(x))"},
    ),
    "row 34: gelu by tanh": (
        "gelu(x, approximate = true)",
        {"pytorch": 'F.gelu(x, approximate="tanh")', "keras": "ops.gelu(x)"},
    ),
    "row 35: the slope of hard_sigmoid is a sixth, MXNet's a fifth": (
        "hard_sigmoid(x)",
        {
            "pytorch": "F.hardsigmoid(x)",
            "keras": "ops.hard_sigmoid(x)",
            "gluon": "relu6(F, x) / 6",
        },
    ),
    "PyTorch's variance is that of a sample": (
        "var(x, axis = 1)",
        {"pytorch": "x.var(dim=1, correction=0)", "keras": "ops.var(x, axis=1)"},
    ),
    "row 58: cross entropy is from raw scores": (
        "cross_entropy(x, x)",
        {"pytorch": "F.cross_entropy(", "keras": "ops.log_softmax("},
    ),
    "row 61: huber is not smooth L1": (
        "huber(x, 0.5, delta = 2.0)",
        {"pytorch": "F.huber_loss(x, torch.full_like(x, 0.5), delta=2.0)"},
    ),
    "row 64: a label that is ignored is left out of the mean": (
        "cross_entropy(x, argmax(x), ignore_label = 3)",
        {"pytorch": "ignore_index=3", "gluon": "/ "},
    ),
}
CASES = [(trap, target) for trap, (_, texts) in TRAPS.items() for target in texts]


@pytest.mark.parametrize(("trap", "target"), CASES, ids=lambda part: part)
def test_written_so_that_it_means_the_same(trap: str, target: str) -> None:
    expression, texts = TRAPS[trap]
    spec = nnspec.load(f"model M {{\n  input x: f32[N, 5, 4]\n  output y = {expression}\n}}\n")
    (text,) = TARGETS[target].emit(spec.program, stem="m", provenance="test").files.values()
    assert texts[target] in text


def loss(name: str, *operands: list[Any], **arguments: Any) -> float:
    """Of a loss, by the definition."""
    site = ArraySite()
    terms = [site.term(np.array(o, "f8")) for o in operands]
    (result,) = site.apply(OPS[name](**arguments), *terms)
    return float(result.held)


def test_row_62_kl_divergence_is_the_mean_over_rows() -> None:
    assert loss("kl_divergence", [[0, 0], [1, 1]], [[1, 0], [0, 1]]) == pytest.approx(np.log(2))


def test_row_66_l2_is_not_halved() -> None:
    assert loss("l2", [1, 2, -3]) == 14


def test_row_59_weights_of_classes_weigh_the_mean() -> None:
    found = loss("cross_entropy", [[0, 0], [2, 0]], [[1, 0], [0, 1]], class_weights=(3.0, 1.0))
    assert found == pytest.approx((3 * np.log(2) + np.log1p(np.exp(2))) / 4)
