"""Sizes at run time as expressions."""

from __future__ import annotations

from collections.abc import Callable

from codegen.python.source import Expr, Literal
from nnspec.core.dims import Dim, Quotient, Sym, symbol


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
