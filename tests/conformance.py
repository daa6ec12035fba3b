"""Every example of every op, as a model of its own: what conformance tests of all targets share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
from graphs import example_graph

from codegen.onnx import reference
from codegen.target import Emitted, Target
from nnspec.catalogue.ops import OPS
from nnspec.driver.generated import load_module
from nnspec.driver.verify import cases
from nnspec.graph.graph import Graph, Node, Program
from nnspec.graph.weight_map import Array, to_native


@dataclass(frozen=True)
class Case:
    """A model of one op with weights and inputs, all in the language's layout."""

    name: str
    model: Graph
    weights: dict[str, Array]
    inputs: list[Array]

    def expected(self) -> list[Array]:
        return reference.outputs(self.model, self.weights, self.inputs)


DOMAINS = {
    "positive": lambda a: np.abs(a) + 0.1,
    "nonzero": lambda a: np.where(a < 0, a - 0.1, a + 0.1),
    "unit": lambda a: 1 / (1 + np.exp(-a)),
}
"""Normal numbers as numbers that an operand takes."""


def case_of(name: str, model: Graph, seed: int = 0) -> Case:
    sizes = cases.symbol_sizes(model.inputs)
    generator = np.random.default_rng(seed)
    inputs = cases.inputs_of(model.inputs, model.steps, sizes, generator)
    node = model.steps[0]
    assert isinstance(node, Node)
    domains = [o.domain for o in node.op.operands]
    domains += ["real"] * (len(inputs) - len(domains))
    inputs = [DOMAINS.get(d, lambda a: a)(a) for d, a in zip(domains, inputs, strict=True)]
    inputs = [np.asarray(a, str(a.dtype)) for a in inputs]
    return Case(name, model, cases.weights_of(model, seed), inputs)


def op_cases() -> Iterator[Case]:
    for name, op in sorted(OPS.items()):
        for number, example in enumerate(op.examples()):
            yield case_of(f"{name}-{number}", example_graph(example))


def emitted_text(emitted: Emitted) -> str:
    (text,) = (t for n, t in emitted.files.items() if n.endswith(".py"))
    return str(text)


def run_case(
    target: Target, runtime: Any, case: Case, folder: Any, dtype: str = "f32"
) -> list[Array]:
    """The outputs of a target, in the language's layout."""
    emitted = target.emit(Program((case.model,)), stem="case", provenance="conformance")
    path = folder / "case.py"
    path.write_text(emitted_text(emitted), encoding="utf-8")
    module: ModuleType = load_module(path)
    entry = emitted.models[case.model]
    weights = to_native(case.weights, entry.weight_map)
    inputs = [x.there(a) for a, x in zip(case.inputs, entry.input_layouts, strict=True)]
    if dtype == "f64":
        weights = {k: a.astype("float64") for k, a in weights.items()}
        inputs = [a.astype("float64") if a.dtype.kind == "f" else a for a in inputs]
    found = runtime.predict(module, entry.class_name, weights, inputs, training=False)
    return [x.back(a) for a, x in zip(found, entry.output_layouts, strict=True)]
