"""What instances that differ in numbers share: one class or function, its parameters, and what sizes tell."""

from __future__ import annotations

import pytest

import nnspec
from codegen import TARGETS
from codegen.python.sizes import told_by_sizes
from codegen.python.source.flat import flat
from codegen.python.source.texts import docstring
from nnspec.compiler import compile_source
from nnspec.report.diagnostics import Reporter, SpecError
from nnspec.report.source import Source

IMAGES = {"x": [(56, 56, 96), (28, 28, 192), (14, 14, 384)], "y": [(9, 96), (9, 192), (9, 384)]}


@pytest.mark.parametrize(
    ("column", "told"),
    [
        ([56, 28, 14], ["x.shape[0]", "x.shape[1]"]),
        ([96, 192, 384], ["x.shape[2]", "y.shape[1]"]),
        ([8, 4, 2], ["x.shape[0] // 7", "x.shape[1] // 7"]),
        ([288, 576, 1152], ["3 * x.shape[2]", "3 * y.shape[1]"]),
        ([53, 25, 11], ["x.shape[0] - 3", "x.shape[1] - 3"]),
        ([64, 16, 4], ["x.shape[0] * x.shape[1] // 49"]),
        ([1, 2, 5], []),
        ([0.5, 0.25, 0.125], []),
    ],
)
def test_told_by_sizes(column: list[int], told: list[str]) -> None:
    found = told_by_sizes(column, IMAGES, lambda tensor, axis: tensor.attr("shape")[axis])
    assert [flat(e) for e in found] == told


def test_two_sizes_tell_no_ratio() -> None:
    """That one of two numbers is half a size each time may be chance."""
    sizes = {"x": [(4, 6), (8, 12)]}
    assert told_by_sizes([2, 4], sizes, lambda tensor, axis: tensor.attr("shape")[axis]) == []


FUNCTIONS = """
block rolled(by) {
  input x
  output concat(x[:, by:], x[:, :by], axis = 1)
}
block cut(parts) {
  input x
  x = relu(rolled(x, 1))
  output reshape(x, [x.shape[0], x.shape[1] // parts, parts * x.shape[2]])
}
block Mix {
  input x
  output rolled(x -> Dense(2 * x.shape[-1]) -> Dense(x.shape[-1]), -1)
}
model M {
  input a: f32[N, 6, 2], b: f32[N, 8, 4], c: f32[N, 10, 6]
  output x = cut(a -> Mix, 2), y = cut(b -> Mix, 2), z = cut(c -> Mix, 2)
}
"""
WRITTEN = {
    "pytorch": [
        "def rolled(x, by):",
        "return torch.cat([x[:, by:], x[:, :by]], dim=1)",
        "def cut(x):\n    size = x.shape[1] // 2\n    size_2 = 2 * x.shape[2]\n",
        "    return x.reshape(-1, size, size_2)",
        "        self.dense = nn.Linear(in_features, 2 * in_features)\n",
        "        return rolled(x, -1)",
        "        x = cut(x)\n",
    ],
    "keras": ["    return ops.reshape(x, (-1, size, size_2))", "        x = self.dense_2(x)\n"],
    "gluon": ["def cut(F, x, size, size_2):", "        x = cut(F, x, 3, 4)\n"],
}


@pytest.mark.parametrize("target", WRITTEN)
def test_one_definition(target: str) -> None:
    reporter = Reporter()
    program = compile_source(Source("m.nn", FUNCTIONS), reporter)
    reporter.raise_errors()
    (text,) = TARGETS[target].emit(program, stem="m", provenance="").files.values()
    assert isinstance(text, str)
    for part in WRITTEN[target]:
        assert part in text, text
    assert text.count("def cut(") == text.count("def rolled(") == text.count("class Mix") == 1


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("Short.", ['"""Short."""']),
        (
            "One line that is much longer than a line of generated source may be, so that it breaks\nhere.",
            [
                '"""One line that is much longer than a line of generated source may be, so that it breaks',
                'here.\n"""',
            ],
        ),
        ("Kept\nas it is.\n\n- " + "item " * 20, None),
    ],
)
def test_paragraphs_are_filled(text: str, lines: list[str] | None) -> None:
    made = docstring(text, 0)
    if lines is not None:
        assert made == "\n".join(lines)
    else:
        assert made.startswith('"""Kept\nas it is.\n\n- item item')


TWO = """
block Two(n) {
  input x
  output x + (x -> Dense(4)), x * n
}
model M {
  input x: f32[N, 4]
  BODY
}
"""
RUNS = {
    "carried": (
        "told = none "
        "for _ in range(2) { for i in range(3) { "
        "x, more = x -> Two(2**i) told = if told == none then more else told + more } } "
        "output y = told",
        [
            "self.twos = nn.ModuleList([Two(2**i) for _ in range(2) for i in range(3)])",
            "        x, more = self.twos[0](x)\n        told = more\n"
            "        for two in self.twos[1:]:\n"
            "            x, more = two(x)\n            told = told + more\n        return told",
        ],
    ),
    "layers": (
        "for _ in range(3) { x = x -> Dense(4, activation = relu) } output y = x",
        ["for dense in self.denses:\n            x = F.relu(dense(x))\n        return x"],
    ),
    "written one by one": (
        "x, a = x -> Two(1) x, b = x -> Two(2) output y = x",
        ["self.two_2 = Two(2)"],
    ),
    # What the pass before left is read when its variable has the next value already.
    "overwritten": (
        "told = x * 0 for i in range(3) { old = x x, more = x -> Two(i) told = told + more * old } "
        "output y = told + x",
        ["self.two_3 = Two(2)"],
    ),
    "read later": (
        "all = [] for i in range(3) { x, more = x -> Two(i) all = all + [more] } "
        "output y = concat(all)",
        ["self.two_3 = Two(2)"],
    ),
}


@pytest.mark.parametrize("name", RUNS)
def test_layers_of_a_for_are_a_loop(name: str) -> None:
    body, parts = RUNS[name]
    reporter = Reporter()
    program = compile_source(Source("m.nn", TWO.replace("BODY", body)), reporter)
    reporter.raise_errors()
    (text,) = TARGETS["pytorch"].emit(program, stem="m", provenance="").files.values()
    assert isinstance(text, str)
    for part in parts:
        assert part in text, text


def test_a_layer_of_a_loop_is_found_by_the_name_of_the_spec() -> None:
    text = TWO.replace("BODY", "for i in range(3) { x, _ = x -> Two(i) } output y = x")
    text += """
    train T {
      net = M()
      batch x: f32[N, 4]
      minimize mean(net(x)) over net.two, net.two_3.dense using SGD(0.1)
    }
    """
    reporter = Reporter()
    program = compile_source(Source("m.nn", text), reporter)
    reporter.raise_errors()
    (made,) = TARGETS["pytorch"].emit(program, stem="m", provenance="").files.values()
    assert isinstance(made, str)
    assert "*net.twos[0].parameters(), *net.twos[2].dense.parameters()" in made, made


@pytest.mark.parametrize("target", ["pytorch", "keras", "gluon"])
def test_one_block_with_an_input_and_without(target: str) -> None:
    """It has two bodies: refused, and told why."""
    text = """
block Attend { input x: f32[N, T, C], mask: bool[N, 1, 1, T] = none
  output if mask == none then MultiHeadAttention(2)(x) else MultiHeadAttention(2)(x, mask) }
model M { input x: f32[N, T, 8], mask: bool[N, 1, 1, T]
  attend = Attend()
  output attend(attend(x), mask) }"""
    with pytest.raises(SpecError, match="shared between uses with an input and without it"):
        nnspec.load(text).build(target)
