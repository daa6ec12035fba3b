"""Counts that are published, or worked out by hand."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from nnspec.compiler import compile_source, load
from nnspec.driver.verify.cases import symbol_sizes
from nnspec.graph.graph import Graph
from nnspec.report.diagnostics import Reporter
from nnspec.report.source import Source
from nnspec.views.summary import Summary, summarize

MLP = """
model MLP {
  input x: f32[N, 784]
  output y = x -> Dense(256, activation = relu) -> Dense(10)
}
"""
CNN = """
model CNN {
  input image: f32[N, 28, 28, 1]
  output y = image -> Conv2D(32, 3, activation = relu) -> MaxPool2D(2) -> flatten
    -> Dense(128, activation = relu) -> Dense(10)
}
"""
NORM = """
block Unit(width) {
  input x
  output y = x -> Conv2D(width, 3, padding = "same", use_bias = false) -> BatchNorm
}
model Norm {
  input image: f32[N, 8, 6, 3]
  output y = image -> Unit(4) -> Unit(4) -> global_avg_pool
}
"""
TIED = """
model Tied {
  input x: i64[N, T]
  embed = Embedding(50, 8)
  h = embed(x) -> LSTM(8)
  output y = h @ transpose(embed.weight)
}
"""


Model = Callable[[str], Graph]


@pytest.fixture
def model(tmp_path: Path) -> Model:
    def make(text: str) -> Graph:
        path = tmp_path / "spec.nn"
        path.write_text(text)
        return load(path).models[0]

    return make


@pytest.mark.parametrize(
    ("text", "parameters", "trainable"),
    [
        (MLP, 203_530, 203_530),
        (CNN, 693_962, 693_962),
        # Twice BatchNorm(4): 8 trained, 8 kept.
        (NORM, 3 * 4 * 9 + 4 * 4 * 9 + 32, 3 * 4 * 9 + 4 * 4 * 9 + 16),
        # The table counts once, however often it is used; LSTM 4 * 8 * (8 + 8 + 1).
        (TIED, 50 * 8 + 4 * 8 * 17, 50 * 8 + 4 * 8 * 17),
    ],
    ids=("mlp", "cnn", "norm", "tied"),
)
def test_counts(model: Model, text: str, parameters: int, trainable: int) -> None:
    found = summarize(model(text))
    assert (found.parameters, found.trainable) == (parameters, trainable)
    leaves = [line for line in found.lines if not line.is_block]
    assert sum(line.parameters for line in leaves) == parameters
    assert found.weight_bytes == 4 * parameters


def test_flops_of_one_example(model: Model) -> None:
    found = summarize(model(MLP))
    # Each multiply-add counts two, each bias and each relu one.
    assert found.flops == 2 * 784 * 256 + 256 + 256 + 2 * 256 * 10 + 10
    assert found.sizes == (("N", 1),)


def test_sizes_that_fit(model: Model) -> None:
    """Windows of 9 see no sequence of 1 or of 5: what one counts and what `verify` draws is longer."""
    text = """
    model Words {
      input x: f32[N, T, 4]
      last = scan(Count, x)
      output y = x -> Conv1D(8, 9) -> max(axis = 1), last
    }
    block Count {
      input x, n = 0
      output n = n + x
    }
    train Words {
      net = Words()
      batch few: f32[B, S, 4]
      y, _ = net(few[:, 3:])
      minimize mean(y) using SGD
    }
    """
    found = summarize(model(text))
    assert found.sizes == (("N", 1), ("T", 9)) and found.flops > 8 * 9 * 4 * 2
    (program,) = compile_source(Source("words.nn", text), Reporter()).trainings
    assert symbol_sizes(program.batch, program.steps) == {"B": 3, "S": 15}


def test_blocks_sum_what_stands_in_them(model: Model) -> None:
    lines = summarize(model(NORM)).lines
    block = next(line for line in lines if line.is_block)
    inner = lines[lines.index(block) + 1 :][:2]
    assert [line.depth for line in inner] == [1, 1]
    assert block.parameters == sum(line.parameters for line in inner) == 3 * 4 * 9 + 16


def shown(summary: Summary) -> str:
    out = io.StringIO()
    Console(file=out, width=100).print(summary)
    return out.getvalue()


def test_shown(model: Model) -> None:
    text = shown(summarize(model(NORM)))
    assert "conv2d" in text and "f32[N, 8, 6, 4]" in text
    assert "284 weights (268 trained, 16 kept)" in text and "with N = 1" in text
    assert "order of axes: image NHWC or NCHW -> y as in the spec" in text


def test_json(model: Model) -> None:
    found = json.loads(json.dumps(summarize(model(CNN)).to_json()))
    assert found["parameters"] == found["trainable"] == 693_962
    assert [x["name"] for x in found["layers"] if x["parameters"]] == ["conv2d", "dense", "dense_2"]
