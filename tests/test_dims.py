"""Arithmetic of sizes: the canonical form agrees with plain numbers."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from nnspec.core.dims import Dim, substitute, symbol, symbols

NAMES = ("N", "T", "H")
small = st.integers(-6, 9)
names = st.sampled_from(NAMES)
divisors = st.integers(1, 5)


@st.composite
def sizes(draw: st.DrawFn, depth: int = 3) -> tuple[Dim, object]:
    """A size, and a function that computes the same from numbers."""
    if depth == 0 or draw(st.booleans()):
        if draw(st.booleans()):
            name = draw(names)
            return symbol(name), lambda v: v[name]
        number = draw(small)
        return number, lambda v: number
    left, f = draw(sizes(depth - 1))
    operator = draw(st.sampled_from("+-*/%"))
    if operator in "/%":
        by = draw(divisors)
        if operator == "/":
            return left // by, lambda v: f(v) // by
        return left % by, lambda v: f(v) % by
    right, g = draw(sizes(depth - 1))
    if operator == "+":
        return left + right, lambda v: f(v) + g(v)
    if operator == "-":
        return left - right, lambda v: f(v) - g(v)
    return left * right, lambda v: f(v) * g(v)


@settings(max_examples=300, deadline=None)
@given(sizes(), st.fixed_dictionaries({n: st.integers(1, 40) for n in NAMES}))
def test_canonical_form_computes_the_same(
    found: tuple[Dim, object], values: dict[str, int]
) -> None:
    size, function = found
    expected = function(values)  # type: ignore[operator]
    assert substitute(size, values) == expected
    # The text means the same to Python.
    assert eval(str(size), {}, dict(values)) == expected
    assert symbols(size) <= set(NAMES)


def test_forms() -> None:
    t, n = symbol("T"), symbol("N")
    assert (t // 2) // 2 == t // 4
    assert (2 * t + 3) // 2 == t + 1
    assert n * t * 4 // n == t * 4
    assert t * n == n * t and t + n - t == n
    assert str(4 - t) == "4 - T"
    assert str((t + 1) // 2 * 8) == "((T + 1) // 2) * 8"
    assert str((t - 3) // 2 + 1) == "(T - 3) // 2 + 1"
    assert (n * t) % t == 0 and t - t == 0
