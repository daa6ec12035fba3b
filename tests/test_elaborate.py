"""What specs mean: names, sharing, blocks, loops, symbolic sizes, published sizes."""

from __future__ import annotations

import math

import numpy as np
import pytest

import nnspec
from nnspec.graph.evaluate.model import evaluate_model
from nnspec.graph.graph import Call, Graph, Node, walk, weights
from nnspec.report.diagnostics import SpecError


def graph(text: str, name: str | None = None, **parameters: object) -> Graph:
    return nnspec.load(text, **parameters).model(name).graph


def model(body: str, inputs: str = "x: f32[N, 8]") -> Graph:
    return graph(f"model A {{\n  input {inputs}\n  {body}\n}}\n")


def paths(found: Graph) -> list[str]:
    return [w.path for w in weights(found)]


def parameters(found: Graph) -> int:
    return sum(math.prod(int(str(d)) for d in w.type.shape) for w in weights(found))


@pytest.mark.parametrize(
    ("spec", "name", "count"),
    [
        ("digits_cnn", None, 693_962),  # the Keras and Gluon tutorials' CNN
        ("digits_mlp", None, 203_530),  # 784-256-10
        ("digits_convnet", None, 34_826),  # keras.io: Simple MNIST convnet
        ("digits_autoencoder", None, 28_353),  # keras.io: Convolutional autoencoder
        ("digits_lstm", None, 4 * 64 * (28 + 64 + 1) + 650),
    ],
)
def test_published_parameter_counts(spec: str, name: str | None, count: int) -> None:
    assert parameters(nnspec.load(f"specs/{spec}.nn").model(name).graph) == count


def test_unbound_layers_are_numbered_in_their_scope() -> None:
    found = model("output y = x -> Dense(3) -> relu -> Dense(4) -> Dense(5)")
    assert [n.layer for n in walk(found) if n.layer] == ["dense", "dense_2", "dense_3"]


def test_a_bound_layer_is_one_layer() -> None:
    found = model("d = Dense(8)\n  a = d(x)\n  output y = d(a)")
    assert paths(found) == ["d.weight", "d.bias"]
    first, second = (n for n in walk(found) if n.layer == "d")
    assert first.weights[0] is second.weights[0]


def test_inline_layers_are_not_shared() -> None:
    found = model("output y = (x -> Dense(8)) + (x -> Dense(8))")
    assert len(paths(found)) == 4


def test_repeat_clones_and_numbers() -> None:
    text = (
        "block Layer(n) {\n  input x\n  output x + (x -> Dense(n) -> Dense(n))\n}\n"
        "model A(depth = 3) {\n  input x: f32[N, 8]\n  output y = x -> Layer(8) * depth\n}\n"
    )
    found = graph(text)
    assert [s.layer for s in found.steps if isinstance(s, Call)] == [
        "layer.0",
        "layer.1",
        "layer.2",
    ]
    assert "layer.2.dense_2.weight" in paths(found)
    assert len(paths(graph(text, depth=5))) == 20


def test_editing_a_block_renames_nothing_outside() -> None:
    head = "block B {{\n  input x\n  output x -> Dense(8){}\n}}\n"
    tail = "model A {\n  input x: f32[N, 8]\n  output y = x -> B -> Dense(4)\n}\n"
    before = paths(graph(head.format("") + tail))
    after = paths(graph(head.format(" -> Dense(8)") + tail))
    assert set(before) < set(after)


def test_composition_is_a_scope() -> None:
    found = model("stem = Dense(8) -> relu -> Dense(4)\n  output y = x -> stem")
    assert paths(found)[0] == "stem.dense.weight"
    (call,) = found.steps
    assert isinstance(call, Call) and call.body.kind == "sequence"


def test_parallel_and_destructuring() -> None:
    found = model("a, b = x -> (Dense(3) | Dense(5))\n  output y = concat(a, b)")
    assert str(found.outputs[0].type) == "f32[N, 8]"
    joined = model("output y = x -> (Dense(3) | Dense(5) | identity) -> concat")
    assert str(joined.outputs[0].type) == "f32[N, 16]"


def test_tied_weights() -> None:
    text = (
        "model A {\n  input t: i64[N, T]\n  embed = Embedding(11, 4)\n"
        "  output y = embed(t) @ transpose(embed.weight)\n}\n"
    )
    found = graph(text)
    assert paths(found) == ["embed.weight"]
    assert str(found.outputs[0].type) == "f32[N, T, 11]"


