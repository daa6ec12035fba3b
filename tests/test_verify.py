"""Every spec of the repository: all targets compute the same numbers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import nnspec
from codegen.target import Emitted
from nnspec.driver.verify.report import Row, difference
from nnspec.graph.graph import Program

SPECS = sorted((Path(__file__).parent.parent / "specs").glob("*.nn"))

pytestmark = pytest.mark.framework


@pytest.mark.parametrize("path", SPECS, ids=lambda p: p.stem)
def test_targets_agree(path: Path) -> None:
    report = nnspec.load(path).verify()
    wrong = [r for r in report.rows if not r.agrees]
    assert not report.skipped, "every target is installed where the tests run"
    assert report.targets[0] == "definition"
    assert set(report.targets[1:]) == {"onnx", "pytorch", "keras", "gluon"}
    assert not wrong, "\n".join(_line(r) for r in wrong)
    quantities = {r.quantity for r in report.rows}
    assert "outputs" in quantities or "loss" in quantities


WGAN = """
block penalty(critic) {
  input x
  g = grad(sum(critic(x)), x)
  norm = sqrt(sum(g * g, axis = -1) + 1e-12)
  output mean((norm - 1) * (norm - 1))
}
model Maker { input z: f32[N, 4]
  output x = z -> Dense(6, activation = tanh) -> Dense(8) }
model Critic {
  input x: f32[N, 8]
  output score = x -> Dense(16, activation = tanh) -> Dense(1)
}
train Wgan {
  G = Maker()
  D = Critic()
  batch real: f32[N, 8], z: f32[N, 4], share: f32[N, 1]
  fake = stop_gradient(G(z))
  mixed = share * real + (1 - share) * fake
  minimize mean(D(fake)) - mean(D(real)) + 10 * penalty(mixed, D) over D using Adam()
  minimize -mean(D(G(z))) over G using Adam()
  metric slope = penalty(real, D)
}
"""


IMAGES = (
    WGAN.replace("f32[N, 8]", "f32[N, 6, 6, 2]")
    .replace("f32[N, 1]", "f32[N, 1, 1, 1]")
    .replace("Dense(8)", "Dense(72) -> reshape([N, 6, 6, 2])")
    .replace("axis = -1", "axis = [1, 2, 3]")
    .replace("Dense(16, activation = tanh)", "Conv2D(4, 3, stride = 2) -> tanh -> flatten")
)


@pytest.mark.parametrize(
    ("text", "targets"),
    [(WGAN, ("pytorch", "keras", "gluon")), (IMAGES, ("gluon",))],
    ids=["rows", "images"],
)
def test_targets_take_derivatives_alike(text: str, targets: tuple[str, ...]) -> None:
    """A critic with a penalty on its slope (Gulrajani et al. 2017), which is a second derivative by its weights."""
    report = nnspec.load(text).verify(targets=targets)
    assert not report.skipped
    assert not (wrong := [r for r in report.rows if not r.agrees]), "\n".join(map(_line, wrong))
    assert any(r.quantity == "gradients" and r.subject == "train Wgan" for r in report.rows)


TYPED = """
block Attention(width) { input x, mask
  q, k, v = Dense(width)(x), Dense(width)(x), Dense(width)(x)
  hidden = where(mask, 0 * cast(mask, f32), -1e9)
  output softmax(q @ transpose(k, (0, 2, 1)) / 2.0 + expand_dims(hidden, 1)) @ v }
model Encoder { input tokens: i64[N, T], mask: bool[N, T]
  x = tokens -> Embedding(11, 4)
  x = x + Attention(4)(x, mask)
  seen = expand_dims(cast(mask, f32), 2)
  pooled = sum(x * seen, axis = 1) / (1 + sum(seen, axis = 1))
  output logits = pooled -> Dense(3) }
model Exact { input x: f64[N, 5]
  output y = x -> Dense(4) -> tanh -> Dense(3) }
