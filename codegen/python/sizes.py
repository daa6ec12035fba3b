"""Sizes at run time as expressions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations

from codegen.python.source import Expr, Literal, Name, Operator
from nnspec.core.dims import Dim, Quotient, Sym, symbol
from nnspec.graph.graph import Graph

FEW = 3
"""That numbers differ by the same amount, or by the same factor, means nothing in fewer instances."""


class UnknownSize(Exception):
    """A symbolic size that no tensor at hand tells."""

    def __init__(self, dim: Dim) -> None:
        self.dim = dim
        super().__init__(f"no input has the size {dim}")


def size_expression(dim: Dim, known: Callable[[Dim], Expr | None]) -> Expr:
    """The size; `known` gives the expression of those that a tensor has as they stand."""
    if isinstance(dim, int):
        return Literal(dim)
    if (found := known(dim)) is not None:
        return found
    if dim == symbol(str(dim)):
        raise UnknownSize(dim)
    total: Expr | None = None
    for monomial, coefficient in dim.terms:
        factors = [_atom(atom, known) for atom in monomial]
        term: Expr | None = None
        for factor in factors:
            term = factor if term is None else term * factor
        if term is None:
            term = Literal(abs(coefficient))
        elif abs(coefficient) != 1:
            term = term * abs(coefficient)
        if total is None:
            total = term if coefficient > 0 else -term
        else:
            total = total + term if coefficient > 0 else total - term
    assert total is not None
    return total


def _atom(atom: str | Quotient, known: Callable[[Dim], Expr | None]) -> Expr:
    if isinstance(atom, str):
        return size_expression(symbol(atom), known)
    whole = Sym((((atom,), 1),))
    if (found := known(whole)) is not None:
        return found
    left, right = size_expression(atom.left, known), size_expression(atom.right, known)
    return left % right if atom.remainder else left // right


Shapes = Mapping[str, Sequence[tuple[Dim, ...]]]
"""By input, its shape in each instance of a definition."""


def shapes_of(names: Sequence[str], instances: Sequence[Graph]) -> Shapes:
    """Of graphs that share a definition; the names of their inputs."""
    return {n: [g.inputs[i].type.shape for g in instances] for i, n in enumerate(names)}


def whole_numbers(values: Sequence[object]) -> list[int]:
    """The values, where all are whole numbers above 0."""
    whole = [v for v in values if isinstance(v, int) and not isinstance(v, bool) and v > 0]
    return whole if len(whole) == len(values) else []


def multiple(numbers: Sequence[int], others: Sequence[int]) -> int | None:
    """So many times the others the numbers are."""
    times = numbers[0] // others[0]
    return times if all(a == times * b for a, b in zip(numbers, others)) else None


def told_by_sizes(
    column: Sequence[object], shapes: Shapes, read: Callable[[Expr, int], Expr]
) -> list[Expr]:
    """What gives these numbers in all instances, such as `x.shape[1] // 7`: of the simplest kind all that do."""
    numbers = whole_numbers(column)
    sizes: list[tuple[Expr, list[int]]] = []
    for name, rows in shapes.items():
        for axis in range(min(map(len, rows), default=0)):
            values = [d for row in rows if isinstance(d := row[axis], int)]
            if len(values) == len(rows) and len({*map(len, rows)}) == 1:
                sizes.append((read(Name(name), axis), values))
    if same := [size for size, values in sizes if values == numbers]:
        return same
    if len(set(numbers)) < FEW:
        return []
    if scaled := [found for size, values in sizes if (found := _scaled(size, values, numbers))]:
        return scaled
    apart = [
        found
        for size, values in sizes
        if len({*values}) > 1 and (found := _apart(size, values, numbers))
    ]
    if apart:
        return apart
    pairs = combinations(sizes, 2)
    products = ((a * b, [x * y for x, y in zip(xs, ys)]) for (a, xs), (b, ys) in pairs)
    return [f for size, values in products if (f := _scaled(size, values, numbers))][:1]


def _scaled(size: Expr, values: Sequence[int], numbers: Sequence[int]) -> Expr | None:
    """The size, or a multiple or a part of it."""
    if not values or 0 in values:
        return None
    if more := multiple(numbers, values):
        if more > 1 and isinstance(size, Operator):
            return Literal(more) * size.left * size.right
        return Literal(more) * size if more > 1 else size
    less = multiple(values, numbers)
    return None if less is None else size // less


def _apart(size: Expr, values: Sequence[int], numbers: Sequence[int]) -> Expr | None:
    """The size and some more, or less."""
    more = numbers[0] - values[0]
    if any(n - v != more for n, v in zip(numbers, values)):
        return None
    return size + more if more > 0 else size - -more
