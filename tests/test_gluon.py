"""The Gluon target: every way to run a generated model gives the same, and its programs train."""

from __future__ import annotations

import ast
import inspect
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conformance import case_of

import nnspec
from codegen import gluon
from codegen.gluon.records import moves_once
from codegen.gluon.reshape import reshape_codes
from nnspec.catalogue.ops.base import Example
from nnspec.catalogue.ops.convolution import ConvTranspose2D
from nnspec.compiler import load
from nnspec.core.dims import symbol
from nnspec.core.types import TensorType
from nnspec.driver.generated import load_module
from nnspec.graph.graph import Graph, Program, walk
from nnspec.graph.single import single
from nnspec.graph.weight_map import to_native
from nnspec.report.diagnostics import SpecError

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted([*(ROOT / "specs").glob("digits_*.nn"), *(ROOT / "tests/cases/gluon").glob("*.nn")])
N, T = symbol("N"), symbol("T")


@cache
def program_of(path: Path) -> Program:
    return load(path)


def emitted(path: Path, style: Any) -> gluon.Emitted:
    return gluon.emit(
        program_of(path), stem=path.stem, provenance=f"From {path.name}.", style=style
    )


def models() -> Iterator[Any]:
    for path in FILES:
        for model in program_of(path).models:
            yield pytest.param(path, model, id=f"{path.stem}-{model.name}")


# The text.


@pytest.mark.parametrize("style", ["block", "symbol"])
@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_text_is_tidy(path: Path, style: str, tmp_path: Path) -> None:
    ((name, text),) = emitted(path, style).files.items()
    file = tmp_path / name
    file.write_text(str(text))
    for arguments in (["format", "--diff"], ["check", "--select", "E4,E7,E9,F,I"]):
        command = [sys.executable, "-m", "ruff", *arguments, "--isolated", str(file)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout
    assert emitted(path, style).files == {name: text}
    assert _imported(str(text)) <= {"mxnet", "numpy", *sys.stdlib_module_names}
    # Its gradient writes beyond its array.
    assert "SequenceLast" not in str(text)


def _imported(text: str) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").partition(".")[0])
    return found


# Every way to run a model.


@pytest.mark.framework
@pytest.mark.parametrize(("path", "model"), models())
def test_ways_to_run(path: Path, model: Graph, tmp_path: Path) -> None:
    from codegen.gluon import runtime

    mx = runtime.mx
    case = case_of(model.name, model)
    block, inputs, native = _module(path, "block", case, tmp_path)
    symbol_module, _, symbol_native = _module(path, "symbol", case, tmp_path)
    entry = emitted(path, "block").models[model]
    function = emitted(path, "symbol").models[model].class_name

    expected = runtime.predict(block, entry.class_name, native, inputs)
    for found in (
        runtime.predict(symbol_module, function, symbol_native, inputs),
        *_other_ways(runtime, getattr(block, entry.class_name), native, inputs, tmp_path),
    ):
        assert len(found) == len(expected)
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)
    assert mx.nd.waitall() is None


def _module(
    path: Path, style: str, case: Any, folder: Path
) -> tuple[Any, list[Any], dict[str, Any]]:

    made = emitted(path, style)
    ((name, text),) = made.files.items()
    (folder / name).write_text(str(text))
    entry = made.models[case.model]
    inputs = [x.there(a) for a, x in zip(case.inputs, entry.input_layouts, strict=True)]
    return load_module(folder / name), inputs, to_native(case.weights, entry.weight_map)


