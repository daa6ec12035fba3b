"""Generated Keras as a program: saved and reloaded, trained by `fit`, its own steps taken in order."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from codegen import TARGETS
from codegen.jobs import TrainRequest, TrainResult
from codegen.target import Emitted
from nnspec.compiler import compile_source
from nnspec.driver.generated import load_module
from nnspec.driver.verify import cases
from nnspec.driver.verify.bench import SINGLE_STEP
from nnspec.driver.verify.run import verify
from nnspec.graph.evaluate import evaluate_model
from nnspec.graph.graph import Program
from nnspec.graph.weight_map import to_canonical, to_native
from nnspec.report.diagnostics import Reporter
from nnspec.report.source import Source

GOLDEN = Path(__file__).parent / "cases" / "golden"


def program_of(text: str) -> Program:
    reporter = Reporter()
    program = compile_source(Source("<text>", text), reporter)
    reporter.raise_errors()
    return program


def emit(program: Program) -> Emitted:
    return TARGETS["keras"].emit(program, stem="case", provenance="A test.")


def code(text: str) -> str:
    (source,) = emit(program_of(text)).files.values()
    return str(source)


def module_of(emitted: Emitted, folder: Path) -> ModuleType:
    path = folder / "case_keras.py"
    path.write_text(str(*emitted.files.values()), encoding="utf-8")
    return load_module(path)


LANGUAGE = """
block Mix(width, rate = 0.1) { input x
  output x + (x -> Dense(width, activation = relu) -> Dropout(rate) -> Dense(6)) }
model M { input tokens: i64[N, T], extra: f32[N, 4]
  embed = Embedding(11, 6)
  weight position: f32[6] = normal(0.02)
  stem = Dense(6) -> BatchNorm -> relu
  x = embed(tokens) + position -> Mix(8) -> Mix(9) -> Mix(8, rate = 0.3)
  x = x -> LSTM(5, returns = "last", bidirectional = true, layers = 2)
  h = concat(x, extra) -> Dense(6) -> stem
  output logits = h -> Dense(3), tied = h @ transpose(embed.weight) }
"""


@pytest.mark.framework
def test_a_saved_model_comes_back(tmp_path: Path) -> None:
    """`.keras`, in a process that knows only the generated module; two inputs, nested blocks."""
    import keras

    runtime = importlib.import_module("codegen.keras.runtime")
    runtime.use("f32")
    program = program_of(LANGUAGE)
    module = module_of(emit(program), tmp_path)
    net = module.M()
    generator = np.random.default_rng(0)
    tokens, extra = generator.integers(0, 11, (3, 5)), generator.standard_normal((3, 4), "float32")
    expected = [np.asarray(o) for o in net(tokens, extra)]
    lines: list[str] = []
    net.summary(print_fn=lines.append)
    assert "Total params" in "\n".join(lines) and "unbuilt" not in "\n".join(lines)
    net.save(tmp_path / "m.keras")
    np.savez(tmp_path / "io.npz", tokens, extra, *expected)
    script = """
import keras, numpy as np
import case_keras
tokens, extra, *expected = np.load("io.npz").values()
net = keras.saving.load_model("m.keras")
for a, b in zip(net(tokens, extra), expected, strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-6)
block = net.mix_2
assert type(block).from_config(block.get_config()).width == 9
print(type(net).__name__)
"""
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert run.stdout.strip() == "M", run.stderr
    assert keras.saving.get_registered_name(module.M) == "case>M"


ZOO = """
block Stage(width) { input x
  output x + (x -> Conv2D(width, 3, padding = 1) -> BatchNorm -> relu -> Dropout(0.1)) }
model Images { input image: f32[N, 15, 13, 3]
  stem = Conv2D(4, 7, stride = 2, padding = 3, activation = softplus) -> AvgPool2D(2)
  x = image -> stem -> Stage(4) -> MaxPool2D(3, stride = 1, padding = 1)
  x = x -> Conv2D(4, 3, stride = 2, padding = ((0, 1), (1, 0)), activation = relu)
  x = x -> Conv2D(4, 3, stride = 2, dilation = 2, padding = "same")
  x = x -> ConvTranspose2D(2, (2, 5), stride = (3, 2)) -> ConvTranspose2D(4, 2, dilation = 2)
  output x -> AvgPool2D(3, stride = 2, padding = 1) -> flatten -> Dense(3, activation = softmax) }