def test_symbolic_sizes_go_through_arithmetic() -> None:
    found = model("output y = x -> Conv2D(4, 3, stride = 2)", "x: f32[N, H, W, 3]")
    assert str(found.outputs[0].type) == "f32[N, (H - 3) // 2 + 1, (W - 3) // 2 + 1, 4]"
    halves = model("output y = reshape(x, [N, T, 2, 4])", "x: f32[N, T, 8]")
    assert str(halves.outputs[0].type) == "f32[N, T, 2, 4]"


def test_loops_conditions_and_functions() -> None:
    found = model(
        "for i, width in zip(range(3), [4, 5, 6]) {\n    x = x -> Dense(width)\n"
        "    if i == 1 { x = relu(x) } else if i > 5 { x = tanh(x) }\n  }\n  output x"
    )
    assert [n.op.name for n in walk(found)] == ["Dense", "Dense", "relu", "Dense"]
    assert str(found.outputs[0].type) == "f32[N, 6]"


def test_numbers_and_lists_of_tensors_are_worked_out_when_compiling() -> None:
    found = model(
        "sizes = [x, 2 * x]\n  for i, y in enumerate(sizes) { x = x + i * sqrt(4) * y }\n"
        "  x = reshape(x, x.shape[:-1] + [len(sizes), floor(pi)])\n  output x -> exp",
        "x: f32[N, 6]",
    )
    numbers = [n.op.value for n in walk(found) if n.op.name == "constant"]
    assert numbers == [2, 0.0, 2.0]
    assert str(found.outputs[0].type) == "f32[N, 2, 3]"


def test_lists_of_numbers_beside_tensors_are_tensors() -> None:
    found = model(
        "output y = (x - [0.5, 0.25, 1]) @ [[1, 2], [3, 4], [5, 6]], m = maximum(n, range(2)),"
        " k = tensor([[7, 8]])",
        "x: f32[N, 3], n: i64[N, 2]",
    )
    tables = [(n.op.values, n.op.dtype) for n in walk(found) if n.op.name == "tensor"]
    assert tables == [
        ((0.5, 0.25, 1), "f32"),
        (((1, 2), (3, 4), (5, 6)), "f32"),
        ((0, 1), "i64"),
        (((7, 8),), "f32"),
    ]
    assert [str(v.type) for v in found.outputs] == ["f32[N, 2]", "i64[N, 2]", "f32[1, 2]"]


def test_a_layer_given_to_a_block_is_its_own() -> None:
    text = (
        "block Twice(inner: layer) {\n  input x\n  output x -> inner -> inner\n}\n"
        "model A {\n  input x: f32[N, 8]\n  output y = x -> Twice(Dense(8))\n}\n"
    )
    assert paths(graph(text)) == ["twice.inner.weight", "twice.inner.bias"]


def test_a_block_that_borrows_a_layer_dissolves() -> None:
    text = (
        "block Use(inner: layer) {\n  input x\n  output x -> inner -> Dense(8)\n}\n"
        "model A {\n  input x: f32[N, 8]\n  d = Dense(8)\n"
        "  output y = d(x) -> Use(d) -> Use(d)\n}\n"
    )
    found = graph(text)
    assert all(isinstance(s, Node) for s in found.steps)
    assert paths(found)[:2] == ["d.weight", "d.bias"]
    assert len(paths(found)) == 6


def test_doc_comments_reach_the_graph() -> None:
    found = graph(
        "## What it is.\nmodel A {\n  input x: f32[N, 8]\n  ## Why.\n  y = relu(x)\n  output y\n}\n"
    )
    assert found.doc == "What it is."
    assert found.steps[0].doc == "Why."


def test_models_in_models() -> None:
    text = (
        "model Inner {\n  input x: f32[N, 8]\n  output y = x -> Dense(3)\n}\n"
        "model Outer {\n  input x: f32[M, 8]\n  output z = x -> Inner -> relu\n}\n"
    )
    outer = graph(text, "Outer")
    assert paths(outer) == ["inner.weight", "inner.bias"] or paths(outer)[0].startswith("inner.")
    assert str(outer.outputs[0].type) == "f32[M, 3]"


