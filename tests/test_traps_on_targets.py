"""Rows of `semantics.md` that need more than one op, or weights: the definition by hand, and every target by the definition.

Every row has a test named after it, here or in another `test_traps*.py`, or the language does not reach it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conformance import case_of
from numpy.lib.stride_tricks import sliding_window_view

import nnspec
from codegen import TARGETS
from nnspec.driver import defined
from nnspec.driver.verify import cases, definition
from nnspec.driver.verify.run import verify_all
from nnspec.graph.weight_map import Array
from nnspec.report.diagnostics import SpecError

Weights = dict[str, Array]


def windows(x: Array, weight: Array) -> Array:
    """A convolution of images, without padding."""
    over = sliding_window_view(x, weight.shape[2:], axis=(1, 2))
    found: Array = np.einsum("nhwcij,ocij->nhwo", over, weight)
    return found


def grouped(w: Weights, x: Array) -> Array:
    low, high = w["weight"][:3], w["weight"][3:]
    return np.concatenate([windows(x[..., :2], low), windows(x[..., 2:], high)], axis=-1)


def spread(w: Weights, x: Array) -> Array:
    """Kernels that do not meet: each cell becomes as many as the kernel has."""
    n, h, width, _ = x.shape
    found = np.einsum("nhwc,coij->nhiwjo", x, w["weight"])
    return found.reshape(n, 2 * h, 3 * width, -1)


def dense(w: Weights, layer: str, x: Array) -> Array:
    found: Array = x @ w[f"{layer}.weight"].T + w[f"{layer}.bias"]
    return found


def flattened(w: Weights, x: Array) -> Array:
    features = np.einsum("nhwc,oc->nhwo", x, w["conv2d.weight"][:, :, 0, 0]) + w["conv2d.bias"]
    return dense(w, "dense", features.reshape(len(x), -1))


def softmax(x: Array) -> Array:
    shares: Array = np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True)
    return shares


def normed(w: Weights, x: Array) -> Array:
    deviation = np.sqrt(w["running_var"] + 1e-5)
    found: Array = (x - w["running_mean"]) / deviation * w["weight"] + w["bias"]
    return found


def recurrent(w: Weights, x: Array, layer: int = 0) -> Array:
    states = [np.zeros((len(x), 3))]
    of_x, of_state, bias = (w[f"{role}_l{layer}"] for role in ("weight_ih", "weight_hh", "bias"))
    for t in range(x.shape[1]):
        inner = x[:, t] @ of_x.T + states[-1] @ of_state.T + bias
        states.append(np.tanh(inner))
    return np.stack(states[1:], axis=1)


def attended(w: Weights, x: Array) -> Array:
    """Two heads, of a half of six features each."""
    q, k, v = (dense(w, name, x) for name in ("query", "key", "value"))
    heads = []
    for i in (0, 3):
        scores = np.einsum("ntc,nsc->nts", q[..., i : i + 3], k[..., i : i + 3]) / np.sqrt(3)
        heads.append(softmax(scores) @ v[..., i : i + 3])
    return dense(w, "output", np.concatenate(heads, axis=-1))


MODELS: dict[str, tuple[str, Callable[[Weights, Array], Array]]] = {
    "1 images are [N, H, W, C]": (
        "input x: f32[N, 4, 5, 3]\noutput y = x -> Conv2D(2, (2, 3), use_bias = false)",
        lambda w, x: windows(x, w["weight"]),
    ),
    "2 flatten counts features first, then columns, then rows": (
        "input x: f32[N, 3, 2, 4]\noutput y = x -> Conv2D(2, 1) -> flatten -> Dense(3)",
        flattened,
    ),
    "3 Dense is of the last axis, whatever stands before": (
        "input x: f32[N, 2, 5]\noutput y = x -> Dense(4)",
        lambda w, x: x @ w["weight"].T + w["bias"],
    ),
    "4 a matrix is [out, in]": (
        "input x: f32[N, 5]\noutput y = x -> Dense(3, use_bias = false)",
        lambda w, x: np.einsum("ni,oi->no", x, w["weight"]),
    ),
    "5 a kernel is [out, in / groups, h, w]": (
        "input x: f32[N, 4, 5, 4]\noutput y = x -> Conv2D(6, (3, 2), groups = 2, use_bias = false)",
        grouped,
    ),
    "7 a kernel of a transposed convolution is [in, out, h, w]": (
        "input x: f32[N, 2, 4, 5]\n"
        "output y = x -> ConvTranspose2D(3, (2, 3), stride = (2, 3), use_bias = false)",
        spread,
    ),
    "8 concat and softmax are of the last axis": (
        "input x: f32[N, 2, 3]\noutput y = concat(x, softmax(x))",
        lambda w, x: np.concatenate([x, softmax(x)], axis=-1),
    ),
    "10 sizes of reshape count the batch, and -1 is what is left": (
        "input x: f32[N, 2, 6]\noutput y = reshape(x, [4, N, -1])",
        lambda w, x: x.reshape(4, len(x), -1),
    ),
    "25 a batch norm has a scale": (
        "input x: f32[N, 5]\noutput y = x -> BatchNorm",
        normed,
    ),
    "26 the features of a batch norm are the last axis": (
        "input x: f32[N, 4, 5, 3]\noutput y = x -> BatchNorm",
        normed,
    ),
    "43 sequences are [N, T, C]": (
        "input x: f32[N, 5, 2]\noutput y = x -> RNN(3)",
        recurrent,
    ),
    "44 a recurrent layer gives all of its states, and its last where it is asked": (
        'input x: f32[N, 5, 2]\nlayer = RNN(3, returns = "last")\noutput y = x -> layer',
        lambda w, x: recurrent(w, x)[:, -1],
    ),
    "44 what each layer of a stack ends with is what it goes on with": (
        'input x: f32[N, 5, 2]\nlayer = RNN(3, returns = "all", layers = 2)\n'
        "_, state = layer(x[:, :2])\ny, _ = layer(x[:, 2:], state)\noutput y",
        lambda w, x: recurrent(w, recurrent(w, x), layer=1)[:, 2:],
    ),
    "52 heads share the features of the query": (
        "input x: f32[N, 4, 6]\noutput y = x -> MultiHeadAttention(2)",
        attended,
    ),
}

NETWORK = """
model Net {{
  input x: f32[N, 3]
  weight w: f32[3] = ones
  output y = x * w
}}
train T {{
  net = Net()
  batch x: f32[N, 3]
  minimize sum(net(x)) * {scale} using {optimizer}
}}
"""
Rule = Callable[[Array, Array, dict[str, Array], int], Array]
"""A weight, its gradient, what is kept and the step from 0, to the new weight."""


def momentum(w: Array, g: Array, kept: dict[str, Array], step: int) -> Array:
    """Halved at every step; the velocity does not hold the rate."""
    kept["v"] = 0.9 * kept.get("v", np.zeros(3)) + g
    return w - 0.1 * 0.5**step * kept["v"]


def decayed(w: Array, g: Array, kept: dict[str, Array], step: int) -> Array:
    kept["v"] = 0.9 * kept.get("v", np.zeros(3)) + g + 0.5 * w
    return w - 0.1 * kept["v"]


def adam(w: Array, g: Array, kept: dict[str, Array], step: int) -> Array:
    kept["m"] = 0.9 * kept.get("m", np.zeros(3)) + 0.1 * g
    kept["v"] = 0.999 * kept.get("v", np.zeros(3)) + 0.001 * g**2
    root = np.sqrt(kept["v"] / (1 - 0.999 ** (step + 1)))
    return w - 0.1 * kept["m"] / (1 - 0.9 ** (step + 1)) / (root + 1e-8)


def rmsprop(w: Array, g: Array, kept: dict[str, Array], step: int) -> Array:
    kept["s"] = 0.9 * kept.get("s", np.zeros(3)) + 0.1 * g**2
    return w - 0.1 * g / (np.sqrt(kept["s"]) + 1e-8)


def adagrad(w: Array, g: Array, kept: dict[str, Array], step: int) -> Array:
    kept["s"] = kept.get("s", np.zeros(3)) + g**2
    return w - 0.1 * g / (np.sqrt(kept["s"]) + 1e-10)


def adadelta(w: Array, g: Array, kept: dict[str, Array], step: int) -> Array:
    kept["s"] = 0.95 * kept.get("s", np.zeros(3)) + 0.05 * g**2
    change = np.sqrt(kept.get("d", np.zeros(3)) + 1e-6) / np.sqrt(kept["s"] + 1e-6) * g
    kept["d"] = 0.95 * kept.get("d", np.zeros(3)) + 0.05 * change**2
    return w - 0.5 * change


def clipped(weights: Weights, x: Array) -> Weights:
    """Kernel and bias by one factor."""
    gradients = {
        "net.dense.weight": np.tile(x.sum(0), (2, 1)),
        "net.dense.bias": len(x) * np.ones(2),
    }
    norm = np.sqrt(sum(np.sum(g**2) for g in gradients.values()))
    return {path: weights[path] - 0.1 * g / norm for path, g in gradients.items()}


UPDATES: dict[str, tuple[str, float, Rule]] = {
    "67 the epsilon of Adam is added after the correction, outside the root": (
        "Adam(0.1)",
        1e-9,
        adam,
    ),
    "68 weight decay is a part of the gradient": (
        "SGD(0.1, momentum = 0.9, weight_decay = 0.5)",
        1.0,
        decayed,
    ),
    "70 a velocity does not hold the learning rate": (
        "SGD(StepDecay(0.1, every = 1, factor = 0.5), momentum = 0.9)",
        1.0,
        momentum,
    ),
    "71 SGD learns by 0.01": ("SGD", 1.0, lambda w, g, kept, step: w - 0.01 * g),
    "72 the epsilon of RMSprop is added outside the root, its rho is 0.9": (
        "RMSprop(0.1)",
        1e-9,
        rmsprop,
    ),
    "73 Adagrad begins with nothing, and adds its epsilon outside the root": (
        "Adagrad(0.1)",
        1e-9,
        adagrad,
    ),
    "74 Adadelta minds its learning rate": ("Adadelta(0.5)", 1e-3, adadelta),
    "76 a schedule counts updates": (
        "SGD(StepDecay(0.1, every = 2))",
        1.0,
        lambda w, g, kept, step: w - 0.1 * 0.1 ** (step // 2) * g,
    ),
}

PROGRAMS: dict[str, tuple[str, Callable[[Weights, Array], Weights]]] = {
    "24 running statistics move when a network is applied in training": (
        """
