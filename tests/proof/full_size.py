"""`make proof`: networks of specs/zoo at their true size, agreeing on every target.

    python tests/proof/full_size.py --only resnet50 --targets pytorch onnx

Outputs, loss, gradients and the weights after a step, as `nnspec verify --quick` compares them. A network without a
training program is given one. Models and programs are compared one at a time, for the arrays of one take gigabytes.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import nnspec  # noqa: E402
from codegen import TARGETS  # noqa: E402
from nnspec.driver.verify.bench import SINGLE_STEP  # noqa: E402
from nnspec.driver.verify.report import Report  # noqa: E402
from nnspec.driver.verify.run import verify  # noqa: E402
from nnspec.graph.graph import Program  # noqa: E402

SETTINGS = {
    "mobilenet_v2": {},
    "bert": {"depth": 2},
    "gpt2": {"depth": 2},
    "vit_b16": {"depth": 2},
    "resnet50": {},
}
"""The parameters of each that are not its own: of the same layers, two say as much as twelve."""

TRAINED = """
train Trained {{
  net = {model}({arguments})
  batch image: f32[N, 224, 224, 3], label: i64[N]
  minimize cross_entropy(net(image), label) using SGD(0.01, momentum = 0.9)
}}
"""


def spec_of(name: str) -> nnspec.Spec:
    """With a training program."""
    settings = SETTINGS[name]
    spec = nnspec.load(ROOT / "specs" / "zoo" / f"{name}.nn", parameters=settings)
    if spec.program.trainings:
        return spec
    arguments = ", ".join(f"{n} = {v}" for n, v in settings.items())
    added = TRAINED.format(model=spec.models[0].name, arguments=arguments)
    return nnspec.load(spec.source.text + added, parameters=settings)


def parts(program: Program) -> Iterator[tuple[str, Program]]:
    """Each model and each training program alone."""
    for model in program.models:
        yield f"model {model.name}", replace(program, models=(model,), trainings=())
    for training in program.trainings:
        yield f"train {training.name}", replace(program, models=(), trainings=(training,))


def told(report: Report) -> Iterator[str]:
    """A line for each target: the furthest of each quantity."""
    furthest: dict[str, dict[str, float]] = {}
    for row in report.rows:
        of = furthest.setdefault(row.target, {})
        of[row.quantity] = max(of.get(row.quantity, 0.0), row.relative)
    for target, of in furthest.items():
        wrong = [r for r in report.rows if r.target == target and not r.agrees]
        cells = ", ".join(f"{q} {d:.0e}" for q, d in of.items())
        yield f"  {target}: {'DIFFERS' if wrong else 'agrees'}; {cells}"
        yield from (f"    {r.quantity} {r.tensor} {r.relative:.1e}" for r in wrong[:9])
    yield from (f"  skipped {target}: {why}" for target, why in report.skipped.items())
    yield from (f"  first: {c.target} {c.node} {c.relative:.1e}" for c in report.culprits)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", nargs="+", choices=SETTINGS, default=list(SETTINGS))
    parser.add_argument("--targets", nargs="+", choices=TARGETS, default=list(TARGETS))
    given = parser.parse_args()
    right = True
    targets = [TARGETS[t] for t in given.targets]
    for name in given.only:
        for part, program in parts(spec_of(name).program):
            begun = time.time()
            report = verify(program, targets, at=SINGLE_STEP)
            print(
                f"{name}, {part}: {time.time() - begun:.0f} s", *told(report), sep="\n", flush=True
            )
            right &= report.agrees and not report.skipped
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