model Sequences { input tokens: i64[N, 9]
  x = tokens -> Embedding(7, 5) -> Conv1D(6, 3, padding = "causal") -> AvgPool1D(2)
  gru, rnn = GRU(4, bidirectional = true), RNN(4)
  x = x -> LSTM(4, bidirectional = true, layers = 2) -> gru -> rnn
  output x -> global_avg_pool -> Dense(3, activation = sigmoid) }
model Volumes { input volume: f32[N, 6, 5, 4, 2]
  output volume -> Conv3D(3, 3, padding = 1) -> MaxPool3D(2, padding = "same") -> AvgPool3D(2)
    -> ConvTranspose3D(2, 2, stride = 2) -> global_avg_pool }
"""


@pytest.mark.framework
@pytest.mark.parametrize("name", ["Images", "Sequences", "Volumes"])
def test_models_are_keras_models(name: str, tmp_path: Path) -> None:
    """Compiled by XLA they train; as a `.keras` file and as weights alone they come back."""
    import keras

    runtime = importlib.import_module("codegen.keras.runtime")
    runtime.use("f32")
    keras.utils.set_random_seed(1)  # by chance all relu end at zero, and nothing trains
    program = program_of(ZOO)
    (model,) = (m for m in program.models if m.name == name)
    module = module_of(emit(program), tmp_path)
    net, other = getattr(module, name)(), getattr(module, name)()
    (inputs,) = cases.inputs_of(model.inputs, model.steps, {"N": 4}, np.random.default_rng(0))
    before = np.asarray(net(inputs))
    net.compile(optimizer="sgd", loss="mse", jit_compile=True)
    net.fit(inputs, np.ones_like(before), verbose=0)
    trained = np.asarray(net(inputs))
    assert np.isfinite(trained).all() and not np.array_equal(trained, before)
    np.testing.assert_allclose(net.predict(inputs, verbose=0), trained, rtol=1e-4, atol=1e-5)
    net.save(tmp_path / "net.keras")
    net.save_weights(tmp_path / "net.weights.h5")
    other.load_weights(tmp_path / "net.weights.h5")
    for again in (keras.saving.load_model(tmp_path / "net.keras"), other):
        np.testing.assert_array_equal(again(inputs), trained)


SIZES = """
model M { input x: f32[N, H, W, 3]
  y = x -> Conv2D(3, 3, stride = 2, dilation = 2, padding = "same") -> relu
  y = y -> AvgPool2D(3, stride = 1, padding = ((1, 0), (2, 1)))
  y = y -> Conv2D(3, 2, stride = 4, dilation = (2, 1), padding = "same")
  output y -> ConvTranspose2D(2, (2, 5), stride = (3, 2)) }
"""
GATES = """
model M { input x: f32[N, T, 4]
  gru, rnn = GRU(4, bidirectional = true, layers = 2), RNN(4)
  y = (x -> gru) @ transpose(gru.weight_ih_l1)
  z = (x -> rnn) @ rnn.weight_hh_l0
  output y + gru.bias_ih_l1_reverse * gru.bias_hh_l0, z }
"""


@pytest.mark.framework
@pytest.mark.parametrize(
    ("text", "sizes"),
    [(SIZES, (23, 16, 3)), (SIZES, (16, 21, 3)), (SIZES, (18, 19, 3)), (GATES, (5, 4))],
)
def test_the_definition_agrees(text: str, sizes: tuple[int, ...], tmp_path: Path) -> None:
    """Padding that Keras has no words for, of sizes known at run time only; weights of recurrent layers as operands."""
    runtime = importlib.import_module("codegen.keras.runtime")
    program = program_of(text)
    (model,) = program.models
    emitted = emit(program)
    weights = cases.weights_of(model, 0)
    x = np.random.default_rng(0).standard_normal((2, *sizes))
    native = {
        k: a.astype("f8") for k, a in to_native(weights, emitted.models[model].weight_map).items()
    }
    found = runtime.predict(module_of(emitted, tmp_path), "M", native, [x])
    expected = evaluate_model(model, [x], weights, precision="f64").outputs
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)


def test_padding_is_said_where_keras_has_a_word() -> None:
    text = code(ZOO)
    assert 'layers.Conv2D(4, 3, padding="same")' in text
    assert 'layers.MaxPooling2D(3, strides=1, padding="same")' in text
    assert "ops.pad(" not in text
    # In a chain too it is a layer.
    assert "[\n                layers.ZeroPadding2D(3),\n" in text
    assert "self.conv2d_padding = layers.ZeroPadding2D(((0, 1), (1, 0)))" in text


def test_sizes_that_are_known_are_told_to_a_reshape() -> None:
    """A layer behind it could not be built without, whatever stands for the batch."""
    text = "model M { input x: f32[N, 4, 6] output y = x -> reshape([N, 8, -1]) -> Dense(2) }"
    assert "ops.reshape(x, (-1, 8, 3))" in code(text)


def test_layers_are_told_their_activation() -> None:
    """The last axis is what Keras's `softmax` is over; a batch norm takes no activation."""
    text = code("""
model M { input x: f32[N, 4, 5]
  a = x -> Dense(3) -> softmax(axis = 2)
  b = x -> Dense(3) -> softmax(axis = 1)
  output a, b, c = x -> BatchNorm -> tanh -> Dense(3) -> log_softmax }
""")
    assert text.count('activation="softmax"') == 1 and "ops.softmax(y, axis=1)" in text
    assert 'activation="log_softmax"' in text and "ops.tanh(" in text


