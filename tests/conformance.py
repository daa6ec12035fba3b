"""Every example of every op, as a model of its own, judged by the definition in f64."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from deviations import note
from uses import DOMAINS, uses

from codegen.target import Emitted, EmittedModel, Target
from nnspec.core.dtypes import DTYPES
from nnspec.core.types import TensorType
from nnspec.driver.generated import load_module
from nnspec.driver.verify import cases, definition
from nnspec.driver.verify.definition import Derived
from nnspec.graph.graph import Graph, Node, Program, Value
from nnspec.graph.passes.widen import Widening
from nnspec.graph.single import single
from nnspec.graph.weight_map import Array, to_canonical, to_native
from nnspec.views.reference.written import use


@dataclass(frozen=True)
class Case:
    """A model of one op with weights and inputs, all in the language's layout."""

    name: str
    model: Graph
    weights: dict[str, Array]
    inputs: list[Array]
    known: dict[bool, Derived] = field(default_factory=dict)

    @property
    def op(self) -> str:
        """The name of the op."""
        (step,) = self.model.steps
        assert isinstance(step, Node)
        return step.op.name

    @property
    def modes(self) -> tuple[bool, ...]:
        """Evaluation, and training where it differs (what is drawn at random cannot be compared)."""
        ops = [s.op for s in self.model.steps if isinstance(s, Node)]
        differs = any(op.modal and not op.stochastic for op in ops)
        return (False, True) if differs else (False,)

    @cached_property
    def expected(self) -> list[Array]:
        """Outputs in evaluation, by the definition in f64."""
        return definition.outputs(self.model, self.weights, self.inputs)

    @cached_property
    def projections(self) -> list[Array]:
        """By what each output is multiplied before all are summed and derived."""
        return definition.projections(self.model, self.expected, seed=7)

    def derived(self, training: bool) -> Derived:
        """What the definition says, in f64."""
        if training not in self.known:
            self.known[training] = definition.derived(
                self.model, self.weights, self.inputs, self.projections, training
            )
        return self.known[training]


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


@cache
def op_cases() -> tuple[Case, ...]:
    """The same for every target. Draws are left out: no two frameworks draw alike."""
    kept = (e for e in uses() if not e.op.stochastic or e.op.modal)
    models = ((use(example), single(example)) for example in kept)
    return tuple(case_of(name, m if m.inputs else with_input(m)) for name, m in models)


def with_input(model: Graph) -> Graph:
    """The model with an input that it hands back: Keras and MXNet call nothing that is given nothing."""
    x = Value(TensorType("f32", (3,)), "x")
    names = (*model.output_names, "handed_back")
    return replace(model, inputs=(x,), outputs=(*model.outputs, x), output_names=names)


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


def generated(target: Target, case: Case, folder: Path, dtype: str = "f32") -> Generated:
    """The case as the target writes it, all that is f32 in f64 where that is asked for."""
    model = Widening().graph(case.model) if dtype == "f64" else case.model
    emitted = target.emit(Program((model,)), stem="case", provenance="conformance")
    path = folder / f"case_{dtype}.py"
    path.write_text(emitted_text(emitted), encoding="utf-8")
    return Generated(case, load_module(path), emitted.models[model])


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


def check_case(
    target: Target,
    runtime: Any,
    case: Case,
    folder: Path,
    dtype: str = "f64",
) -> None:
    """In f32 the outputs; in f64, in both modes, outputs and gradients by every float operand and weight.

    dtype: f32 where the framework cannot compute the case in f64.
    """
    bounds = (1e-9, 1e-8) if dtype == "f64" else (2e-5, 1e-4)
    made = generated(target, case, folder)
    same(outputs_of(made, runtime, "f32"), case.expected, 2e-5)
    made = generated(target, case, folder, dtype)
    entry = made.entry
    for training in case.modes:
        expected = case.derived(training)
        layouts = entry.output_layouts
        found = runtime.differentiate(
            made.module,
            entry.class_name,
            made.weights(dtype),
            made.inputs(dtype),
            [x.there(a) for a, x in zip(case.projections, layouts, strict=True)],
            training,
        )
        outputs = [x.back(a) for a, x in zip(found["outputs"], layouts, strict=True)]
        entries = tuple(e for e in entry.weight_map if e.path in expected.weights)
        by_path = to_canonical(found["weights"], entries)
        gradients = [
            (x.back(a), b)
            for a, x, b in zip(found["inputs"], entry.input_layouts, expected.inputs, strict=True)
            if b is not None
        ] + [(by_path[p], b) for p, b in expected.weights.items()]
        same(outputs, expected.outputs, bounds[0])
        same([a for a, _ in gradients], [b for _, b in gradients], bounds[1])
        for a, b in zip(outputs, expected.outputs, strict=True):
            note(target.name, case.op, "training" if training else "outputs", a, b)
        for a, b in gradients:
            note(target.name, case.op, "gradients", a, b)


def same(found: Sequence[Array], expected: Sequence[Array], bound: float) -> None:
    for a, b in zip(found, expected, strict=True):
        assert a.shape == b.shape
        if a.dtype == np.float32:  # what is f32 whatever else is f64, such as an accuracy
            bound = max(bound, 1e-6)
        scale = max(1.0, float(np.abs(b).max(initial=0))) if b.dtype.kind == "f" else 1.0
        np.testing.assert_allclose(a, b, rtol=bound, atol=bound * scale)
