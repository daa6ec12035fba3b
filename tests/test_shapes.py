"""Shape rules against NumPy, in both layouts, with symbols; and what they say when operands do not fit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from uses import of_ops, uses

from nnspec.catalogue.ops import OPS, ShapeError
from nnspec.catalogue.ops.base import Example
from nnspec.core.dims import substitute, symbol
from nnspec.core.types import TensorType
from nnspec.graph.evaluate.sizes import with_sizes

N, T = symbol("N"), symbol("T")
SIZES = {"N": 2, "T": 5}
EXAMPLES = list(uses())

NUMPY: dict[str, Any] = {
    "add": lambda op, a, b: a + b,
    "subtract": lambda op, a, b: a - b,
    "multiply": lambda op, a, b: a * b,
    "divide": lambda op, a, b: a / b,
    "maximum": lambda op, a, b: np.maximum(a, b),
    "minimum": lambda op, a, b: np.minimum(a, b),
    "matmul": lambda op, a, b: a @ b,
    "mean": lambda op, a: a.mean(axis=op.axis, keepdims=op.keepdims),
    "sum": lambda op, a: a.sum(axis=op.axis, keepdims=op.keepdims),
    "concat": lambda op, *a: np.concatenate(a, op.axis),
    "transpose": lambda op, a: np.transpose(a, op.axes) if op.axes else np.swapaxes(a, -1, -2),
    "reshape": lambda op, a: a.reshape([substitute(d, SIZES) for d in op.shape]),
    "flatten": lambda op, a: a.reshape(len(a), -1),
    "slice": lambda op, a: a[
        tuple(
            (start or 0) if i in op.squeeze else slice(start, end, step)
            for i, (start, end, step) in enumerate(zip(op.starts, op.ends, op.steps, strict=True))
        )
    ],
}


def sized(x: TensorType) -> TensorType:
    return x.with_shape(tuple(substitute(d, SIZES) for d in x.shape))


@of_ops(EXAMPLES)
def test_symbols_agree_with_numbers(example: Example) -> None:
    symbolic = [sized(t) for t in example.op.infer(*example.inputs)]
    op = with_sizes(example.op, SIZES)
    assert symbolic == list(op.infer(*map(sized, example.inputs)))


@of_ops(e for e in EXAMPLES if e.op.name in NUMPY)
def test_agrees_with_numpy(example: Example) -> None:
    arrays = [np.ones(sized(x).shape) for x in example.inputs]
    (result,) = example.op.infer(*example.inputs)
    assert sized(result).shape == NUMPY[example.op.name](example.op, *arrays).shape


@of_ops(e for e in EXAMPLES if hasattr(e.op, "channels_first"))
def test_channels_first_is_the_same_image(example: Example) -> None:
    (x,) = example.inputs

    def turn(t: TensorType) -> TensorType:
        return t.with_shape((t.shape[0], t.shape[-1], *t.shape[1:-1])) if t.rank > 2 else t

    (expected,) = example.op.infer(x)
    first = replace(example.op, channels_first=True)  # type: ignore[call-arg]
    assert first.infer(turn(x)) == (turn(expected),)
    assert first.weights(turn(x)) == example.op.weights(x)
    assert first.flops((turn(x),), (turn(expected),)) == example.op.flops((x,), (expected,))


def f32(*shape: Any) -> TensorType:
    return TensorType("f32", shape)


def i64(*shape: Any) -> TensorType:
    return TensorType("i64", shape)


IMAGE = f32(N, 8, 6, 3)
WRONG = [
    ("Conv2D", {"filters": 4, "kernel": (3, 3)}, [f32(N, 10)], "an image [N, H, W, C]"),
    ("Conv2D", {"filters": 4, "kernel": (9, 3)}, [IMAGE], "9 does not fit into 8 cells"),
    ("Conv2D", {"filters": 4, "kernel": (3, 3), "dilation": (4, 1)}, [IMAGE], "a window of 9"),
    ("Conv2D", {"filters": 4, "kernel": (3, 3), "groups": 2}, [IMAGE], "3 channels"),
    ("Conv2D", {"filters": 4, "kernel": (3, 3)}, [i64(N, 8, 6, 3)], "found i64"),
    ("MaxPool2D", {"size": (7, 7)}, [IMAGE], "does not fit"),
    ("MaxPool2D", {"size": (2, 2), "padding": ((2, 0), (0, 0))}, [IMAGE], "padding of 2"),
    ("AvgPool2D", {"size": (2, 2), "padding": ((0, 3), (0, 0))}, [IMAGE], "padding of 3"),
    ("Dense", {"units": 4}, [f32(N)], "at least [N, C]"),
    ("Embedding", {"tokens": 4, "width": 2}, [f32(N, 3)], "integer indices"),
    ("LSTM", {"units": 4}, [f32(N, 3)], "a sequence [N, T, C]"),
    ("BatchNorm", {}, [f32(N)], "at least [N, C]"),
    ("add", {}, [f32(N, 3), i64(N, 3)], "mixes f32 and i64"),
    ("add", {}, [f32(N, 3), f32(N, 4)], "axis -1 is 3 here and 4 there"),
    ("add", {}, [f32(N, 3), f32(T, 3)], "axis -2 is N here and T there"),
    ("divide", {}, [i64(N), i64(N)], "found i64[N]"),
    ("matmul", {}, [f32(N, 3), f32(4, 5)], "3 columns meet 4 rows"),
    ("concat", {"axis": 1}, [f32(N, 3), f32(T, 3)], "the other axes differ"),
    ("concat", {"axis": 2}, [f32(N, 3), f32(N, 3)], "has no axis 2"),
    ("reshape", {"shape": (N, 5)}, [f32(N, 6)], "N * 6 elements to [N, 5] of N * 5"),
    ("reshape", {"shape": (-1, -1)}, [f32(N, 6)], "-1 stands more than once"),
    ("reshape", {"shape": (-1, 4)}, [f32(3, 5)], "15 elements, not a multiple of 4"),
    ("transpose", {"axes": (0, 0)}, [f32(N, 3)], "every axis"),
    ("mean", {"axis": (1, -1)}, [f32(N, 3)], "an axis twice"),
    ("softmax", {"axis": 3}, [f32(N, 3)], "counted from 0 to 1"),
    ("relu", {}, [i64(N)], "found i64[N]"),
    ("cross_entropy", {}, [f32(N, 10), i64(N, 10)], "labels [N]"),
    ("cross_entropy", {}, [f32(N, 10), f32(N)], "integer labels"),
    ("mse", {}, [f32(N, 3), f32(N, 1)], "operands of one shape"),
    ("accuracy", {}, [f32(N, 10), f32(N)], "integer labels"),
    ("random_normal", {"shape": (-1, 3)}, [], "every size"),
    ("attention", {}, [f32(N, 2, T, 4), f32(N, 2, T, 5), f32(N, 2, T, 5)], "cannot compare"),
    ("attention", {}, [f32(N, 3, T, 4), f32(N, 2, T, 4), f32(N, 2, T, 4)], "2 of f32[N, 2, T, 4]"),
    ("attention", {}, [*[f32(N, T, 4)] * 3, f32(T, T)], "a mask of booleans"),
    ("attention", {}, [*[f32(N, T, 4)] * 3, TensorType("bool", (N, T))], "no use for a mask"),
    ("MultiHeadAttention", {"heads": 3}, [f32(N, T, 8)], "8 features"),
    ("MultiHeadAttention", {"heads": 4, "kv_heads": 3}, [f32(N, T, 8)], "4 heads, which 3"),
    (
        "MultiHeadAttention",
        {"heads": 2},
        [f32(N, T, 8), *[TensorType("bool", (T, T))] * 2],
        "expects [N, T, C], found bool[T, T]",
    ),
    ("rotary", {}, [f32(N, T, 5)], "pairs features: 5"),
]


@pytest.mark.parametrize(("name", "arguments", "inputs", "words"), WRONG)
def test_message(
    name: str, arguments: dict[str, Any], inputs: list[TensorType], words: str
) -> None:
    with pytest.raises(ShapeError) as caught:
        OPS[name](**arguments).infer(*inputs)
    assert words in caught.value.message
    assert all(0 <= i < len(inputs) for i in caught.value.operands)


def test_weights_need_known_sizes() -> None:
    for name, arguments, x in (
        ("Dense", {"units": 4}, f32(N, T)),
        ("Conv2D", {"filters": 4, "kernel": (3, 3)}, f32(N, 8, 8, T)),
        ("LSTM", {"units": 4}, f32(N, 5, T)),
        ("BatchNorm", {}, f32(N, T)),
    ):
        with pytest.raises(ShapeError, match="must be a number to make weights, found `T`"):
            OPS[name](**arguments).weights(x)