train Encoded { net = Encoder()
  batch tokens: i64[N, T], mask: bool[N, T], label: i64[N]
  minimize cross_entropy(net(tokens, mask), label) using Adam() }
train Exactly { net = Exact()
  batch x: f64[N, 5], y: f64[N, 3]
  minimize mse(net(x), y) using Adam() }
"""


def test_what_names_f32_is_compared_in_f64_and_f64_stays() -> None:
    """Casts, and numbers beside them, in an encoder with a mask; a model that is f64, run and trained."""
    report = nnspec.load(TYPED).verify()
    assert not report.skipped
    assert not (wrong := [r for r in report.rows if not r.agrees]), "\n".join(map(_line, wrong))
    subjects = {r.subject for r in report.rows if r.target == "gluon" and r.quantity == "gradients"}
    assert subjects == {"model Encoder", "model Exact", "train Encoded", "train Exactly"}


def _line(row: Row) -> str:
    return f"{row.subject} {row.quantity} {row.tensor} {row.target}: {row.relative:.1e}"


def test_difference_sees_what_it_should() -> None:
    import numpy as np

    a = np.array([1.0, -2.0, 3.0])
    assert difference(a, a) == (0.0, 0.0)
    assert difference(a[::-1], a)[1] == pytest.approx(2 / 3)  # sorted they would agree
    assert difference(a[:2], a)[1] == float("inf")
    assert difference(np.array([1.0, np.nan, 3.0]), a)[1] == float("inf")
    assert difference(np.array([1e-9]), np.array([0.0]))[1] == float("inf")


class Mistaken:
    """PyTorch, with a mistake put into what it generates."""

    def __init__(self, before: str, after: str) -> None:
        from codegen import TARGETS

        self.target, self.before, self.after = TARGETS["pytorch"], before, after
        self.name, self.extra, self.modules, self.suffix = "pytorch", None, (), ".safetensors"
        self.holds_weights, self.faults, self.Options = False, (), self.target.Options

    def emit(self, program: Program, *, stem: str, provenance: str) -> Emitted:
        emitted = self.target.emit(program, stem=stem, provenance=provenance)
        assert any(self.before in str(text) for text in emitted.files.values())
        files = {n: str(t).replace(self.before, self.after) for n, t in emitted.files.items()}
        return replace(emitted, files=files)


def test_a_wrong_model_is_found_with_its_line() -> None:
    from nnspec.driver.verify.run import verify

    spec = nnspec.load("specs/digits_cnn.nn")
    wrong = Mistaken("nn.MaxPool2d(2)", "nn.AvgPool2d(2)")
    report = verify(replace(spec.program, trainings=()), [wrong])
    assert not report.agrees
    (culprit,) = report.culprits
    assert culprit.node == "max_pool2d"
    assert str(culprit.span).endswith("specs/digits_cnn.nn:7:8")


def test_a_fault_of_a_framework_is_named_and_bounded() -> None:
    """Also one of an op without weights, for it reaches every gradient."""
    text = "model M { input x: f32[N, 4] output y = Dense(2)(erf(Dense(8)(x))) }"
    report = nnspec.load(text).verify(["gluon"])
    assert report.agrees
    assert {r.bound for r in report.rows if r.quantity == "gradients"} == {1e-7}
    assert any(r.relative > 1e-9 for r in report.rows if r.quantity == "gradients")
    (note,) = report.notes
    assert "derivative of the error function" in note


def test_a_fault_reaches_what_a_model_gives_in_training() -> None:
    text = 'model M { input x: f32[3, 2, 4] output y = x -> RNN(4, activation = "relu") }'
    report = nnspec.load(text).verify(["gluon"])
    assert report.agrees
    assert {r.bound for r in report.rows if r.quantity == "outputs in training"} == {1e-6}


@pytest.mark.parametrize(
    ("before", "after", "quantity"),
    [
        ("net.parameters(), lr=lr)", "net.parameters(), lr=lr, eps=1e-7)", "weights after 1 step"),
        ("F.cross_entropy(logits, label)", "F.cross_entropy(logits, label) * 1.001", "loss"),
    ],
)
def test_a_wrong_program_is_found(before: str, after: str, quantity: str) -> None:
    from nnspec.driver.verify.bench import SINGLE_STEP
    from nnspec.driver.verify.run import verify

    program = replace(nnspec.load("specs/digits_mlp.nn").program, models=())
    report = verify(program, [Mistaken(before, after)], at=SINGLE_STEP)
    assert quantity in {r.quantity for r in report.rows if not r.agrees}


CANCELLING = """
model Net {
  input x: f32[N, 6]
  output y = x -> Dense(8) -> BatchNorm -> relu -> Dense(3)
}
train Fit {
  net = Net()
  batch x: f32[N, 6], y: i64[N]
  minimize cross_entropy(net(x), y) using Adam(lr = 0.1)
}
"""


def test_what_rounding_alone_moves_is_allowed_for_and_nothing_else() -> None:
    """A bias before a batch norm has no gradient but rounding, of which Adam makes whole steps."""
    report = nnspec.load(CANCELLING).verify(targets=("pytorch",))
    assert not [_line(r) for r in report.rows if not r.agrees]
    wide = {r.tensor for r in report.rows if "weights after" in r.quantity and r.bound > 1e-9}
    assert wide == {"dense.bias", "batch_norm.running_mean"}


def test_a_fault_of_an_optimizer_is_named() -> None:
    """MXNet's SGD keeps 0.1 as f32: one step is 1.5e-8 off, of gradients above one."""
    report = nnspec.load(
        CANCELLING.replace("-> BatchNorm", "")
        .replace("Adam(lr = 0.1)", "SGD(lr = 0.1)")
        .replace("minimize cross", "minimize 30 * cross")
    ).verify(targets=("gluon",))
    assert not [_line(r) for r in report.rows if not r.agrees]
    assert any("SGD" in note for note in report.notes)