model Net {
  input x: f32[N, 3]
  output y = x -> BatchNorm
}
train T {
  net = Net()
  other = Net()
  batch x: f32[N, 3]
  minimize mse(net(x), stop_gradient(other(x))) over net using SGD(0.1)
}
""",
        lambda w, x: {
            "other.batch_norm.running_mean": 0.9 * w["other.batch_norm.running_mean"]
            + 0.1 * x.mean(0),
            "other.batch_norm.running_var": 0.9 * w["other.batch_norm.running_var"]
            + 0.1 * x.var(0),
        },
    ),
    "49 every row of a table learns, the first too": (
        """
model Net {
  input x: i64[N, T]
  output y = x -> Embedding(3, 2)
}
train T {
  net = Net()
  batch x: i64[N, T]
  minimize sum(net(x)) using SGD(0.1)
}
""",
        lambda w, x: {
            "net.embedding.weight": w["net.embedding.weight"]
            - 0.1 * np.bincount(x.ravel(), minlength=3)[:, None]
        },
    ),
    "69 biases decay as weights do": (
        """
model Net {
  input x: f32[N, 3]
  output y = x -> Dense(2)
}
train T {
  net = Net()
  batch x: f32[N, 3]
  minimize sum(net(x)) using SGD(0.1, weight_decay = 0.5)
}
""",
        lambda w, x: {
            "net.dense.weight": 0.95 * w["net.dense.weight"] - 0.1 * x.sum(0),
            "net.dense.bias": 0.95 * w["net.dense.bias"] - 0.1 * len(x),
        },
    ),
    "66 l2 of a network is not halved; a part, and a list of weights": (
        """
