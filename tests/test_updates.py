"""What a program says of its updates, written by every target: as the definition has it, in f64."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnspec
from codegen import TARGETS
from nnspec.driver import worker
from nnspec.driver.native import write_module
from nnspec.driver.verify import cases
from nnspec.graph.evaluate.training import TrainingRun
from nnspec.graph.training import Minimize, Training
from nnspec.graph.weight_map import to_canonical, to_native

SPEC = """
## Momentum, and a number of its own.
block Own(lr = 0.1, momentum = 0.9) {
  input w, g, step, m = 0, kept: f32[] = 1, before = 0
  m = momentum * m + g / step
  kept = kept * momentum
  output w = w - lr * m * kept + 0.01 * before, m, kept, before = w
}
block Decayed(lr = 0.1, weight_decay = 0.1) {
  input w, g
  output w = w - lr * (g + weight_decay * w)
}
block Ramp(top, steps) {
  input step
  output top * (step + 1) / steps
}
block Late(top) {
  input step
  late = log(step)
  output where(step > 1, top * late, top) + where(step > 2, top / step, 0.0 * step)
}
block Bent(top) {
  input step
  output top * round(sigmoid(step - 2) * 4)
}
block Part(width) {
  input x
  x = x -> Dense(width) -> BatchNorm -> Dropout(0.5)
  output x[:, none] -> LSTM(width, "last", layers = 2, dropout = 0.5)
}
model M {
  input x: f32[N, 4]
  output y = x -> Part(5) as trunk -> LayerNorm as scale -> relu -> Dense(3) as head
}
train T {
  net = M()
  other = M()
  batch x: f32[N, 4], label: i64[N]
  BODY
}
"""
LOSS = "cross_entropy(net(x), label)"
PROGRAMS = {
    "own": f"frozen = [net.trunk, other]\n minimize {LOSS} using Own(Ramp(0.3, 10))",
    "shared": f"""
      frozen = [net.trunk, other.trunk]
      opt = Own()
      minimize {LOSS} using opt
      for i in range(2) {{ minimize mse(net(x), 0) using opt }}
      minimize mse(net(x) + other(x), 1) over other using opt
    """,
    "adam": f"""
      frozen = [net.trunk, net.scale, other]
      opt = Adam(1e-2)
      minimize {LOSS} over net.head using opt
      minimize mse(net(x), other(x)) over net using opt
    """,
    "scheduled": f"""
      minimize {LOSS} over net.head using Adam(Cosine(1e-2, steps = 9, warmup = 2), weight_decay = 0.1)
      minimize mse(net(x), other(x)) over other.head using SGD(StepDecay(0.1, every = 2), momentum = 0.9)
      frozen = [net.trunk, other.trunk]
    """,
    # The head of `other` is on no way to the loss: it has no gradient, and does not decay.
    "unreached": f"""
      minimize mean(other(x) * 0) + {LOSS} over net using SGD(0.1, weight_decay = 0.1, momentum = 0.9)
      minimize mse(stop_gradient(other(x)), 0) + {LOSS} over net, other using Own()
      frozen = [net.trunk, other.trunk]
    """,
    "loop": f"""
      frozen = [net.trunk, other.trunk]
      given = other(x)
      for _ in range(2) {{
        for _ in range(3) {{ minimize {LOSS} over net using SGD(0.1) }}
        minimize mse(net(x), stop_gradient(given)) over net using Own()
      }}
      minimize mse(given, 1) over other using SGD(0.1)
    """,
    "clipped": f"""
      frozen = [net.trunk, other.trunk]
      minimize {LOSS} using AdamW(1e-2, weight_decay = 0.5, no_decay = [bias, norm], clip_norm = 0.02)
      minimize mse(other(x), 1) using Own(clip_value = 0.01)
    """,
    "clipped at one": f"""
      frozen = [net.trunk, other.trunk]
      minimize 1000 * {LOSS} using SGD(1e-2, clip_norm = 1)
      minimize 1000 * mse(other(x), 1) using Own(clip_value = 1.0)
    """,
    "accumulated": f"""
      frozen = [net.trunk.dropout, net.trunk.lstm, other.trunk, net.trunk.batch_norm]
      minimize {LOSS} over net using SGD(0.1, momentum = 0.9, nesterov = true, weight_decay = 0.3, no_decay = [net.head])
      minimize mse(stop_gradient(net(x)), other(x)) over other using Own(accumulate = 2, clip_norm = 1e-3)
      accumulate = 3
    """,
    "spared": f"""
      frozen = [net.trunk.dropout, net.trunk.lstm, other.trunk, net.trunk.batch_norm]
      minimize {LOSS} over net using Lion(Cosine(1e-2, steps = 5), weight_decay = 0.5, no_decay = [norm, net.head.weight])
      minimize mse(other(x), 1) using Decayed(weight_decay = Ramp(0.5, 4), no_decay = [bias])
    """,
    "average": f"""
      teacher = average(net, decay = 0.75)
      frozen = [net.trunk.dropout, net.trunk.lstm, other, teacher.trunk.dropout, teacher.trunk.lstm]
      minimize {LOSS} + mse(net(x), stop_gradient(teacher(x))) using SGD(0.1, momentum = 0.9)
      metric mse(teacher(x), other(x))
    """,
    "rates": f"""
      frozen = [net.trunk, other.trunk]
      minimize {LOSS} over net.head using AdamW(OneCycle(1e-2, steps = 6), weight_decay = 0.1, accumulate = 2, no_decay = [bias])
      minimize mse(stop_gradient(net(x)), other(x)) over other.head using SGD(Warmup(MultiStep(0.1, milestones = [2, 4]), steps = 3), momentum = 0.9, nesterov = true)
    """,
    "numbers": f"""
      frozen = [net.trunk, other.trunk]
      minimize {LOSS} using Adam(Late(0.01), weight_decay = 0.1)
      minimize {LOSS} over net.head using SGD(Bent(0.1))
      minimize mse(other(x), 1) using Adam(Constant(0.01), beta1 = Constant(0.5), weight_decay = Constant(0.1), no_decay = [norm])
    """,
    "every": f"""
      frozen = [net.trunk.dropout, net.trunk.lstm, other.trunk, net.trunk.batch_norm]
      minimize {LOSS} using SGD(0.1, momentum = 0.9, every = 2)
      minimize mse(net(x), other(x)) over other using Own(every = 3)
    """,
}
STEPS = 6


def job(spec: nnspec.Spec, target: str, folder: Path) -> worker.Train:
    """Six steps of the program in f64."""
    training, emitted = spec.training(), spec.build(target)
    entries = {n.name: emitted.models[n.model] for n in training.networks}
    weights = cases.networks_weights(training, 0)
    classes = tuple((n, e.class_name) for n, e in entries.items())
    minimizes = sum(isinstance(s, Minimize) for s in training.steps)
    request = worker.TrainRequest(
        emitted.programs["T"], classes, ("x", "label"), minimizes, minimizes, (1, STEPS), "f64"
    )
    folder.mkdir(parents=True)
    return worker.Train(
        str(write_module(emitted, folder)),
        request,
        {n: to_native(wide(weights[n]), e.weight_map) for n, e in entries.items()},
        [list(wide(dict(enumerate(b))).values()) for b in cases.batches_of(training, STEPS, 1)],
    )


def defined(training: Training) -> tuple[list[list[float]], dict[str, np.ndarray]]:
    """The same by the definition."""
    weights = {
        (network, path): array
        for network, arrays in cases.networks_weights(training, 0).items()
        for path, array in wide(arrays).items()
    }
    run = TrainingRun(training, weights, "f64")
    batches = cases.batches_of(training, STEPS, 1)
    losses = [run.step(list(wide(dict(enumerate(b))).values())).losses for b in batches]
    after = {f"{network}.{path}": array for (network, path), array in run.weights.items()}
    return [list(map(float, each)) for each in losses], after


def wide(arrays: dict[Any, np.ndarray]) -> dict[Any, np.ndarray]:
    return {k: a.astype("float64") if a.dtype.kind == "f" else a for k, a in arrays.items()}


def canonical(spec: nnspec.Spec, target: str, native: worker.Weights) -> dict[str, np.ndarray]:
    """`net.head.weight` and the like."""
    emitted = spec.build(target)
    return {
        f"{network.name}.{path}": array
        for network in spec.training().networks
        for path, array in to_canonical(
            native[network.name],
            tuple(
                entry
                for entry in emitted.models[network.model].weight_map
                if entry.native in native[network.name]
            ),
        ).items()
    }


@pytest.mark.framework
def test_updates(tmp_path: Path) -> None:
    """Losses of each step and weights are the same everywhere; what is frozen has not moved."""
    specs = {n: nnspec.load(SPEC.replace("BODY", body)) for n, body in PROGRAMS.items()}
    results = {
        target: dict(
            zip(
                specs,
                worker.run(
                    target, [job(s, target, tmp_path / target / n) for n, s in specs.items()]
                ),
                strict=True,
            )
        )
        for target in ("pytorch", "keras", "gluon")
    }
    for name, spec in specs.items():
        training = spec.training()
        begin = {
            f"{network}.{path}": array
            for network, arrays in cases.networks_weights(training, 0).items()
            for path, array in wide(arrays).items()
        }
        frozen = tuple(".".join(path) for path in training.frozen)
        losses, expected = defined(training)
        for target, found in results.items():
            np.testing.assert_allclose(
                found[name]["losses"], losses, rtol=2e-7, err_msg=f"{name} {target}"
            )
            after = canonical(spec, target, found[name]["weights"][str(STEPS)])
            for path, array in expected.items():
                where = f"{name} {target} {path}"
                # MXNet keeps the momentum of a batch norm in single precision.
                np.testing.assert_allclose(after[path], array, 1e-6, 1e-9, err_msg=where)
                if path.startswith(frozen):
                    np.testing.assert_array_equal(after[path], begin[path], err_msg=where)
            assert any(np.abs(after[path] - begin[path]).max() > 1e-3 for path in begin)
    # The first update by the rule, worked out here.
    first = results["keras"]["own"]
    (gradients,) = first["gradients"]
    slope = canonical(specs["own"], "keras", {"other": {}, **gradients})["net.head.bias"]
    moved = canonical(specs["own"], "keras", first["weights"]["1"])["net.head.bias"]
    bias = cases.networks_weights(specs["own"].training(), 0)["net"]["head.bias"].astype("float64")
    np.testing.assert_allclose(moved, bias - 0.03 * slope * 0.9, rtol=1e-9)


def test_a_rule_is_a_class() -> None:
    """With its schedules as methods, its states as attributes; equal ones are one."""
    spec = nnspec.load(SPEC.replace("BODY", PROGRAMS["own"]))
    for target in TARGETS:
        if target == "onnx":
            continue
        (code,) = spec.build(target).files.values()
        assert "class Own(WrittenOptimizer):" in code
        assert "    Own(lr = Ramp(top = 0.3, steps = 10), momentum = 0.9)\n" in code
        assert 'states = ("m", 0.0), ("before", 0.0)\n    numbers = (("kept", 1.0),)' in code
        assert "lr = self.lr_at(step - 1)" in code


def test_no_network_has_the_name_of_a_schedule() -> None:
    body = "minimize cross_entropy(net(x), label) using Adam(Ramp(0.3, 10))"
    text = SPEC.replace("BODY", body).replace("net", "learning_rate")
    for target in ("pytorch", "keras", "gluon"):
        (code,) = nnspec.load(text).build(target).files.values()
        assert "learning_rate_ = M()" in code and "def learning_rate(step):" in code