def _other_ways(
    runtime: Any, model: Any, native: Any, inputs: list[Any], folder: Path
) -> Iterator[list[Any]]:
    """Hybridized; called with symbols; exported and loaded again, for another batch too."""
    mx = runtime.mx
    arrays = [runtime.to_array(a) for a in inputs]

    def numbers(outputs: Any) -> list[Any]:
        return [a.asnumpy() for a in runtime._flat(outputs)]

    symbols = [mx.sym.var(f"input_{i}") for i in range(len(arrays))]
    net = runtime.network(model, native)
    graph = runtime._flat(net(*symbols))
    pure = mx.gluon.SymbolBlock(mx.sym.Group(graph), symbols, params=net.collect_params())
    yield numbers(pure(*arrays))

    net = runtime.network(model, native)
    net.hybridize()
    yield numbers(net(*arrays))
    net.export(str(folder / "net"))
    names = ["data"] if len(arrays) == 1 else [f"data{i}" for i in range(len(arrays))]
    again = mx.gluon.SymbolBlock.imports(
        str(folder / "net-symbol.json"), names, str(folder / "net-0000.params")
    )
    yield numbers(again(*arrays))
    again(*(a[:1] for a in arrays))


@pytest.mark.framework
@pytest.mark.parametrize(("path", "model"), models())
def test_another_device(path: Path, model: Graph, tmp_path: Path) -> None:
    """Everything that a network makes is made where its inputs are: `cpu(1)` is another device to MXNet."""
    from codegen.gluon import runtime

    mx = runtime.mx
    case = case_of(model.name, model)
    block, inputs, _ = _module(path, "block", case, tmp_path)
    there = mx.cpu(1)
    net = getattr(block, emitted(path, "block").models[model].class_name)()
    net.initialize(ctx=there)
    with mx.autograd.record():
        outputs = runtime._flat(net(*(runtime.to_array(a).as_in_context(there) for a in inputs)))
    assert {o.context for o in outputs} == {there}
    mx.nd.waitall()


@pytest.mark.framework
@pytest.mark.parametrize(("path", "model"), models())
def test_gradients(path: Path, model: Graph, tmp_path: Path) -> None:
    """Imperative, hybridized, and of the symbol graph."""
    from codegen.gluon import runtime

    mx = runtime.mx

    case = case_of(model.name, model)
    if any(node.op.stochastic for node in walk(model)):
        pytest.skip("draws at random")
    block, inputs, native = _module(path, "block", case, tmp_path)
    arrays = [mx.nd.array(a, dtype=a.dtype) for a in inputs]
    entry = emitted(path, "block").models[model]
    found = []
    for hybrid in (False, True):
        net = runtime.network(getattr(block, entry.class_name), native)
        if hybrid:
            net.hybridize()
        with mx.autograd.record():
            outputs = runtime._flat(net(*arrays))
            loss = sum((o * o).sum() for o in outputs if o.dtype == np.float32)
        loss.backward()
        parameters = net._collect_params_with_prefix()
        found.append(
            {
                w.path: w.to_canonical(parameters[w.native].grad().asnumpy())
                for w in entry.weight_map
                if parameters[w.native].grad_req != "null"
            }
        )
    found.append(_symbol_gradients(path, case, inputs, tmp_path))
    first = found[0]
    for other in found[1:]:
        for name, gradient in first.items():
            scale = np.abs(gradient).max() + 1e-3
            np.testing.assert_allclose(other[name] / scale, gradient / scale, atol=2e-4)


def _symbol_gradients(path: Path, case: Any, inputs: list[Any], folder: Path) -> dict[str, Any]:
    from codegen.gluon import runtime

    mx = runtime.mx
    module, _, native = _module(path, "symbol", case, folder)
    entry = emitted(path, "symbol").models[case.model]
    function = getattr(module, entry.class_name)
    graph, names = function(), list(inspect.signature(function).parameters)
    arguments, states = runtime._split(graph, native)
    data = {n: mx.nd.array(a, dtype=a.dtype) for n, a in zip(names, inputs, strict=True)}
    gradients = {n: mx.nd.zeros_like(a) for n, a in arguments.items()}
    bound = graph.bind(mx.cpu(), {**arguments, **data}, args_grad=gradients, aux_states=states)
    outputs = bound.forward(is_train=True)
    bound.backward([2 * o for o in outputs])
    return {
        w.path: w.to_canonical(gradients[w.native].asnumpy())
        for w in entry.weight_map
        if w.native in gradients
    }


