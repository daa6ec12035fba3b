"""Random models with weights and inputs, what the definition says of them, and how far a target may be from it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from random_models import Writer

import nnspec
from codegen.onnx import emit as emit_onnx
from codegen.target import EmittedModel, Target
from nnspec.catalogue.ops.ctc import Ctc
from nnspec.catalogue.ops.site import Term
from nnspec.driver import worker
from nnspec.driver.verify import cases
from nnspec.graph.evaluate import ArraySite
from nnspec.graph.evaluate.interpreter import Interpreter
from nnspec.graph.graph import Graph, Node, walk
from nnspec.graph.graph import weights as weights_of
from nnspec.graph.passes.legalize import Legality, legalize
from nnspec.graph.passes.widen import Widening
from nnspec.graph.weight_map import Array, to_native
from nnspec.report.diagnostics import SpecError

SMALL, LARGE = 1e-6, 1e6
"""Between them are the largest elements of all values; where they are not, the model is drawn anew."""

NOISE = {"f64": 1e-12, "f32": 1e-6}
"""What each value is moved by, of its size, to see how much of that reaches the outputs."""

DRAWS = 4
"""Of the noise: one alone may not show a jump."""

BOUND = {"f64": 1e-9, "f32": 1e-5}
STEEPEST = 1e-3
"""A model whose outputs move by more, at the noise of f32, is drawn anew: it has a jump there."""


class Unfit(Exception):
    """The model's values leave the range, or it is too steep to be compared."""


@dataclass
class Noisy(Interpreter):
    """The definition with noise on what each op gives; without noise, it looks after the range of values."""

    noise: float = 0.0
    chance: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    def node(self, node: Node, operands: Sequence[Term]) -> tuple[Term, ...]:
        if isinstance(node.op, Ctc) and (operands[1].held == node.op.blank).any():
            raise Unfit("a label is the blank")
        results = super().node(node, operands)
        # onnxruntime's sigmoid is right to the same number of places however small it is.
        least = 0.1 if node.op.name == "sigmoid" else 0.0
        return tuple(self._moved(t, least) if t.type.is_float else t for t in results)

    def _moved(self, term: Term, least: float) -> Term:
        array = term.held
        if not self.noise:
            _check(array)
            return term
        noise = self.noise * self.chance.standard_normal(array.shape)
        # Within an op there may be what stands for nothing, as outside a window.
        moved = array + np.where(np.isfinite(array), noise * np.maximum(np.abs(array), least), 0)
        return self.site.term(np.asarray(moved, array.dtype))


def _check(array: Array) -> None:
    """Raises `Unfit`."""
    if not np.isfinite(array).all() or not array.size:
        raise Unfit("not finite")
    largest = np.abs(array).max()
    if largest > LARGE or 0 < largest < SMALL:
        raise Unfit("out of range")


def _refuse(node: Node) -> SpecError:
    raise AssertionError(f"{node.op.name} has no parts")


APART = Legality(lambda node: node.op.is_layer() or node.op.is_primitive(), _refuse)
"""Functions as what they are made of: rounding within one is rounding too, as of `1 - x` where `x` is nearly 1."""


@dataclass(frozen=True)
class Case:
    """A model as text and graph, with canonical weights, inputs, and outputs by the definition in f64.

    moved: by precision, for each output, how far noise moves it. coarse: something in it is f32 whatever the rest is, so all of it is run so.
    """

    text: str
    program: Any
    model: Graph
    weights: dict[str, Array]
    inputs: list[Array]
    expected: list[Array]
    moved: dict[str, list[float]]
    coarse: bool

    def wrong(self, found: Sequence[Array], precision: str) -> list[str]:
        """Names of outputs that are not what the definition says."""
        precision = "f32" if self.coarse else precision
        names = []
        for name, a, b, moved in zip(
            self.model.output_names, found, self.expected, self.moved[precision], strict=True
        ):
            bound = max(BOUND[precision], 10 * moved)
            if a.shape != b.shape or _difference(a, b) > bound:
                names.append(str(name))
        return names


def _difference(a: Array, b: Array) -> float:
    """The largest, of the size of the whole."""
    if b.dtype.kind != "f":
        return float((a != b).mean()) if b.size else 0.0
    scale = max(float(np.abs(b).max(initial=0)), SMALL)
    return float(np.nan_to_num(np.abs(a - b), nan=np.inf).max(initial=0)) / scale


