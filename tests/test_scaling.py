"""Long texts take time in proportion: what was quadratic would take minutes here."""

from __future__ import annotations

import time

import pytest

import nnspec
from nnspec.driver.build import build_files
from nnspec.report.diagnostics import SpecError
from nnspec.report.source import Source
from nnspec.syntax.format import format_source


def model(*lines: str) -> str:
    body = "\n".join(f"  {line}" for line in lines)
    return f"model M {{\n{body}\n}}\n"


NAMES = [f"x{i}" for i in range(3_000)]
LONG = {
    "inputs": model(*(f"input {n}: f32[N, 4]" for n in NAMES), "output y = " + " + ".join(NAMES)),
    "outputs": model("input x: f32[N, 4]", *(f"output y{i} = x + {i}" for i in range(3_000))),
    "operations": model("input x: f32[N, 4]", "output y = x" + " + x" * 6_000),
}


@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
def test_long_models(text: str) -> None:
    begin = time.process_time()
    spec = nnspec.load(text)
    files, _ = build_files(spec, ["all"], {})
    assert len(files) == 4
    assert format_source(Source("<text>", text))
    assert time.process_time() - begin < 10


def test_drawings_of_long_skips() -> None:
    """A thousand edges that each pass as many rows: points in every row were a million."""
    chain = [f"x{i + 1} = relu(x{i})" for i in range(1_000)]
    total = "output y = " + " + ".join(f"x{i}" for i in reversed(range(1, 1_001)))
    spec = nnspec.load(model("input x0: f32[N, 4]", *chain, total))
    begin = time.process_time()
    assert spec.model().draw("svg").count("C") < 30_000
    assert time.process_time() - begin < 5


@pytest.mark.parametrize("blocks", [1, 10_000], ids=["values", "blocks"])
def test_thousands_of_wrong_names_among_as_many(blocks: int) -> None:
    """Each is told; the first ones with a suggestion."""
    declared = "".join(f"block Some_{i} {{\n  input x\n  output x\n}}\n" for i in range(blocks))
    wrong = model(
        "input x: f32[N, 4]", *(f"v{i} = x -> Some{i}x" for i in range(10_000)), "output x"
    )
    begin = time.process_time()
    with pytest.raises(SpecError) as failure:
        nnspec.load(declared + wrong)
    assert time.process_time() - begin < 15
    found = [d for d in failure.value.diagnostics if d.severity == "error"]
    assert len(found) == 10_000
    assert found[0].helps == ("did you mean `Some_0`?",)