model Net {
  input x: f32[N, 3]
  output y = x -> Dense(2)
}
train T {
  net = Net()
  batch x: f32[N, 3]
  small = 0.25 * l1(net.dense.weight) + l1([net.dense.bias, net.dense])
  minimize sum(net(x)) + 0.5 * l2(net) + small using SGD(0.1)
}
""",
        lambda w, x: {
            "net.dense.weight": 0.9 * w["net.dense.weight"]
            - 0.1 * (x.sum(0) + 1.25 * np.sign(w["net.dense.weight"])),
            "net.dense.bias": 0.9 * w["net.dense.bias"]
            - 0.1 * (len(x) + np.sign(w["net.dense.bias"])),
        },
    ),
    "75 clipping is of all gradients together": (
        """
model Net {
  input x: f32[N, 3]
  output y = x -> Dense(2)
}
train T {
  net = Net()
  batch x: f32[N, 3]
  minimize sum(net(x)) using SGD(0.1, clip_norm = 1)
}
""",
        clipped,
    ),
}

REFUSED = {
    "46 dropout within a recurrent layer": (
        "output y = x -> LSTM(3, recurrent_dropout = 0.5)",
        "`LSTM` has no parameter `recurrent_dropout`",
    ),
    "56 bicubic": (
        'output y = resize(image, size = [4, 4], interpolation = "bicubic")',
        '`interpolation` of `resize` expects "nearest" or "bilinear"',
    ),
}
"""What the language does not reach: the compiler says so. Once it does not, the row needs a test."""


def model(body: str) -> nnspec.Spec:
    return nnspec.load(f"model Trap {{\n{body}\n}}\n")


def inside(weights: Weights) -> Weights:
    """Of a model of one layer, by role."""
    layers = {path.partition(".")[0] for path in weights}
    return {p.partition(".")[2]: a for p, a in weights.items()} if len(layers) == 1 else weights


@pytest.mark.parametrize("trap", MODELS)
def test_the_definition_of_a_model(trap: str) -> None:
    body, hand = MODELS[trap]
    case = case_of(trap, model(body).models[0].graph)
    (x,), weights = case.inputs, {p: a.astype("f8") for p, a in case.weights.items()}
    held = inside(weights)
    held |= {p.removeprefix("multi_head_attention."): a for p, a in weights.items()}
    np.testing.assert_allclose(case.expected[0], hand(held, x.astype("f8")), rtol=1e-9, atol=1e-9)


def trained(text: str, steps: int) -> tuple[Weights, list[Array], Weights]:
    """Weights before, a batch for each step, and weights after them, by network and path."""
    training = nnspec.load(text).training()
    begin = cases.networks_weights(training, 0)
    batches = list(cases.batches_of(training, steps, 1))
    after = definition.trained(training, begin, batches, [steps]).weights[steps]

    def flat(nested: Any) -> Weights:
        return {
            f"{n}.{p}": np.asarray(a, "f8") for n, part in nested.items() for p, a in part.items()
        }

    return flat(begin), [b[0] for b in batches], flat(after)


@pytest.mark.parametrize("trap", UPDATES)
def test_the_definition_of_an_update(trap: str) -> None:
    optimizer, scale, rule = UPDATES[trap]
    text = NETWORK.format(optimizer=optimizer, scale=scale)
    begin, batches, after = trained(text, 4)
    weight, kept = begin["net.w"], dict[str, Array]()
    for step, x in enumerate(batches):
        weight = rule(weight, scale * x.astype("f8").sum(axis=0), kept, step)
    np.testing.assert_allclose(after["net.w"], weight, rtol=1e-9)


@pytest.mark.parametrize("trap", PROGRAMS)
def test_the_definition_of_a_program(trap: str) -> None:
    text, hand = PROGRAMS[trap]
    begin, (x,), after = trained(text, 1)
    for path, expected in hand(begin, x).items():
        np.testing.assert_allclose(after[path], expected, rtol=1e-6, err_msg=path)


def test_48_an_index_outside_a_table_is_refused() -> None:
    """What targets make of it is nobody's meaning: `nnspec run` does not ask them."""
    graph = model("input x: i64[N]\noutput y = x -> Embedding(3, 2)").models[0].graph
    runner = defined.load(graph, cases.weights_of(graph, 0))
    for index in (3, -1):
        with pytest.raises(SpecError, match="indices from 0 to 2"):
            runner.run({"x": np.array([index])})


