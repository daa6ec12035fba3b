"""Generated PyTorch as a program: run on data, its weights saved and loaded, its steps taken in order."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import nnspec
from codegen import TARGETS
from codegen.jobs import TrainRequest, TrainResult
from codegen.target import Emitted
from nnspec.compiler import compile_source
from nnspec.driver.generated import load_module
from nnspec.driver.verify import cases
from nnspec.graph.evaluate import evaluate_model
from nnspec.graph.graph import Program
from nnspec.graph.weight_map import to_canonical, to_native
from nnspec.report.diagnostics import Reporter, SpecError
from nnspec.report.source import Source

GOLDEN = Path(__file__).parent / "cases" / "golden"


def program_of(text: str) -> Program:
    reporter = Reporter()
    program = compile_source(Source("<text>", text), reporter)
    reporter.raise_errors()
    return program


def emit(text: str) -> Emitted:
    return TARGETS["pytorch"].emit(program_of(text), stem="case", provenance="A test.")


def code(emitted: Emitted) -> str:
    (text,) = emitted.files.values()
    return str(text)


def module_of(emitted: Emitted, folder: Path) -> ModuleType:
    path = folder / "case_pytorch.py"
    path.write_text(code(emitted), encoding="utf-8")
    return load_module(path)


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
    over F using Adam(lr = 0.05)
  minimize binary_cross_entropy(F(fake), 1) over G using SGD(lr = 0.1, momentum = 0.9)
}
"""


def gan(folder: Path, stop: str) -> TrainResult:
    runtime = importlib.import_module("codegen.pytorch.runtime")
    program = program_of(GAN.replace("STOP", stop))
    emitted = TARGETS["pytorch"].emit(program, stem="case", provenance="A test.")
    (training,) = program.trainings
    networks = cases.networks_weights(training, 0)
    classes, functions = (("G", "Maker"), ("F", "Judge")), emitted.programs["Gan"]
    request = TrainRequest(functions, classes, ("real", "z"), 2, 2, (1, 3), "f64")
    weights = {
        n.name: to_native(
            {p: a.astype("float64") for p, a in networks[n.name].items()},
            emitted.models[n.model].weight_map,
        )
        for n in training.networks
    }
    batches = [[a.astype("float64") for a in b] for b in cases.batches_of(training, 3, 1)]
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
    assert result.losses == other.losses
    for one, two in zip(result.gradients, other.gradients, strict=True):
        for network, arrays in one.items():
            for name, array in arrays.items():
                np.testing.assert_array_equal(array, two[network][name])


@pytest.mark.framework
def test_a_gan_by_hand(tmp_path: Path) -> None:
    """The first step, worked out with PyTorch's functions and no generated code."""
    import torch
    from torch.nn import functional as F

    program = program_of(GAN.replace("STOP", "stop_gradient(fake)"))
    (training,) = program.trainings
    weights = cases.networks_weights(training, 0)
    g, f = (
        {k: torch.tensor(a, dtype=torch.float64, requires_grad=True) for k, a in w.items()}
        for w in weights.values()
    )
    real, z = (torch.tensor(a, dtype=torch.float64) for a in next(cases.batches_of(training, 1, 1)))

    def judge(x: torch.Tensor) -> torch.Tensor:
        h = F.relu(F.linear(x, f["dense.weight"], f["dense.bias"]))
        return F.linear(h, f["dense_2.weight"], f["dense_2.bias"])

    x = F.linear(z, g["dense.weight"], g["dense.bias"])
    x = (x - x.mean(0)) / (x.var(0, correction=0) + 1e-5).sqrt()
    x = torch.tanh(x * g["batch_norm.weight"] + g["batch_norm.bias"])
    fake = F.linear(x, g["dense_2.weight"], g["dense_2.bias"])
    first = F.softplus(-judge(real)).mean() + F.softplus(judge(fake.detach())).mean()
    optimizer = torch.optim.Adam(f.values(), lr=0.05)
    first.backward()
    optimizer.step()
    second = F.softplus(-judge(fake)).mean()
    result = gan(tmp_path, "stop_gradient(fake)")
    np.testing.assert_allclose(result.losses[0], [first.item(), second.item()], rtol=1e-12)
    variance = result.weights["1"]["G"]["batch_norm.running_var"]
    hidden = F.linear(z, g["dense.weight"], g["dense.bias"]).var(0, correction=0)
    expected = 0.9 * g["batch_norm.running_var"] + 0.1 * hidden
    np.testing.assert_allclose(variance, expected.detach(), rtol=1e-6)


def test_a_gradient_through_old_weights_is_refused() -> None:
    with pytest.raises(SpecError, match="PyTorch cannot express a gradient through `net`"):
        emit(
            """
            model M { input x: f32[N, 3]
              h = x -> Dense(4)
              output a = h -> Dense(1), b = h -> Dense(1) }
            train T { net = M()
              batch x: f32[N, 3]
              a, b = net(x)
              minimize mse(a, 0) using SGD(lr = 0.1)
              minimize mse(b, 1) using SGD(lr = 0.1) }
            """
        )


