"""The layout pass: `cases/layout/<name>.nn` and, beside it, the physical graph; and the same numbers.

`make golden` writes the expected files anew; the review is the diff. What is not shown in them: places in
the spec and weights.
"""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnxruntime import InferenceSession
from uses import of_ops, uses

import nnspec
from codegen import TARGETS
from codegen.onnx.model import build
from codegen.onnx.operator_sets import operator_set
from nnspec.catalogue.ops.base import Example
from nnspec.compiler import load
from nnspec.core.dims import substitute
from nnspec.core.orders import Form, lay
from nnspec.core.types import TensorType
from nnspec.driver.verify import cases
from nnspec.graph.graph import Graph, weights
from nnspec.graph.layouts import Layout
from nnspec.graph.passes.layout import Lowered, lower
from nnspec.graph.passes.legalize import legalize
from nnspec.graph.passes.verify_graph import verify_graph
from nnspec.graph.weight_map import Reorder
from nnspec.views.stages import show_graph

FOLDER = Path(__file__).parent / "cases" / "layout"
SPECS = sorted(FOLDER.glob("*.nn"))
UPDATE = bool(os.environ.get("NNSPEC_UPDATE_GOLDEN"))


@pytest.mark.parametrize("spec", SPECS, ids=lambda p: p.stem)
def test_case(spec: Path) -> None:
    (graph,) = load(spec).models
    lowered = lower(graph)
    verify_graph(lowered.graph, "the layout pass")
    expected = spec.with_suffix(".txt")
    if UPDATE:
        expected.write_text(shown(lowered), encoding="utf-8")
    assert shown(lowered) == expected.read_text(encoding="utf-8")
    _same(graph)


def shown(lowered: Lowered) -> str:
    """The physical graph, the layouts of its inputs and outputs, and what happens to weights."""
    graph = lowered.graph
    names = [v.name for v in graph.inputs], graph.output_names
    layouts = lowered.input_layouts, lowered.output_layouts
    sides = (
        ", ".join(f"{n} {x}" for n, x in zip(*side, strict=True))
        for side in zip(names, layouts, strict=True)
    )
    steps = [line.partition("  # ")[0] for line in show_graph(graph).splitlines()]
    paths = {w.path for w in weights(graph)}
    steps = [s for s in steps if s.strip().partition(":")[0] not in paths]
    turns = [f"{path}: {turn}" for path, (turn,) in sorted(lowered.reorders.items())]
    return "\n".join([" -> ".join(sides), *steps, *turns]) + "\n"


@of_ops(uses())
def test_every_op_says_how_it_looks_in_any_order(example: Example) -> None:
    """For operands that lie in every order, the op as it then is gives the types that it promises."""
    op, inputs = example.op, example.inputs
    outputs = op.infer(*inputs)
    ranks = {x.rank for x in inputs if x.rank}
    for order in itertools.permutations(range(max(ranks, default=0))):
        forms = tuple(Form(order if x.rank == len(order) else tuple(range(x.rank))) for x in inputs)
        turned = op.reordered(forms, inputs, outputs)
        if turned is None:
            continue
        taken = [_lying(x, form) for x, form in zip(inputs, turned.inputs, strict=True)]
        given = [_lying(y, form) for y, form in zip(outputs, turned.outputs, strict=True)]
        assert given == (taken if turned.op is None else list(turned.op.infer(*taken))), order


def _lying(x: TensorType, form: Form) -> TensorType:
    shape = (1,) * (len(form.order) - x.rank) + x.shape
    return x.with_shape(lay(shape, form.order))


def test_reorder_is_a_bijection() -> None:
    reorder = Reorder(1, (3, 4, 5), (2, 0, 1))
    array = np.random.default_rng(0).random((2, 60))
    assert (reorder.undo(reorder.apply(array)) == array).all()
    image = array[0].reshape(3, 4, 5)
    assert (reorder.apply(array)[0] == image.transpose(2, 0, 1).ravel()).all()


@pytest.mark.parametrize("text", ("NCHW", "NHWC", "NCDHW", "NWHC"))
def test_a_layout_is_read_back(text: str) -> None:
    layout = Layout.read(text, len(text))
    assert layout is not None and str(layout) == text
    array = np.random.default_rng(0).random(range(2, 2 + len(text)))
    assert (layout.back(layout.there(array)) == array).all()


def _same(graph: Graph) -> None:
    """The channels-first graph against the same graph with its boundary left as the language has it."""
    arrays = cases.weights_of(graph, 0)
    sizes = cases.symbol_sizes(graph.inputs)
    inputs = cases.inputs_of(graph.inputs, graph.steps, sizes, np.random.default_rng(0))
    found = {}
    for images_first in (True, False):
        lowered = lower(legalize(graph, operator_set(20).legality), images_first=images_first)
        proto = build(lowered, opset=20).filled(arrays)
        feeds = {
            i.name: layout.there(a)
            for i, a, layout in zip(proto.graph.input, inputs, lowered.input_layouts, strict=True)
        }
        session = InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
        outputs = session.run(None, feeds)
        found[images_first] = [
            layout.back(o) for o, layout in zip(outputs, lowered.output_layouts, strict=True)
        ]
    expected = _promised(graph)
    for first, second, shape in zip(found[True], found[False], expected, strict=True):
        assert first.shape == second.shape == shape
        np.testing.assert_allclose(first, second, rtol=1e-5, atol=1e-6)


def _promised(graph: Graph) -> list[tuple[int, ...]]:
    """Shapes that the language promises for the inputs of the test."""
    sizes = cases.symbol_sizes(graph.inputs)
    return [tuple(int(str(substitute(d, sizes))) for d in v.type.shape) for v in graph.outputs]


BOTH = """
model Critic {
  input image: f32[N, 8, 8, 3]
  output score = image -> flatten -> Dense(1)
}
model Judge {
  input image: f32[N, 8, 8, 3]
  output score = image -> Conv2D(4, 3) -> flatten -> Dense(1)
}
"""


def test_every_layout_is_said() -> None:
    """Of two models that take an image, one takes it as the spec has it, and says so."""
    program = nnspec.load(BOTH).program
    for target, orders in (
        ("pytorch", ("[N, 8, 8, 3] (as in the spec)", "[N, 3, 8, 8] (NCHW)")),
        ("keras", ("[N, 8, 8, 3] (as in the spec)", "[N, 8, 8, 3] (NHWC)")),
    ):
        emitted = TARGETS[target].emit(program, stem="both", provenance="test")
        (text,) = emitted.files.values()
        assert all(f"image {order} -> score [N, 1]" in str(text) for order in orders)
    models = TARGETS["onnx"].emit(program, stem="both", provenance="test").files
    said = {
        (name, entry.key): entry.value
        for name, file in models.items()
        for entry in onnx.load_from_string(bytes(file)).metadata_props
    }
    assert said["both_critic.onnx", "nnspec.layout.image"] == "as in the spec"
    assert said["both_judge.onnx", "nnspec.layout.image"] == "NCHW"
    assert said["both_judge.onnx", "nnspec.layout.score"] == "as in the spec"
