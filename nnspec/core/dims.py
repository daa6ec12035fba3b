"""Dimensions: whole numbers, or arithmetic over symbolic sizes kept in a canonical form.

A `Dim` is an `int` or a `Sym`. A `Sym` is a polynomial whose atoms are names (`N`) and floor
divisions or remainders that do not come out even (`T // 2`). Two equal sizes have equal forms.

Squares of squares and quotients of quotients grow fast: a size holds at most `LARGEST` names and
numbers, none of them beyond 64 bits; what would be larger raises `SpecError` (E0802).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Union

from nnspec.report.diagnostics import Diagnostic, SpecError

LARGEST = 128


@dataclass(frozen=True)
class Quotient:
    """`left // right`, or `left % right` where `remainder`."""

    left: Sym
    right: Dim
    remainder: bool = False

    def __str__(self) -> str:
        operator = "%" if self.remainder else "//"
        return f"{_group(self.left)} {operator} {_group(self.right)}"

    @cached_property
    def weight(self) -> int:
        """How many names and numbers it holds."""
        return weight(self.left) + weight(self.right)


Atom = Union[str, Quotient]
Monomial = tuple[Atom, ...]


@dataclass(frozen=True)
class Sym:
    """Sum of `coefficient * product(atoms)`; sorted, no zero coefficients, never a plain number."""

    terms: tuple[tuple[Monomial, int], ...]

    def __add__(self, other: Dim) -> Dim:
        total = dict(self.terms)
        for monomial, k in _terms(other):
            total[monomial] = total.get(monomial, 0) + k
        return _make(total)

    __radd__ = __add__

    def __neg__(self) -> Dim:
        return self * -1

    def __sub__(self, other: Dim) -> Dim:
        return self + (-other)

    def __rsub__(self, other: Dim) -> Dim:
        return -self + other

    def __mul__(self, other: Dim) -> Dim:
        total: dict[Monomial, int] = {}
        if isinstance(other, Sym) and len(self.terms) * len(other.terms) > LARGEST:
            raise _too_large()
        for a, j in self.terms:
            for b, k in _terms(other):
                monomial = tuple(sorted(a + b, key=str))
                total[monomial] = total.get(monomial, 0) + j * k
        return _make(total)

    __rmul__ = __mul__

    def __floordiv__(self, other: Dim) -> Dim:
        if other == 1:
            return self
        whole, rest = _divide(self, other)
        if rest == 0:
            return whole
        if isinstance(rest, int) and isinstance(other, int):
            return whole + rest // other
        inner = _quotient(rest)
        if inner is not None and isinstance(other, int) and isinstance(inner.right, int):
            return whole + inner.left // (inner.right * other)  # (T // 2) // 2 is T // 4
        return whole + _atom(Quotient(_as_sym(rest), other))

    def __rfloordiv__(self, other: int) -> Dim:
        return _atom(Quotient(_as_sym(other), self)) if other else 0

    def __mod__(self, other: Dim) -> Dim:
        if other == 1:
            return 0
        _, rest = _divide(self, other)
        if isinstance(rest, int) and isinstance(other, int):
            return rest % other
        return _atom(Quotient(_as_sym(rest), other, remainder=True)) if rest != 0 else 0

    def __rmod__(self, other: int) -> Dim:
        return _atom(Quotient(_as_sym(other), self, remainder=True)) if other else 0

    def __str__(self) -> str:
        text = ""
        # Plain numbers last, and what is added before what is taken away: `H + 1`, `4 - T`.
        for monomial, k in sorted(self.terms, key=lambda t: (t[1] < 0, not t[0], str(t[0]))):
            # `-(T // 2)`: without the brackets the sign would be the dividend's.
            alone = len(monomial) == 1 and (k == 1 or (k == -1 and text != ""))
            factors = [str(a) if alone or isinstance(a, str) else f"({a})" for a in monomial]
            if abs(k) != 1 or not factors:
                factors.append(str(abs(k)))
            sign = (" - " if k < 0 else " + ") if text else ("-" if k < 0 else "")
            text += sign + " * ".join(factors)
        return text

    __repr__ = __str__


Dim = Union[int, Sym]
Shape = tuple[Dim, ...]


def symbol(name: str) -> Sym:
    """The size called `name`."""
    return Sym((((name,), 1),))


def symbols(dim: Dim) -> set[str]:
    """Names that a dimension depends on."""
    found: set[str] = set()
    for monomial, _ in _terms(dim):
        for atom in monomial:
            found |= {atom} if isinstance(atom, str) else symbols(atom.left) | symbols(atom.right)
    return found


def substitute(dim: Dim, sizes: Mapping[str, Dim]) -> Dim:
    """The dimension with names replaced; with all of them numbers, a number."""
    if isinstance(dim, int):
        return dim
    total: Dim = 0
    for monomial, k in dim.terms:
        product: Dim = k
        for atom in monomial:
            if isinstance(atom, str):
                product = product * sizes.get(atom, symbol(atom))
            else:
                left, right = substitute(atom.left, sizes), substitute(atom.right, sizes)
                product = product * (modulo(left, right) if atom.remainder else floor(left, right))
        total = total + product
    return total


def floor(left: Dim, right: Dim) -> Dim:
    """`left // right`."""
    if isinstance(left, Sym):
        return left // right
    return right.__rfloordiv__(left) if isinstance(right, Sym) else left // right


def modulo(left: Dim, right: Dim) -> Dim:
    """`left % right`."""
    if isinstance(left, Sym):
        return left % right
    return right.__rmod__(left) if isinstance(right, Sym) else left % right


def weight(dim: Dim) -> int:
    """How many names and numbers a size holds."""
    if isinstance(dim, int):
        return 1
    return sum(
        1 + sum(1 if isinstance(atom, str) else atom.weight for atom in monomial)
        for monomial, _ in dim.terms
    )


def product(shape: tuple[Dim, ...]) -> Dim:
    """Number of elements."""
    total: Dim = 1
    for size in shape:
        total = total * size
    return total


def show(shape: tuple[Dim, ...]) -> str:
    """`[N, 28, 28, 1]`."""
    return "[" + ", ".join(map(str, shape)) + "]"


def _terms(dim: Dim) -> tuple[tuple[Monomial, int], ...]:
    return dim.terms if isinstance(dim, Sym) else ((((), dim),) if dim else ())


def _make(total: Mapping[Monomial, int]) -> Dim:
    kept = {m: k for m, k in total.items() if k}
    if not kept:
        return 0
    if set(kept) == {()}:
        return kept[()]
    if max(map(abs, kept.values())) >= 2**63:
        raise _too_large()
    return _checked(Sym(tuple(sorted(kept.items(), key=lambda t: (-len(t[0]), str(t[0]))))))


def _checked(size: Sym) -> Sym:
    if weight(size) > LARGEST:
        raise _too_large()
    return size


def _too_large() -> SpecError:
    return SpecError(
        Diagnostic(
            "E0802",
            f"a size would hold more than {LARGEST} names and numbers, or a number beyond 64 bits",
        )
    )


def _as_sym(dim: Dim) -> Sym:
    return dim if isinstance(dim, Sym) else Sym((((), dim),))


def _quotient(dim: Dim) -> Quotient | None:
    """The floor division that a size consists of, if it is one."""
    if isinstance(dim, Sym) and len(dim.terms) == 1:
        monomial, k = dim.terms[0]
        if k == 1 and len(monomial) == 1:
            (atom,) = monomial
            if isinstance(atom, Quotient) and not atom.remainder:
                return atom
    return None


def _atom(quotient: Quotient) -> Dim:
    return _checked(Sym((((quotient,), 1),)))


def _divide(left: Sym, right: Dim) -> tuple[Dim, Dim]:
    """`(whole, rest)` with `left == whole * right + rest`, taking out the terms that divide evenly."""
    divisor = _terms(right)
    if len(divisor) != 1:
        return (1, 0) if left == right else (0, left)
    by, k = divisor[0]
    whole: dict[Monomial, int] = {}
    rest: dict[Monomial, int] = {}
    for monomial, j in left.terms:
        left_over = list(monomial)
        even = j % k == 0
        for atom in by:
            if atom in left_over:
                left_over.remove(atom)
            else:
                even = False
        if even:
            whole[tuple(left_over)] = j // k
        else:
            rest[monomial] = j
    return _make(whole), _make(rest)


def _group(dim: Dim) -> str:
    simple = (
        isinstance(dim, int)
        or len(dim.terms) == 1
        and (dim.terms[0][1] == 1 or not dim.terms[0][0])
    )
    return str(dim) if simple else f"({dim})"