@pytest.mark.framework
@pytest.mark.parametrize("style", ["block", "symbol"])
def test_params_file(style: str, tmp_path: Path) -> None:
    from codegen.gluon import runtime

    path = ROOT / "tests/cases/gluon/corners.nn"
    model = program_of(path).models[1]
    case = case_of(model.name, model)
    module, inputs, native = _module(path, style, case, tmp_path)
    entry = emitted(path, style).models[model]
    file = tmp_path / "net.params"
    runtime.save_native(module, entry.class_name, native, file)
    loaded = runtime.load_native(module, entry.class_name, file)
    assert native.keys() <= loaded.keys()
    for name, array in native.items():
        np.testing.assert_array_equal(loaded[name], array)
    kinds = {n.partition(":")[0] for n in runtime.mx.nd.load(str(file)) if ":" in n}
    assert kinds == ({"arg", "aux"} if style == "symbol" else set())


# Training.


@pytest.mark.framework
@pytest.mark.parametrize("name", ["digits_dcgan", "digits_lstm"])
def test_program_runs(name: str, tmp_path: Path) -> None:
    files = emitted(ROOT / f"specs/{name}.nn", "block").files
    script = tmp_path / f"{name}_gluon.py"
    script.write_text(str(files[script.name]))
    generator = np.random.default_rng(0)
    data = {
        f"{part}{column}": array
        for part, count in (("", 10), ("validation_", 5))
        for column, array in (
            ("image", generator.random((count, 28, 28, 1), dtype="float32")),
            ("label", generator.integers(0, 10, count)),
        )
    }
    np.savez(tmp_path / "data.npz", **data)  # type: ignore[arg-type]
    options = ["--data", "data.npz", "--epochs", "2", "--batch-size", "4"]
    done = _run(script, *options, "--save", "out.params")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split(" - ")[0] for line in lines] == ["epoch 1/2", "epoch 2/2"]
    assert all("val_" in line for line in lines)
    assert _run(script, *options, "--save", "again.params").stdout == done.stdout
    assert _run(script, *options, "--weights", "out.params").returncode == 0

    failed = _run(script, "--data", "nothing.npz")
    assert failed.returncode == 1
    assert "cannot read nothing.npz" in failed.stderr
    assert "Traceback" not in failed.stderr
    failed = _run(script, *options, "--weights", "data.npz")
    assert failed.returncode == 1
    assert "cannot load data" in failed.stderr
    assert "Traceback" not in failed.stderr


def _run(script: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, script.name, *options],
        cwd=script.parent,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.framework
@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("name", ["Adam", "Nesterov"])
def test_optimizers(name: str, decay: float, tmp_path: Path) -> None:
    """Ten steps with small and large gradients against the formulas of the language."""
    from codegen.gluon import runtime

    mx = runtime.mx
    from codegen.gluon.snippets import optimizers

    made = optimizers.Adam(learning_rate=0.01, wd=decay)
    if name == "Nesterov":
        made = optimizers.NAG(decay, learning_rate=0.01, momentum=0.9)
    generator = np.random.default_rng(0)
    weight = generator.standard_normal((3, 4))
    parameter = mx.gluon.Parameter("w", shape=(3, 4), dtype="float64")
    parameter.initialize(mx.init.Zero())
    parameter.set_data(mx.nd.array(weight, dtype="float64"))
    trainer = mx.gluon.Trainer([parameter], made)
    mean = square = velocity = np.zeros((3, 4))
    for t in range(1, 11):
        gradient = generator.standard_normal((3, 4)) * 10.0 ** generator.integers(-9, 1, (3, 4))
        with mx.autograd.record():
            loss = (parameter.data() * mx.nd.array(gradient, dtype="float64")).sum()
        loss.backward()
        trainer.step(1)
        g = gradient + decay * weight
        if name == "Adam":
            mean = 0.9 * mean + 0.1 * g
            square = 0.999 * square + 0.001 * g * g
            root = np.sqrt(square / (1 - 0.999**t)) + 1e-8
            weight = weight - 0.01 * mean / (1 - 0.9**t) / root
        else:
            velocity = 0.9 * velocity + g
            weight = weight - 0.01 * (g + 0.9 * velocity)
        np.testing.assert_allclose(parameter.data().asnumpy(), weight, rtol=1e-6)


