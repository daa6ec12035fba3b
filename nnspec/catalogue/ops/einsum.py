"""Sums of products, told by letters for axes: einsum."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from string import ascii_letters

from nnspec.catalogue.ops.base import Example, Op, Operand, ShapeError, declare
from nnspec.catalogue.ops.derivatives import part
from nnspec.catalogue.ops.helpers import need_float, same_dtype
from nnspec.catalogue.ops.site import Site, Term
from nnspec.core.dims import Dim, product, symbol
from nnspec.core.fields import arg
from nnspec.core.kinds import Kind
from nnspec.core.types import TensorType

N, T = symbol("N"), symbol("T")
Axes = tuple[str, ...]


@dataclass(frozen=True)
class Equation:
    """What stands before and behind the arrow: axes of each operand, axes of the result.

    Those that `...` stands for are called `.0`, `.1` and so on, counted from the last.
    """

    operands: tuple[Axes, ...]
    result: Axes


def _side(text: str) -> None:
    """One operand, or the result: letters, and at most one `...`."""
    letters = text.replace("...", "", 1)
    if not all(c in ascii_letters for c in letters):
        raise ValueError(equation.expects)


def _equation(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(equation.expects)
    text = value.replace(" ", "")
    before, arrow, after = text.partition("->")
    sides = before.split(",")
    for side in [*sides, after]:
        _side(side)
    if not arrow:
        letters = sorted({c for c in before if c in ascii_letters and before.count(c) == 1})
        after = "..." * ("..." in before) + "".join(letters)
    if twice := [c for c in after if c != "." and after.count(c) > 1]:
        raise ValueError(f"`{twice[0]}` once in the result: a diagonal is read, not written")
    if unknown := [c for c in after if c != "." and c not in before]:
        raise ValueError(f"no `{unknown[0]}` in the result that is in no operand")
    if "..." in before and "..." not in after:
        raise ValueError("`...` in the result, as in an operand")
    if "..." in after and "..." not in before:
        raise ValueError("`...` in an operand, as in the result")
    return f"{before}->{after}"


equation = Kind('letters for the axes of each tensor, such as "nij,njk->nik"', _equation)


@declare
class Einsum(Op):
    """Products of tensors, summed over axes: `einsum("nqd,nkd->nqk", query, key)`.

    A letter stands for an axis: the same letter, the same size; those that the result does not name are summed over.
    One that stands twice in a tensor takes its diagonal (`"bii->bi"`; `"ii->"` is the trace).
    `...` stands for the other axes, which meet by broadcasting. Without an arrow the result has the letters that stand
    once, in the order of the alphabet. In a pipe, `(query, key) -> einsum("nqd,nkd->nqk")`. As NumPy's; tensors are
    multiplied from the left to the right.
    """

    name = "einsum"
    operands = (Operand("x", "one or more tensors", variadic=True),)
    equation: str = arg("letters of the axes", equation)

    def parsed(self, *inputs: TensorType | Term) -> Equation:
        """With names for all axes."""
        before, _, after = self.equation.partition("->")
        sides = before.split(",")
        if len(sides) != len(inputs):
            wanted = f"{len(sides)} tensor{'' if len(sides) == 1 else 's'}"
            raise ShapeError(f"has letters for {wanted}, found {len(inputs)}")
        named: list[Axes] = []
        for i, (side, x) in enumerate(zip(sides, inputs, strict=True)):
            others = len(x.shape) - len(side.replace("...", ""))
            if others < 0 or (others and "..." not in side):
                kind = x if isinstance(x, TensorType) else x.type
                raise ShapeError(f"has the letters `{side}` for the axes of {kind}", i)
            named.append(_named(side, others))
        most = max((sum(a[0] == "." for a in axes) for axes in named), default=0)
        return Equation(tuple(named), _named(after, most))

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        need_float(*inputs)
        dtype = same_dtype(*inputs)
        parsed = self.parsed(*inputs)
        sizes: dict[str, tuple[Dim, int]] = {}
        for i, (axes, x) in enumerate(zip(parsed.operands, inputs, strict=True)):
            for axis, size in zip(axes, x.shape, strict=True):
                known, first = sizes.setdefault(axis, (size, i))
                if axis[0] == "." and known == 1:
                    sizes[axis] = size, i
                elif known != size and not (axis[0] == "." and size == 1):
                    called = "`...`" if axis[0] == "." else f"`{axis}`"
                    raise ShapeError(f"has two sizes for {called}: {known} and {size}", first, i)
        return (TensorType(dtype, tuple(sizes[a][0] for a in parsed.result)),)

    def expand(self, to: Site, *xs: Term) -> Term:
        """Diagonals first; then two at a time, summed over what nothing that follows has."""
        parsed = self.parsed(*xs)
        axes, total = _diagonals(to, parsed.operands[0], xs[0])
        for i in range(len(xs)):
            wanted = {*parsed.result, *(a for o in parsed.operands[i + 1 :] for a in o)}
            if i == 0:
                axes, total = _summed(to, axes, total, wanted)
                continue
            other, x = _diagonals(to, parsed.operands[i], xs[i])
            other, x = _summed(to, other, x, wanted | {*axes})
            axes, total = _joined(to, axes, total, other, x, wanted)
        return _moved(to, axes, total, parsed.result)

    @classmethod
    def examples(cls) -> Iterator[Example]:
        x = TensorType("f32", (N, T, 4))
        yield Example(cls("ntd,nsd->nts"), (x, x.with_shape((N, 3, 4))))
        heads = x.with_shape((N, T, 2, 3))
        yield Example(cls("nqhd,nkhd->nhqk"), (heads, heads))
        yield Example(
            cls("nhqk,nkhd->nqhd"), (x.with_shape((N, 2, T, 3)), x.with_shape((N, 3, 2, 5)))
        )
        yield Example(cls("...ij,jk->...ki"), (heads, x.with_shape((3, 4))))
        yield Example(cls("...i,...i->..."), (x.with_shape((N, 5, 3)), x.with_shape((1, 3))))
        yield Example(cls("nij->nji"), (x.with_shape((N, 5, 3)),))
        yield Example(cls("nij->n"), (x.with_shape((N, 5, 3)),))
        yield Example(cls("ni,nj->nij"), (x.with_shape((N, 5)), x.with_shape((N, 3))))
        yield Example(
            cls("ni,ijk,nj->nk"),
            (x.with_shape((N, 5)), x.with_shape((5, 3, 4)), x.with_shape((N, 3))),
        )
        yield Example(cls("i,i->"), (x.with_shape((5,)), x.with_shape((5,))))
        yield Example(cls("ii->i"), (x.with_shape((5, 5)),))
        yield Example(cls("bii->b"), (x.with_shape((N, 3, 3)),))
        yield Example(cls("itit,bt->bi"), (x.with_shape((3, 4, 3, 4)), x.with_shape((N, 4))))
        yield Example(cls("b...ii->bi..."), (x.with_shape((N, 4, T, T)),))
        yield Example(cls("iii->"), (x.with_shape((3, 3, 3)),))


def _named(side: str, others: int) -> Axes:
    """Letters, and names for the axes that `...` stands for."""
    front, dots, back = side.partition("...")
    between = [f".{i}" for i in reversed(range(others))] if dots else []
    return (*front, *between, *back)


def _diagonals(to: Site, axes: Axes, x: Term) -> tuple[Axes, Term]:
    """Where a letter stands twice, only cells with the same number along both axes."""
    while twice := [a for a in axes if axes.count(a) > 1]:
        one = axes.index(twice[0])
        other = axes.index(twice[0], one + 1)
        rest = tuple(i for i in range(x.rank) if i not in (one, other))
        square = to.transpose(x, (*rest, one, other)) if rest else x
        size = square.shape[-1]
        if isinstance(size, int):
            row = to.reshape(square, (*square.shape[:-2], size * size))
            x = part(to, row, row.rank - 1, 0, None, size + 1)
        else:
            number = to.positions(square, axis=-1)
            same = to.equal(to.expand_dims(number, -1), number)
            x = to.sum(to.where(same, square, 0), axis=(-1,))
        axes = (*(axes[i] for i in rest), twice[0])
    return axes, x


def _summed(to: Site, axes: Axes, x: Term, wanted: set[str]) -> tuple[Axes, Term]:
    """Without the axes that nothing else has."""
    over = tuple(i for i, a in enumerate(axes) if a not in wanted)
    if not over:
        return axes, x
    return tuple(a for a in axes if a in wanted), to.sum(x, axis=over)


def _moved(to: Site, axes: Axes, x: Term, order: Axes) -> Term:
    """The axes in another order; those that there are not have size 1."""
    there = tuple(a for a in order if a in axes)
    if there != axes:
        x = to.transpose(x, tuple(axes.index(a) for a in there))
    if there == order:
        return x
    sizes = dict(zip(there, x.shape, strict=True))
    return to.reshape(x, tuple(sizes.get(a, 1) for a in order))


def _joined(
    to: Site, first: Axes, a: Term, second: Axes, b: Term, wanted: set[str]
) -> tuple[Axes, Term]:
    """The product of two tensors, summed over what both have and nothing else wants."""
    both = tuple(x for x in first if x in second)
    over = tuple(x for x in both if x not in wanted)
    batch = tuple(x for x in both if x in wanted)
    rows = tuple(x for x in first if x not in second)
    columns = tuple(x for x in second if x not in first)
    if not over:
        order = (*batch, *rows, *columns)
        return order, _moved(to, first, a, order) * _moved(to, second, b, order)
    a = _moved(to, first, a, (*batch, *rows, *over))
    b = _moved(to, second, b, (*batch, *over, *columns))
    n, r = len(batch), len(rows)
    middle = product(a.shape[n + r :])
    result = (a.shape[n : n + r], b.shape[n + len(over) :])
    front = (*a.shape[:n], product(result[0])) if batch or r < 2 else a.shape[:r]
    a = _shaped(to, a, (*front, middle))
    b = _shaped(to, b, (*b.shape[:n], middle, product(result[1])))
    y = a @ b
    return (*batch, *rows, *columns), _shaped(to, y, (*y.shape[:n], *result[0], *result[1]))


def _shaped(to: Site, x: Term, shape: tuple[Dim, ...]) -> Term:
    return x if x.shape == shape else to.reshape(x, shape)