@pytest.mark.framework
def test_a_weight_that_is_an_output() -> None:
    """Keras hands its variable over, which is no tensor; its gradients are compared all the same."""
    text = (
        "model M { input x: f32[N, 4] weight w: f32[4] = normal(0.5) output y = x * w, itself = w }"
    )
    assert nnspec.load(text).verify(targets=("keras",)).agrees


def test_several_models_of_a_file_are_compared() -> None:
    """The second model's file was refused in the place of the first's, which had been read."""
    text = "model A { input x: f32[N, 3]\n output y = x -> Dense(2) }\n"
    report = nnspec.load(text + text.replace("A", "B")).verify(targets=("onnx",))
    assert {r.subject for r in report.rows} == {"model A", "model B"}
    assert all(r.agrees for r in report.rows)


@pytest.mark.parametrize(
    ("more", "written"),
    [
        ("", "Trainer(net.collect_params()"),
        (
            "_, c = net(x)\n  minimize mean(c) over net.side, net.head using SGD",
            "net.side.collect_params()",
        ),
    ],
    ids=["one loss", "two losses"],
)
def test_what_no_loss_reaches_stays_as_it_is(more: str, written: str) -> None:
    """A layer that leads nowhere: MXNet's trainer leaves it out by itself, unless another loss gave it a gradient."""
    text = (
        "model M {\n  input x: f32[N, 4]\n  h = x -> Dense(5)\n  head = Dense(2)\n  side = Dense(2)\n"
        "  output a = head(h), b = side(h) }\n"
        "train T {\n  net = M()\n  batch x: f32[N, 4]\n  a, b = net(x)\n"
        f"  minimize mean(a * a) using SGD\n  {more}\n  data = npz('x.npz') }}\n"
    ).replace("'", '"')
    spec = nnspec.load(text)
    assert written in next(iter(spec.build("gluon").files.values()))
    report = spec.verify(targets=("gluon",), quick=True)
    assert not [_line(r) for r in report.rows if not r.agrees]