@pytest.mark.parametrize("trap", REFUSED)
def test_is_not_reached(trap: str) -> None:
    statement, message = REFUSED[trap]
    body = "input x: f32[N, 5, 3], image: f32[N, 2, 2, 1]\n"
    text = f"model M {{\n{body}{statement}\n}}\n"
    if statement.startswith("minimize"):
        text = f"train T {{\nbatch x: f32[N, 3]\n{statement}\n}}\n"
    with pytest.raises(SpecError) as refused:
        nnspec.load(text)
    assert refused.value.diagnostics[0].message == message


@pytest.mark.framework
def test_every_target_means_the_same() -> None:
    """Outputs, gradients, losses, statistics, and weights after 1 and after 10 steps."""
    texts = {trap: f"model Trap {{\n{body}\n}}\n" for trap, (body, _) in MODELS.items()}
    texts |= {t: NETWORK.format(optimizer=o, scale=s) for t, (o, s, _) in UPDATES.items()}
    texts |= {trap: text for trap, (text, _) in PROGRAMS.items()}
    programs = [nnspec.load(text).program for text in texts.values()]
    reports = verify_all(programs, list(TARGETS.values()))
    for trap, report in zip(texts, reports, strict=True):
        assert not report.skipped, trap
        assert not [row for row in report.rows if not row.agrees], trap


ROW = re.compile(r'^(?:def test_(?:row_)?|    "(?:row )?)(\d+(?:_\d+)*)[_ :]', re.MULTILINE)


def test_every_row_has_a_test() -> None:
    """By the numbers in the names of tests and cases."""
    texts = [p.read_text() for p in Path(__file__).parent.glob("test_traps*.py")]
    tested = {int(n) for text in texts for found in ROW.findall(text) for n in found.split("_")}
    assert tested == set(range(1, 81))
