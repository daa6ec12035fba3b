"""Rows of `semantics.md` where frameworks disagree: what each target writes so that all mean the language's.

That they do, in numbers, the conformance tests show for every example.
"""

import pytest

import nnspec
from codegen import TARGETS

TRAPS = {
    "row 32: the slope of leaky_relu is 0.01, Keras's function has 0.2": (
        "leaky_relu(x)",
        {"pytorch": "F.leaky_relu(x)", "keras": "ops.leaky_relu(x, negative_slope=0.01)"},
    ),
    "row 33: PReLU has a slope a feature that begins at 0.25, Keras one a place that begins at 0": (
        "x -> PReLU",
        {
            "pytorch": "nn.PReLU(4)",
            "keras": "shared_axes=[1], alpha_initializer=keras.initializers.Constant(0.25)",
        },
    ),
    "row 34: gelu is the exact one, Keras's function is not": (
        "gelu(x)",
        {"pytorch": "F.gelu(x)", "keras": "ops.gelu(x, approximate=False)"},
    ),
    "row 34: Keras's gelu by name is the exact one": (
        "x -> Dense(3, activation = gelu)",
        {"keras": 'activation="gelu"', "pytorch": "F.gelu(self.dense(x))"},
    ),
    "row 34: gelu by tanh": (
        "gelu(x, approximate = true)",
        {"pytorch": 'F.gelu(x, approximate="tanh")', "keras": "ops.gelu(x)"},
    ),
    "row 35: the slope of hard_sigmoid is a sixth, MXNet's a fifth": (
        "hard_sigmoid(x)",
        {
            "pytorch": "F.hardsigmoid(x)",
            "keras": "ops.hard_sigmoid(x)",
            "gluon": "relu6(F, x) / 6",
        },
    ),
}
CASES = [(trap, target) for trap, (_, texts) in TRAPS.items() for target in texts]


@pytest.mark.parametrize(("trap", "target"), CASES, ids=lambda part: part)
def test_written_so_that_it_means_the_same(trap: str, target: str) -> None:
    expression, texts = TRAPS[trap]
    spec = nnspec.load(f"model M {{\n  input x: f32[N, 5, 4]\n  output y = {expression}\n}}\n")
    (text,) = TARGETS[target].emit(spec.program, stem="m", provenance="test").files.values()
    assert texts[target] in text