def test_training_reaches_what_the_loss_reaches() -> None:
    training = nnspec.load("specs/digits_dcgan.nn").training()
    from nnspec.graph.training import Minimize

    first, second = (s for s in training.steps if isinstance(s, Minimize))
    assert first.over == (("D",),) and second.over == (("G",),)
    single = nnspec.load("specs/digits_cnn.nn").training()
    (update,) = (s for s in single.steps if isinstance(s, Minimize))
    assert update.over == (("net",),)


def test_unknown_parameter() -> None:
    with pytest.raises(SpecError, match="E0705"):
        nnspec.load("specs/digits_cnn.nn", clases=3)


def test_ten_thousand_layers() -> None:
    lines = "\n".join("x = x -> Dense(8, activation = relu)" for _ in range(2000))
    assert len(paths(model(f"{lines}\n  output x"))) == 4000
    long = "x" + " -> relu" * 5000
    assert len(model(f"output y = {long}").steps) == 5000


def test_functions_of_numbers_and_of_tensors() -> None:
    """A name that both have is the catalogue's where there is a tensor."""
    text = (
        "model M {\n  input x: f32[N, 4]\n  n = sum([1, 2]) + abs(-3)\n"
        "  output y = x -> Dense(n, activation = abs) -> abs, s = abs(x), t = x -> sum(axis = 1)\n}\n"
    )
    graph = nnspec.load(text).model("M").graph
    assert [str(v.type) for v in graph.outputs] == ["f32[N, 6]", "f32[N, 4]", "f32[N]"]


def test_a_slice_may_end_at_a_size() -> None:
    text = (
        "model M {\n  input x: f32[N, T, 8]\n  weight table: f32[100, 8] = normal(0.02)\n"
        "  output a = x + table[:T], b = x[:, 1:T // 2, 2:], c = x[:, -1:], d = x[:, T - 1]\n"
        "  output e = x[..., -T:, 0]\n}\n"
    )
    graph = nnspec.load(text).model("M").graph
    assert [str(v.type) for v in graph.outputs] == [
        "f32[N, T, 8]", "f32[N, T // 2 - 1, 6]", "f32[N, 1, 8]", "f32[N, 8]", "f32[N, T]",
    ]  # fmt: skip


def test_subscripts_are_numpy_s() -> None:
    text = (
        "model M {\n  input x: f32[5, 4, 3], ids: i64[2, 6]\n"
        "  output a = x[:, none, 1:, none], b = x[none, 0, ..., none], c = x[ids], d = x[1:, :, ids]\n"
        "  output e = x[:, ids, none, :2]\n}\n"
    )
    x = np.arange(60.0).reshape(5, 4, 3)
    ids = np.array([[0, 1, 2, 2, 1, 0], [2, 2, 0, 0, 1, 1]])
    found = evaluate_model(
        nnspec.load(text).model("M").graph, [x, ids], {}, precision="f64"
    ).outputs
    expected = [
        x[:, None, 1:, None],
        x[None, 0, ..., None],
        x[ids],
        x[1:, :, ids],
        x[:, ids, None, :2],
    ]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_number_beside_a_condition_has_the_type_of_what_is_chosen() -> None:
    found = model("output y = where(x > 0, x, 0), z = where(x > 0, 1, x)")
    assert [str(v.type) for v in found.outputs] == ["f32[N, 8]", "f32[N, 8]"]


OPTIONAL = """
block Shifted {
  input x, by = none, mask = none
  y = if by == none then x -> Dense(8) else (x -> Dense(8)) + by
  output if mask == none then y else where(mask, y, 0)
}
model A {
  input x: f32[N, 8], by: f32[N, 8]
  output y = BODY
}
"""


@pytest.mark.parametrize(
    ("body", "ops"),
    [
        ("x -> Shifted", ["Dense"]),
        ("(x, none) -> Shifted", ["Dense"]),
        ("(x, by) -> Shifted", ["Dense", "add"]),
        ("(x, none, by > 0) -> Shifted", ["greater", "Dense", "where"]),
        ("(x, by) -> Shifted * 2", ["Dense", "add", "Dense", "add"]),
    ],
)
def test_inputs_that_are_left_out(body: str, ops: list[str]) -> None:
    found = graph(OPTIONAL.replace("BODY", body))
    assert [n.op.name for n in walk(found) if isinstance(n, Node) and n.op.operands] == ops
