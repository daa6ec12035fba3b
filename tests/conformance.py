"""Every example of every op, as a model of its own, judged by the definition in f64."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from graphs import example_graph
from uses import DOMAINS, use, uses

from codegen.target import Emitted, EmittedModel, Target
from nnspec.core.dtypes import DTYPES
from nnspec.driver.generated import load_module
from nnspec.driver.verify import cases
from nnspec.graph.derivative import gradients
from nnspec.graph.evaluate import ArraySite
from nnspec.graph.evaluate.model import Interpreter
from nnspec.graph.graph import Graph, Node, Program
from nnspec.graph.graph import weights as weights_of
from nnspec.graph.weight_map import Array, to_canonical, to_native


@dataclass(frozen=True)
class Case:
    """A model of one op with weights and inputs, all in the language's layout."""

    name: str
    model: Graph
    weights: dict[str, Array]
    inputs: list[Array]
    known: dict[bool, Judged] = field(default_factory=dict)

    @property
    def modes(self) -> tuple[bool, ...]:
        """Evaluation, and training where it differs (what is drawn at random cannot be compared)."""
        ops = [s.op for s in self.model.steps if isinstance(s, Node)]
        differs = any(op.mode and not op.stochastic for op in ops)
        return (False, True) if differs else (False,)

    def expected(self) -> list[Array]:
        """Outputs in evaluation."""
        return self.judged(False).outputs

    def judged(self, training: bool) -> Judged:
        """What the definition says, in f64."""
        if training not in self.known:
            self.known[training] = judge(self, training)
        return self.known[training]


@dataclass(frozen=True)
class Judged:
    """Outputs; by what each is multiplied before all are summed; the sum's gradients.

    inputs: of inputs that hold floats, in order. weights: of trainable ones, by path.
    """

    outputs: list[Array]
    mixture: list[Array]
    inputs: list[Array]
    weights: dict[str, Array]


def judge(case: Case, training: bool) -> Judged:
    """Run the definition, and its derivative."""
    model = case.model
    site = ArraySite(training=training)
    interpreter = Interpreter(site, "f64")
    interpreter.bind(model.inputs, case.inputs)
    weights = weights_of(model)
    for weight in weights:
        interpreter.bind([weight], [case.weights[weight.path]])
    moving = [v for v in model.inputs if v.type.is_float]
    moving += [w for w in weights if w.trainable]
    terms = [interpreter.terms[v] for v in moving]
    for step in model.steps:
        interpreter.step(step)
    outputs = [interpreter.terms[v] for v in model.outputs]
    generator = np.random.default_rng(7)
    mixture = [generator.standard_normal(o.held.shape) for o in outputs]
    total = site.term(np.float64(0))
    for output, factors in zip(outputs, mixture, strict=True):
        if output.type.is_float:
            total = total + site.sum(output * site.term(factors))
    slopes = [g.held for g in gradients(site, total, terms)]
    count = sum(v.type.is_float for v in model.inputs)
    paths = [w.path for w in weights if w.trainable]
    by_path = dict(zip(paths, slopes[count:], strict=True))
    return Judged([o.held for o in outputs], mixture, slopes[:count], by_path)


def case_of(name: str, model: Graph, seed: int = 0) -> Case:
    sizes = cases.symbol_sizes(model.inputs)
    generator = np.random.default_rng(seed)
    inputs = cases.inputs_of(model.inputs, model.steps, sizes, generator)
    first = model.steps[0]
    domains = [o.domain for o in first.op.operands] if isinstance(first, Node) else []
    domains += ["real"] * (len(inputs) - len(domains))
    inputs = [DOMAINS.get(d, lambda a: a)(a) for d, a in zip(domains, inputs, strict=False)]
    inputs = [
        np.asarray(a, DTYPES[v.type.dtype].numpy) for a, v in zip(inputs, model.inputs, strict=True)
    ]
    return Case(name, model, cases.weights_of(model, seed), inputs)


def op_cases() -> Iterator[Case]:
    """Draws are left out: no two frameworks draw alike."""
    for example in uses():
        if not example.op.stochastic or example.op.mode:
            yield case_of(use(example), example_graph(example))


def emitted_text(emitted: Emitted) -> str:
    (text,) = (t for n, t in emitted.files.items() if n.endswith(".py"))
    return str(text)