@pytest.mark.framework
@pytest.mark.parametrize("name", ["language_model", "siamese", "resnet", "names"])
def test_weights_survive_the_file(name: str, tmp_path: Path) -> None:
    """Canonical to native, into a file, out of it, and back."""
    runtime = importlib.import_module("codegen.pytorch.runtime")
    program = program_of((GOLDEN / f"{name}.nn").read_text())
    emitted = TARGETS["pytorch"].emit(program, stem="case", provenance="A test.")
    module = module_of(emitted, tmp_path)
    (model,) = program.models
    entry = emitted.models[model]
    weights = cases.weights_of(model, 3)
    native = to_native(weights, entry.weight_map)
    path = tmp_path / "weights.safetensors"
    runtime.save_native(module, entry.class_name, native, path)
    found = to_canonical(runtime.load_native(module, entry.class_name, path), entry.weight_map)
    assert set(found) == set(weights)
    for key, array in weights.items():
        np.testing.assert_array_equal(found[key], array)


@pytest.mark.framework
def test_the_program_runs(tmp_path: Path) -> None:
    """As a command, with several programs and networks; bad files end in one line, not a traceback."""
    text = (GOLDEN / "two_programs.nn").read_text()
    program = tmp_path / "case_pytorch.py"
    program.write_text(code(emit(text)), encoding="utf-8")
    generator = np.random.default_rng(0)
    x, y = generator.standard_normal((30, 5), "float32"), generator.integers(0, 3, 30)
    np.savez(tmp_path / "data.npz", x=x, y=y, validation_x=x, validation_y=y)
    np.savez(tmp_path / "lacking.npz", x=x)
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04 nothing more")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, program.name, *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    plain = run("--data", "data.npz", "--save", "plain.safetensors")
    assert plain.returncode == 0, plain.stderr
    assert len(plain.stdout.splitlines()) == 20 and (tmp_path / "plain.safetensors").exists()
    both = run("--program", "Distilled", "--data", "data.npz", "--save", "two.safetensors")
    assert both.returncode == 0, both.stderr
    assert both.stdout.startswith("epoch 1/2 - loss_1: ")
    assert "val_taught: " in both.stdout and "val_accuracy: " in both.stdout
    assert (tmp_path / "two-student.safetensors").exists()
    again = ["--program", "Distilled", "--data", "data.npz", "--weights", "two.safetensors"]
    assert run(*again).returncode == 0
    for wrong, message in (
        (["--data", "absent.npz"], "cannot read absent.npz"),
        (["--data", "broken.npz"], "cannot read broken.npz"),
        (["--data", "lacking.npz"], "lacking.npz has no column y (found: x)"),
        (["--data", "data.npz", "--weights", "data.npz"], "cannot load weights from data.npz"),
        (["--data", "data.npz", "--save", "no/where"], "cannot write weights to no/where"),
    ):
        failed = run(*wrong)
        assert failed.returncode == 1 and message in failed.stderr
        assert "Traceback" not in failed.stderr


@pytest.mark.framework
def test_initial_weights(tmp_path: Path) -> None:
    """A fresh module begins as the language has it."""
    import torch

    torch.manual_seed(0)
    module = module_of(
        emit(
            """
            model M { input x: f32[N, 5, 40], ids: i64[N]
              weight free: f32[3] = constant(2.0)
              h = x -> LSTM(30, returns = "last") -> Dense(50, bias_initializer = ones())
              e = ids -> Embedding(200, 50)
              output y = (h + e) -> Dense(60, use_bias = false, kernel_initializer = orthogonal()), z = free }
            """
        ),
        tmp_path,
    )
    net = module.M()
    state = {k: v.detach().numpy() for k, v in net.state_dict().items()}
    limit = np.sqrt(6 / (30 + 50))
    assert 0.95 * limit < np.abs(state["dense.weight"]).max() <= limit
    assert (state["dense.bias"] == 1).all() and (state["free"] == 2).all()
    np.testing.assert_allclose(state["embedding.weight"].std(), 0.02, rtol=0.05)
    kernel = state["dense_2.weight"]
    np.testing.assert_allclose(kernel.T @ kernel, np.eye(50), atol=1e-5)
    recurrent = state["lstm.weight_hh_l0"]
    np.testing.assert_allclose(recurrent.T @ recurrent, np.eye(30), atol=1e-5)
    assert (state["lstm.bias_hh_l0"] == 0).all()
    assert (state["lstm.bias_ih_l0"] == np.repeat([0, 1, 0, 0], 30)).all()


def test_shared_blocks() -> None:
    """Instances that differ in numbers share a class; the parameter that has those numbers gives its name.

    What one of them leaves to the framework is the parameter's default.
    """
    text = code(
        emit(
            """
            block Unit(width, rate = 0.5) { input x
              output x -> Dense(width) -> Dropout(rate) -> Dense(width, use_bias = width > 4) }
            model M { input x: f32[N, 4]
              output y = x -> Unit(4) -> Unit(4, rate = 0.1) -> Unit(8) -> Unit(6, rate = 0.1) }
            """
        )
    )
    assert "class Unit(nn.Module):" in text and "class Unit2(nn.Module):" not in text
    assert "in_features: int, width: int, rate: float, bias: bool = True):" in text
    assert "self.unit_2 = Unit(4, 4, rate=0.1, bias=False)" in text
    assert "self.unit_4 = Unit(8, 6, rate=0.1)" in text


def test_a_number_and_one_for_each_axis_share_a_class() -> None:
    text = code(
        emit(
            """
            block Unit(kernel, padding) { input x
              output x -> Conv2D(3, kernel, padding = padding) }
            model M { input x: f32[N, 8, 8, 3]
              output y = x -> Unit(3, 1) -> Unit((1, 7), ((0, 0), (3, 3))) -> Unit(1, "valid") }
            """
        )
    )
    assert "kernel: int | tuple[int, int]" in text and "padding: int | tuple[int, int] = 0" in text
    assert "self.unit_2 = Unit((1, 7), padding=(0, 3))" in text
    assert "self.unit_3 = Unit(1)" in text


def test_models_that_differ_in_a_number_share_a_class() -> None:
    text = code(
        emit(
            """
            model Net(classes = 1000) { input x: f32[N, 4]
              output y = x -> Dense(classes) }
            train Fit { net = Net(classes = 10)
              batch x: f32[N, 4], y: i64[N]
              minimize cross_entropy(net(x), y) using SGD }
            train Tune { net = Net(classes = 7)
              batch x: f32[N, 4], y: i64[N]
              minimize cross_entropy(net(x), y) using SGD }
            """
        )
    )
    assert text.count("nn.Linear(") == 1
    assert "def __init__(self, classes: int = 10):" in text
    assert "class NetClasses7(Net):" in text and "super().__init__(classes=7)" in text


def test_loops_and_what_prevents_them() -> None:
    text = code(
        emit(
            """
            block Gate { input x, memory
              output x * sigmoid(memory -> Dense(4)) }
            model M { input x: f32[N, 4], memory: f32[N, 4]
              layers = [Dense(4), Dense(4), Dense(4)]
              a = x
              for layer in layers { a = relu(layer(a)) }
              b = (a -> Dense(4, activation = tanh) * 3) + a
              output y = b }
            """
        )
    )
    assert "for layer in self.layers:\n            a = F.relu(layer(a))" in text
    assert text.count("for dense in self.denses:") == 1
    assert text.count("nn.ModuleList([nn.Linear(4, 4) for _ in range(3)])") == 2


@pytest.mark.framework
@pytest.mark.parametrize("size", [(7, 8), (10, 5)])
def test_same_at_any_size(size: tuple[int, int], tmp_path: Path) -> None:
    """How much is padded is worked out when the network is applied."""
    program = program_of(
        "model M { input x: f32[N, H, W, 3]\n"
        '  x = x -> Conv2D(4, 3, stride = 2, padding = "same") -> relu\n'
        '  x = x -> AvgPool2D(3, 2, padding = "same") -> MaxPool2D(3, 2, padding = "same")\n'
        '  x = x -> ConvTranspose2D(3, (4, 2), stride = (1, 3), padding = "same")\n'
        "  output y = x -> global_avg_pool }\n"
    )
    (model,) = program.models
    emitted = TARGETS["pytorch"].emit(program, stem="case", provenance="A test.")
    entry = emitted.models[model]
    weights = cases.weights_of(model, 0)
    x = np.random.default_rng(0).normal(size=(2, *size, 3)).astype("f4")
    (expected,) = evaluate_model(model, [x], weights, precision="f64").outputs
    runtime = importlib.import_module("codegen.pytorch.runtime")
    native = to_native(weights, entry.weight_map)
    (found,) = runtime.predict(
        module_of(emitted, tmp_path), entry.class_name, native, [x.transpose(0, 3, 1, 2)]
    )
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_states_that_nobody_reads_have_no_names() -> None:
    """Ruff refuses `sequence, state = self.gru(x)` where the state leads nowhere."""
    spec = nnspec.load(
        "model M {\ninput x: f32[N, T, 6]\n"
        'x, _ = x -> GRU(6, returns = "all")\n_, h, _ = x -> LSTM(6, returns = "all")\noutput h\n}\n'
    )
    (text,) = spec.build("pytorch").files.values()
    assert "sequence, _ = self.gru(x)" in text
    assert "_, (state, _) = self.lstm(sequence)" in text