@pytest.mark.framework
@pytest.mark.parametrize("name", ["language_model", "siamese", "resnet", "names"])
def test_weights_survive_the_file(name: str, tmp_path: Path) -> None:
    """Canonical to native, into a file, out of it, and back."""
    runtime = importlib.import_module("codegen.keras.runtime")
    program = program_of((GOLDEN / f"{name}.nn").read_text())
    emitted = emit(program)
    module = module_of(emitted, tmp_path)
    (model,) = program.models
    entry = emitted.models[model]
    weights = cases.weights_of(model, 3)
    path = tmp_path / "m.weights.h5"
    runtime.save_native(module, entry.class_name, to_native(weights, entry.weight_map), path)
    found = to_canonical(runtime.load_native(module, entry.class_name, path), entry.weight_map)
    assert set(found) == set(weights)
    for key, array in weights.items():
        np.testing.assert_array_equal(found[key], array)


GAN = """
model Maker { input z: f32[N, 4]
  output x = z -> Dense(6) -> BatchNorm -> tanh -> Dense(5) }
model Judge { input x: f32[N, 5]
  output score = x -> Dense(6, activation = relu) -> Dense(1) }
train Gan {
  G = Maker()
  F = Judge()
  batch real: f32[N, 5], z: f32[N, 4]
  fake = G(z)
  minimize binary_cross_entropy(F(real), 1) + binary_cross_entropy(F(STOP), 0)
    over F using Adam(lr = 0.05, weight_decay = 0.1)
  minimize binary_cross_entropy(F(fake), 1) over G using SGD(lr = 0.1, momentum = 0.9, nesterov = true)
}
"""


def gan(folder: Path, stop: str) -> TrainResult:
    runtime = importlib.import_module("codegen.keras.runtime")
    program = program_of(GAN.replace("STOP", stop))
    emitted = emit(program)
    (training,) = program.trainings
    networks = cases.networks_weights(training, 0)
    classes, functions = (("G", "Maker"), ("F", "Judge")), emitted.programs["Gan"]
    request = TrainRequest(functions, classes, ("real", "z"), 2, 2, (1, 3), "f64")
    weights = {
        n.name: to_native(networks[n.name], emitted.models[n.model].weight_map)
        for n in training.networks
    }
    batches = list(cases.batches_of(training, 3, 1))
    result: TrainResult = runtime.train(module_of(emitted, folder), request, weights, batches)
    return result


@pytest.mark.framework
def test_updates_come_in_order(tmp_path: Path) -> None:
    """The second loss sees the judge that the first has updated; each update has its own gradients."""
    result = gan(tmp_path, "stop_gradient(fake)")
    assert [len(step) for step in result.losses] == [2, 2, 2]
    assert [set(g) for g in result.gradients] == [{"F"}, {"G"}]
    assert set(result.weights) == {"1", "3"}
    # Without `stop_gradient` the first update would also send gradients into G, but not use them.
    other = gan(tmp_path, "fake")
    np.testing.assert_allclose(result.losses, other.losses, rtol=1e-12)


@pytest.mark.framework
def test_a_gan_by_hand(tmp_path: Path) -> None:
    """The first step, worked out with NumPy and finite differences, and no generated code."""
    (training,) = program_of(GAN.replace("STOP", "stop_gradient(fake)")).trainings
    weights = cases.networks_weights(training, 0)
    g, f = ({k: a.astype("float64") for k, a in w.items()} for w in weights.values())
    real, z = (a.astype("float64") for a in next(cases.batches_of(training, 1, 1)))

    def judge(f: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
        h = np.maximum(x @ f["dense.weight"].T + f["dense.bias"], 0)
        return h @ f["dense_2.weight"].T + f["dense_2.bias"]

    def make(g: dict[str, np.ndarray]) -> np.ndarray:
        x = z @ g["dense.weight"].T + g["dense.bias"]
        x = (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5)
        x = np.tanh(x * g["batch_norm.weight"] + g["batch_norm.bias"])
        return x @ g["dense_2.weight"].T + g["dense_2.bias"]

    def softplus(x: np.ndarray) -> np.ndarray:
        return np.logaddexp(0, x)

    fake = make(g)

    def first(f: dict[str, np.ndarray]) -> float:
        return float(softplus(-judge(f, real)).mean() + softplus(judge(f, fake)).mean())

    def second(g: dict[str, np.ndarray]) -> float:
        return float(softplus(-judge(updated, make(g))).mean())

    def gradient(loss: object, at: dict[str, np.ndarray], name: str) -> np.ndarray:
        slope = np.zeros_like(at[name])
        for place in np.ndindex(slope.shape):
            moved = []
            for h in (1e-6, -1e-6):
                array = at[name].copy()
                array[place] += h
                moved.append(loss({**at, name: array}))  # type: ignore[operator]
            slope[place] = (moved[0] - moved[1]) / 2e-6
        return slope

    result = gan(tmp_path, "stop_gradient(fake)")
    updated = {}
    for name, array in f.items():
        slope = gradient(first, f, name) + 0.1 * array
        # Adam's first step: both corrected means are those of this gradient alone.
        updated[name] = array - 0.05 * slope / (np.abs(slope) + 1e-8)
    np.testing.assert_allclose(result.losses[0], [first(f), second(g)], rtol=1e-7)
    slope = gradient(second, g, "dense_2.weight")
    np.testing.assert_allclose(result.gradients[1]["G"]["dense_2.kernel"].T, slope, atol=1e-8)
    # SGD's first step with Nesterov's momentum: the gradient, and 0.9 times it again.
    expected = g["dense_2.weight"] - 0.1 * 1.9 * slope
    found = result.weights["1"]["G"]["dense_2.kernel"].T
    np.testing.assert_allclose(found, expected, atol=1e-8)
    hidden = (z @ g["dense.weight"].T + g["dense.bias"]).var(0)
    variance = 0.9 * g["batch_norm.running_var"] + 0.1 * hidden
    found = result.weights["1"]["G"]["batch_norm.moving_variance"]
    np.testing.assert_allclose(found, variance, rtol=1e-7)


@pytest.mark.framework
def test_the_program_runs(tmp_path: Path) -> None:
    """As a command, with several programs and networks; bad files end in one line, not a traceback."""
    text = (GOLDEN / "two_programs.nn").read_text()
    program = tmp_path / "case_keras.py"
    program.write_text(code(text), encoding="utf-8")
    generator = np.random.default_rng(0)
    x, y = generator.standard_normal((30, 5), "float32"), generator.integers(0, 3, 30)
    np.savez(tmp_path / "data.npz", x=x, y=y, validation_x=x, validation_y=y)
    np.savez(tmp_path / "lacking.npz", x=x)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, program.name, *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    plain = run("--data", "data.npz", "--save", "plain.weights.h5", "--epochs", "2")
    assert plain.returncode == 0, plain.stderr
    assert "Epoch 2/2" in plain.stdout and (tmp_path / "plain.weights.h5").exists()
    both = run("--program", "Distilled", "--data", "data.npz", "--save", "two.weights.h5")
    assert both.returncode == 0, both.stderr
    assert all(f"{n}: " in both.stdout for n in ("loss_1", "val_taught", "val_accuracy"))
    assert (tmp_path / "two-student.weights.h5").exists()
    again = ["--program", "Distilled", "--data", "data.npz", "--weights", "two.weights.h5"]
    assert run(*again, "--epochs", "1").returncode == 0
    for wrong, message in (
        (["--data", "absent.npz"], "cannot read absent.npz"),
        (["--data", "lacking.npz"], "lacking.npz has no column y (found: x)"),
        (["--data", "data.npz", "--weights", "data.npz"], "cannot load weights from data.npz"),
        (["--data", "data.npz", "--save", "x.h5"], "--save takes a name that ends in .weights.h5"),
        (["--data", "data.npz", "--save", "no/x.weights.h5"], "cannot write weights to no/x"),
    ):
        failed = run(*wrong)
        assert failed.returncode == 1 and message in failed.stderr
        assert "Traceback" not in failed.stderr


CLASSIFIER = """
model M { input x: f32[N, 5]
  logits = x -> Dense(8, activation = relu) -> DROP Dense(3)
  output logits, probabilities = softmax(logits) }
train T { net = M()
  batch x: f32[N, 5], y: i64[N]
  logits, _ = net(x)
  minimize LOSS OVER using Adam()
  metric accuracy(logits, y) }
"""


def classifier(loss: str = "cross_entropy(logits, y)", over: str = "", drop: str = "") -> str:
    text = CLASSIFIER.replace("LOSS", loss).replace("OVER", over).replace("DROP", drop)
    return code(text)


def test_fit_where_it_is_enough() -> None:
    plain = classifier()
    assert "net.compile(" in plain and "train_step" not in plain and "tensorflow" not in plain
    assert "def call(self, x):" in plain
    for other in (
        classifier("2 * cross_entropy(logits, y)"),
        classifier(over="over net.dense_2"),
        classifier('cross_entropy(logits, y, reduction = "sum")'),
    ):
        assert "def train_step(self, data):" in other and "net.compile(" not in other


def test_models_ask_whether_this_is_training() -> None:
    """Keras's `fit` tells only those whose `call` has the argument."""
    assert "def call(self, x, training=None):" in classifier(drop="Dropout(0.5) ->")


@pytest.mark.framework
def test_dropout_drops_under_fit(tmp_path: Path) -> None:
    """In training only: with rate 0.9 the two losses of `fit` are far apart."""
    import keras

    runtime = importlib.import_module("codegen.keras.runtime")
    runtime.use("f32")
    keras.utils.set_random_seed(0)
    text = CLASSIFIER.replace("LOSS OVER", "cross_entropy(logits, y)")
    module = module_of(emit(program_of(text.replace("DROP", "Dropout(0.9) ->"))), tmp_path)
    generator = np.random.default_rng(0)
    x = generator.standard_normal((64, 5)) * 20
    net = module.M()
    module.compile_model(net)
    net.optimizer.learning_rate = 0.0
    columns = module.prepare({"x": x, "y": generator.integers(0, 3, 64)})
    history = net.fit(*columns, validation_data=columns, verbose=0).history
    assert abs(history["loss"][0] - history["val_loss"][0]) > 0.5


REMEMBERED = """
block Judge { input x, t
  output binary_cross_entropy(x, t, reduction = "none") }
model M { input x: f32[N, 5], y: f32[N, 5], label: i64[N]
  p = sigmoid(x)
  again = Judge()
  output a = binary_cross_entropy(p, sigmoid(p), reduction = "none"),
         b = cross_entropy(x -> Dense(3, activation = softmax), label, reduction = "none"),
         c = again(x, p) + again(p -> identity -> squeeze, p), d = Judge()(x, y),
         e = cross_entropy(x, label, reduction = "none") }
model Net { input x: f32[N, 5]
  output x -> Dense(3, activation = softmax) }
train T { net = Net()
  batch x: f32[N, 5], y: i64[N]
  scores = net(x)
  minimize cross_entropy(scores, y) using Adam() }
"""


def test_only_losses_of_what_a_sigmoid_may_have_made_are_given_copies() -> None:
    """A shared block is one class, whichever of its uses needs the copy."""
    text = code(REMEMBERED)
    assert text.count("as_logits(") == 1 + 5
    for ordinary in ("y(label, x, from_logits=True)", "y(t, x, from_logits=True)"):
        assert ordinary in text
    assert text.count("self.again(") == 2


@pytest.mark.framework
def test_a_loss_takes_what_a_sigmoid_gave_not_what_it_was_given() -> None:
    """Keras keeps the latter on its results, and its losses, `compile`d ones too, would take it for the former."""
    report = verify(program_of(REMEMBERED), [TARGETS["keras"]], at=SINGLE_STEP)
    assert {r.quantity for r in report.rows} > {"outputs", "loss"}
    assert all(r.agrees for r in report.rows), [r for r in report.rows if not r.agrees]


ALONE = """model M { input x: f32[2, 1, 1, 3], z: f32[2, 5, 1]
  output x -> InstanceNorm, x -> GroupNorm(3), z -> LayerNorm }"""


@pytest.mark.framework
def test_norms_of_a_single_number_leave_no_rounding() -> None:
    """In single precision: it is the offset, whatever the number was."""
    report = verify(program_of(ALONE), [TARGETS["keras"]], at=SINGLE_STEP)
    outputs = [r for r in report.rows if r.quantity == "outputs"]
    assert outputs and all(r.agrees for r in outputs), outputs