@dataclass(frozen=True)
class Generated:
    """A case's generated module, its entry, and the case's arrays as the target takes them."""

    case: Case
    module: ModuleType
    entry: EmittedModel

    def weights(self, dtype: str) -> dict[str, Array]:
        return {
            k: _in(a, dtype) for k, a in to_native(self.case.weights, self.entry.weight_map).items()
        }

    def inputs(self, dtype: str) -> list[Array]:
        pairs = zip(self.case.inputs, self.entry.input_layouts, strict=True)
        return [_in(x.there(a), dtype) for a, x in pairs]


def generated(target: Target, case: Case, folder: Path) -> Generated:
    """The case as the target writes it."""
    emitted = target.emit(Program((case.model,)), stem="case", provenance="conformance")
    path = folder / "case.py"
    path.write_text(emitted_text(emitted), encoding="utf-8")
    return Generated(case, load_module(path), emitted.models[case.model])


def _in(array: Array, dtype: str) -> Array:
    """Floats in f64 where that is asked for; else what they are."""
    return array.astype("f8") if dtype == "f64" and array.dtype.kind == "f" else array


def run_case(
    target: Target, runtime: Any, case: Case, folder: Path, dtype: str = "f32"
) -> list[Array]:
    """The outputs of a target, in the language's layout."""
    return outputs_of(generated(target, case, folder), runtime, dtype)


def outputs_of(made: Generated, runtime: Any, dtype: str, training: bool = False) -> list[Array]:
    found = runtime.predict(
        made.module, made.entry.class_name, made.weights(dtype), made.inputs(dtype), training
    )
    return [x.back(a) for a, x in zip(found, made.entry.output_layouts, strict=True)]


Differentiate = Callable[
    [ModuleType, str, dict[str, Array], list[Array], list[Array], bool],
    "tuple[list[Array], list[Array | None], dict[str, Array | None]]",
]
"""Of a framework, in f64: `(module, class, weights, inputs, mixture, training)` to outputs, and gradients of the
sum of outputs times mixture: by inputs that hold floats, in order, and by native weights."""


def check_case(
    target: Target,
    runtime: Any,
    differentiate: Differentiate,
    case: Case,
    folder: Path,
    dtype: str = "f64",
) -> None:
    """In f32 the outputs; in f64, in both modes, outputs and gradients by every float operand and weight.

    dtype: f32 where the framework cannot compute the case in f64.
    """
    bounds = (1e-9, 1e-8) if dtype == "f64" else (2e-5, 1e-4)
    made = generated(target, case, folder)
    same(outputs_of(made, runtime, "f32"), case.expected(), 2e-5)
    entry = made.entry
    for training in case.modes:
        judged = case.judged(training)
        mixture = [x.there(a) for a, x in zip(judged.mixture, entry.output_layouts, strict=True)]
        outputs, by_input, by_weight = differentiate(
            made.module,
            entry.class_name,
            made.weights(dtype),
            made.inputs(dtype),
            mixture,
            training,
        )
        layouts = entry.output_layouts
        same([x.back(a) for a, x in zip(outputs, layouts, strict=True)], judged.outputs, bounds[0])
        layouts = tuple(
            x
            for x, v in zip(entry.input_layouts, case.model.inputs, strict=True)
            if v.type.is_float
        )
        back = [
            np.zeros_like(e) if a is None else x.back(a)
            for a, x, e in zip(by_input, layouts, judged.inputs, strict=True)
        ]
        same(back, judged.inputs, bounds[1])
        native = {k: np.zeros_like(made.weights(dtype)[k]) for k in by_weight}
        native |= {k: a for k, a in by_weight.items() if a is not None}
        entries = tuple(e for e in entry.weight_map if e.path in judged.weights)
        found = to_canonical(native, entries)
        same([found[p] for p in judged.weights], list(judged.weights.values()), bounds[1])


def same(found: Sequence[Array], expected: Sequence[Array], bound: float) -> None:
    for a, b in zip(found, expected, strict=True):
        assert a.shape == b.shape
        if a.dtype == np.float32:  # what is f32 whatever else is f64, such as an accuracy
            bound = max(bound, 1e-6)
        scale = max(1.0, float(np.abs(b).max(initial=0))) if b.dtype.kind == "f" else 1.0
        np.testing.assert_allclose(a, b, rtol=bound, atol=bound * scale)