def test_functions_are_defined_once() -> None:
    """Blocks, training steps and symbols call one definition, each with its own operators."""
    path = ROOT / "tests/cases/gluon/stand_in.nn"
    (text,) = map(str, emitted(path, "block").files.values())
    assert text.count("def softplus(F, x)") == 1
    assert "softplus(F, " in text.partition("class Chosen")[2]
    step = text.partition("def train_step(")[2].partition("\ndef ")[0]
    assert "softplus(nd, " in step
    assert "F." not in step
    (text,) = map(str, emitted(path, "symbol").files.values())
    assert text.count("def softplus(F, x)") == 1
    assert "softplus(mx.sym, " in text


def test_records() -> None:
    gan, _ = program_of(ROOT / "tests/cases/gluon/gan.nn").trainings
    plain = program_of(ROOT / "specs/digits_cnn.nn").trainings[0]
    assert moves_once(plain)
    assert not moves_once(gan)  # the critic is applied twice before it
    text = str(emitted(ROOT / "tests/cases/gluon/gan.nn", "block").files["gan_gluon.py"])
    assert "class BatchNorm(nn.BatchNorm)" in text
    assert "hybridize()" not in text
    assert text.count("retain_graph=True") == 1
    # What is read after the last update needs no record, but the network still trains.
    text = str(emitted(ROOT / "tests/cases/gluon/late.nn", "block").files["late_gluon.py"])
    assert "    with autograd.train_mode():\n        after = net(x)\n    return" in text


# What cannot be said.


def test_reshape_codes() -> None:
    assert reshape_codes((N, 28, 28, 1), (N, 28, 28)) == (0, 28, 28)
    assert reshape_codes((N, T, 6), (N, T, 2, 3)) == (0, 0, 2, 3)
    assert reshape_codes((N, T, 6), (N * T, 6)) == (-1, 6)
    assert reshape_codes((N, T, 2, 3), (N, T * 2, 3)) == (0, -1, 3)
    assert reshape_codes((N, T * 2, 3), (N, T, 2, 3)) == (0, -1, 2, 3)
    assert reshape_codes((T, N, 4), (T * N, 4)) == (-1, 4)
    assert reshape_codes((N * T, 4), (N, T, 4)) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "input x: f32[M, 4], y: f32[N, T]\n output reshape(x @ reshape(x, [4, M]), [M, M]),"
            " z = reshape(y, [T, N])",
            "more than one size",
        ),
        (
            'input x: f32[N, H, 8, 3]\n output y = x -> Conv2D(4, 3, stride = 2, padding = "same")',
            "depends on the size H",
        ),
        ("input x: f32[N, 4]\n output y = cast(x, bf16)", "bf16: MXNet .* no such arrays"),
    ],
)
def test_unsupported(text: str, reason: str) -> None:
    program = nnspec.load(f"model Unsayable {{ {text} }}").program
    with pytest.raises(SpecError, match=f"E0704.*{reason}"):
        gluon.emit(program, stem="m", provenance="")


SLOPE = """
block slope(critic) {{
  input x
  g = grad(sum(critic(x)), x)
  output mean(g * g)
}}
model Critic {{
  input x: f32[N, 4, 3]
  back = {back}
  output score = x -> back -> Dense(1)
}}
train T {{
  D = Critic()
  {setting}
  batch x: f32[N, 4, 3]
  s = sum(D(x))
  minimize mean(D(x)) + slope(x, D) using SGD(0.1)
  metric slope = {metric}
}}
"""


