"""The layout pass: transposes only where the order of elements matters, and the same numbers."""

from __future__ import annotations

import numpy as np
import pytest

import nnspec
from codegen.onnx.module import build
from nnspec.core.dims import substitute
from nnspec.driver.verify import cases
from nnspec.graph.graph import Graph, walk
from nnspec.graph.passes.layout import lower
from nnspec.graph.weight_map import Reorder


def model(body: str, inputs: str = "image: f32[N, 9, 7, 3]") -> Graph:
    return nnspec.load(f"model A {{\n  input {inputs}\n  {body}\n}}\n").model().graph


def transposes(graph: Graph) -> int:
    return sum(n.op.name == "transpose" for n in walk(lower(graph).graph))


BODIES = {
    "conv, dense": ("output y = image -> Conv2D(4, 3) -> relu -> flatten -> Dense(5)", 0),
    "batch norm": ("output y = image -> Conv2D(4, 3) -> flatten -> BatchNorm -> Dense(5)", 0),
    "softmax over channels": ("output y = image -> Conv2D(4, 3) -> softmax", 0),
    "concat": ("output y = image -> (Conv2D(4, 1) | Conv2D(2, 1)) -> concat", 0),
    "concat of rows": ("a = image -> Conv2D(4, 1)\n  output y = concat(a, a, axis = 1)", 0),
    "mean over the image": ("output y = mean(image -> Conv2D(4, 3), axis = [1, 2])", 0),
    "mean over channels": ("output y = mean(image -> Conv2D(4, 3), axis = -1)", 0),
    "mean over rows": ("output y = mean(image -> Conv2D(4, 3), axis = 1)", 1),
    "kept": ("output y = sum(image -> Conv2D(4, 3), axis = 3, keepdims = true)", 0),
    "bias of channels": ("weight b: f32[4] = normal(1.0)\n  output y = (image -> Conv2D(4, 3)) + b", 0),
    "bias of columns": (
        "weight b: f32[5, 4] = normal(1.0)\n  output y = (image -> Conv2D(4, 3)) + b", 1),
    "flatten to output": ("output y = image -> Conv2D(4, 3) -> flatten", 1),
    "slice": ("y = image -> Conv2D(4, 3)\n  output z = y[:, 1:-1, ::2, 1:]", 0),
    "slice away rows": ("y = image -> Conv2D(4, 3)\n  output z = y[:, 0]", 1),
    "slice away channels": ("y = image -> Conv2D(4, 3)\n  output z = y[..., 0]", 0),
    "dense on an image": ("output y = image -> Conv2D(4, 3) -> Dense(5)", 1),
    "global": ("output y = image -> Conv2D(4, 3) -> global_avg_pool -> Dense(5)", 0),
    "one channel": ("output y = reshape(image -> Conv2D(1, 3), [N, 7, 5])", 0),
    "matmul": ("y = image -> Conv2D(4, 3)\n  output z = y @ transpose(y)", 2),
    "no image": ("output y = reshape(image, [N, 63, 3]) -> Dense(4)", 0),
}  # fmt: skip


@pytest.mark.parametrize("name", BODIES)
def test_numbers_and_transposes(name: str) -> None:
    body, most = BODIES[name]
    graph = model(body)
    assert transposes(graph) <= most
    _same(graph)


def test_blocks_stay_blocks() -> None:
    text = (
        'block Residual(n) {\n  input x\n  output x + (x -> Conv2D(n, 3, padding = "same") -> BatchNorm)\n}\n'
        "model A {\n  input image: f32[N, 8, 6, 4]\n  output y = image -> Residual(4) * 3 -> flatten -> Dense(2)\n}\n"
    )
    graph = nnspec.load(text).model().graph
    assert transposes(graph) == 0
    assert len(lower(graph).graph.steps) == len(graph.steps)
    _same(graph)


def test_a_shared_dense_is_not_reordered() -> None:
    graph = model(
        "d = Dense(5)\n  a = image -> Conv2D(4, 3) -> flatten -> d\n"
        "  output b = a + (image -> Conv2D(4, 3) -> flatten -> d)"
    )
    assert not lower(graph).reorders
    _same(graph)


def test_reorder_is_a_bijection() -> None:
    reorder = Reorder(1, (3, 4, 5), (2, 0, 1))
    array = np.random.default_rng(0).random((2, 60))
    assert (reorder.undo(reorder.apply(array)) == array).all()
    image = array[0].reshape(3, 4, 5)
    assert (reorder.apply(array)[0] == image.transpose(2, 0, 1).ravel()).all()


def _same(graph: Graph) -> None:
    """The channels-first graph against the same graph with its boundary left as the language has it."""
    from onnx.reference import ReferenceEvaluator

    weights = cases.weights_of(graph, 0)
    sizes = cases.symbol_sizes(graph.inputs)
    inputs = cases.inputs_of(graph.inputs, graph.steps, sizes, np.random.default_rng(0))
    found = {}
    for images_first in (True, False):
        lowered = lower(graph, images_first=images_first)
        proto = build(lowered, opset=20, metadata={}).filled(weights)
        feeds = {
            i.name: layout.there(a)
            for i, a, layout in zip(proto.graph.input, inputs, lowered.input_layouts, strict=True)
        }
        outputs = ReferenceEvaluator(proto).run(None, feeds)
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