def case_of(text: str, seed: int = 0) -> Case:
    """A text of one model, evaluated; raises `Unfit`."""
    spec = nnspec.load(text)
    [model] = spec.program.models
    sizes = cases.symbol_sizes(model.inputs)
    inputs = cases.inputs_of(model.inputs, model.steps, sizes, np.random.default_rng(seed))
    weights = cases.weights_of(model, seed)

    apart = legalize(model, APART)

    def run(noise: float, draw: int = 0) -> tuple[list[Array], bool]:
        interpreter = Noisy(ArraySite(), "f64", noise=noise)
        interpreter.chance = np.random.default_rng(draw)
        interpreter.bind(model.inputs, inputs)
        for weight in weights_of(model):
            interpreter.bind([weight], [weights[weight.path]])
        graph = apart if noise else model
        for step in graph.steps:
            interpreter.step(step)
        coarse = any(t.dtype == "f32" for t in interpreter.terms.values())
        return [interpreter.terms[v].held for v in graph.outputs], coarse

    expected, coarse = run(0.0)
    moved = {precision: [0.0] * len(expected) for precision in NOISE}
    for precision, noise in NOISE.items():
        for draw in range(DRAWS):
            pairs = zip(run(noise, draw)[0], expected, strict=True)
            further = [_difference(a, b) for a, b in pairs]
            moved[precision] = list(map(max, moved[precision], further))
    if max(moved["f32"]) > STEEPEST:
        raise Unfit("too steep")
    coarse |= any(map(_is_f32_whatever, walk(Widening().graph(model))))
    return Case(text, spec.program, model, weights, inputs, expected, moved, coarse)


def _is_f32_whatever(node: Node) -> bool:
    """Whether a result is f32 although all that could be is f64."""
    types = [v.type for v in node.inputs]
    return not node.op.hidden and any(t.dtype == "f32" for t in node.op.infer(*types))


def drawn(seed: str, steps: int) -> tuple[Writer, Case]:
    """The first model of a seed that can be compared."""
    for attempt in range(100):
        writer = Writer(f"{seed}/{attempt}", steps)
        try:
            return writer, case_of(writer.text("Model"))
        except Unfit:
            continue
    raise Unfit(f"seed {seed} has no model")


def onnx_outputs(case: Case) -> list[Array]:
    """By onnxruntime in f32; the file is clean for the checker."""
    emitted = emit_onnx(
        case.program, stem="x", provenance="t", layout="nhwc", weights={case.model: case.weights}
    )
    (content,) = (c for n, c in emitted.files.items() if n.endswith(".onnx"))
    assert isinstance(content, bytes)
    onnx.checker.check_model(onnx.load_from_string(content), full_check=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    pairs = zip(session.get_inputs(), case.inputs, strict=True)
    found: list[Array] = session.run(None, {i.name: a for i, a in pairs})
    return found


@dataclass(frozen=True)
class Request:
    """A case as a Python target wrote it, to be run in f64 in the target's process.

    case: in single precision where the target has something in it in no other.
    """

    case: Case
    entry: EmittedModel
    job: worker.Predict

    def outputs(self, arrays: Sequence[Array]) -> list[Array]:
        """What came back, in the language's order of axes."""
        return [x.back(a) for a, x in zip(arrays, self.entry.output_layouts, strict=True)]

    def wrong(self, found: Sequence[Array]) -> list[str]:
        """Names of outputs that are not what the definition says."""
        return self.case.wrong(found, "f64")


def request(target: Target, case: Case, path: Path) -> Request:
    """Write the module to `path`; raises `SpecError` where the target cannot have the model."""
    widening = Widening()
    case = replace(case, coarse=case.coarse or _is_coarse(target, case.model))
    program, model = case.program, case.model
    if not case.coarse:
        program, model = widening.program(program), widening.graph(model)
    emitted = target.emit(program, stem="case", provenance="proof")
    [text] = (t for n, t in emitted.files.items() if n.endswith(".py"))
    path.write_text(str(text), encoding="utf-8")
    entry = emitted.models[model]
    wide = (lambda a: a) if case.coarse else _wide
    native = {k: wide(a) for k, a in to_native(case.weights, entry.weight_map).items()}
    pairs = zip(case.inputs, entry.input_layouts, strict=True)
    inputs = [wide(x.there(a)) for a, x in pairs]
    return Request(case, entry, worker.Predict(str(path), entry.class_name, native, inputs))


def _is_coarse(target: Target, model: Graph) -> bool:
    """Whether outputs have the digits of f32 only, by the target's own list of faults."""
    faults = [f for f in target.faults if "outputs in training" in f.quantities]
    return any(f.concerns(node.op) for f in faults for node in walk(model))


def answers(target: Target, requests: Sequence[Request]) -> Iterator[list[Array] | str]:
    """Outputs of each in order, or why there are none: what ends a process is looked for by halves."""
    try:
        results = worker.run(target.name, [r.job for r in requests])
    except worker.WorkerError as error:
        if len(requests) == 1:
            yield str(error)
            return
        half = len(requests) // 2
        yield from answers(target, requests[:half])
        yield from answers(target, requests[half:])
        return
    for one, arrays in zip(requests, results, strict=True):
        yield one.outputs(arrays)


def _wide(array: Array) -> Array:
    return array.astype("f8") if array.dtype.kind == "f" else array