def test_a_derivative_is_a_function() -> None:
    """One for all that read alike, called with the weights of the network; what was only derived is not applied."""
    spec = SLOPE.format(back="Dense(8) -> tanh", setting="", metric="slope(0.5 * x, D)")
    (text,) = nnspec.load(spec).build("gluon").files.values()
    assert text.count("def d_derivative(F, ") == 1
    assert text.count("d_derivative(") == 1 + 2 * 2
    body = text.partition("def d_derivative(")[2].partition("\n\n\n")[0]
    step = text.partition("def train_step(")[2].partition("\n\n\n")[0]
    assert step.count("D(x)") == 2  # `s`, and the score; not for the derivatives
    assert step.count("D.back.dense.weight.data()") == 2
    assert "* 1" not in body and "1 *" not in body
    ast.parse(text)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"back": "Dense(8) -> Dropout(0.5)"}, "`Dropout` on the way to the loss draws anew"),
        ({"back": "Dense(8) -> BatchNorm"}, "`BatchNorm` .* something else in evaluation"),
        ({"back": "LSTM(4)"}, "through `LSTM`: MXNet keeps its weights to itself"),
        ({"metric": "mean(grad(s, x))"}, "weights on the way to the loss are updated before it"),
    ],
)
def test_derivatives_that_are_refused(changed: dict[str, str], reason: str) -> None:
    given = {"back": "Dense(8)", "setting": "", "metric": "slope(x, D)", **changed}
    with pytest.raises(SpecError, match=f"E0704.*{reason}"):
        nnspec.load(SLOPE.format(**given)).build("gluon")
    if "Norm" in str(changed) or "Drop" in str(changed):
        assert nnspec.load(SLOPE.format(**{**given, "setting": "frozen = [D.back]"})).build("gluon")


def test_stale_weights_are_refused() -> None:
    program = nnspec.load(
        """
        model M { input x: f32[N, 4] output y = Dense(1)(x) }
        train P {
          m = M()
          batch x: f32[N, 4], t: f32[N, 1]
          y = m(x)
          minimize mse(y, t) using SGD(0.1)
          minimize mse(y * 2, t) using SGD(0.1)
          data = digits()
        }
        """
    ).program
    with pytest.raises(SpecError, match="as it was before an update"):
        gluon.emit(program, stem="m", provenance="")


@pytest.mark.framework
@pytest.mark.parametrize("stride", [(2, 2), (3, 1)])
@pytest.mark.parametrize("padding", ["valid", "same"])
def test_dilated_strides(stride: tuple[int, int], padding: str, tmp_path: Path) -> None:
    """MXNet's own are wrong in f64."""
    from types import SimpleNamespace

    from conformance import run_case

    from codegen.gluon import runtime

    op = ConvTranspose2D(2, (3, 3), stride=stride, padding=padding, dilation=(2, 2))
    case = case_of("transpose", single(Example(op, (TensorType("f32", (N, 5, 4, 3)),))))
    symbols: Any = SimpleNamespace(emit=lambda p, **k: gluon.emit(p, style="symbol", **k))
    for target in (gluon, symbols):
        for dtype in ("f32", "f64"):
            (found,) = run_case(target, runtime, case, tmp_path, dtype)
            np.testing.assert_allclose(found, case.expected[0], rtol=2e-5, atol=2e-5)


# A broken installation.


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            "raise OSError('libgomp.so.1: cannot open shared object file')",
            "apt-get install libgomp1",
        ),
        ("raise AttributeError('module numpy has no attribute bool')", "numpy below 2"),
        ("raise ModuleNotFoundError('No module', name='mxnet')", 'pip install "nnspec[gluon]"'),
    ],
)
def test_import_failures(source: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "mxnet").mkdir()
    (tmp_path / "mxnet/__init__.py").write_text(source)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    done = subprocess.run(
        [sys.executable, "-c", "import codegen.gluon.runtime"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr
