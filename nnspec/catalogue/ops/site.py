"""The words in which an op says what it means: terms, and the sites where they are put together.

An expansion or a derivative is written once, with terms, and read in three ways: a `TypeSite` finds types and costs,
the graph's site adds nodes to a graph, and the evaluator's works with arrays.

    def expand(self, to: Site, x: Term) -> Term:
        return to.maximum(x, 0) + to.log1p(to.exp(-abs(x)))
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Union

from nnspec.core.dims import Dim, Shape
from nnspec.core.types import TensorType

if TYPE_CHECKING:
    from nnspec.catalogue.ops.base import Op

Number = Union[int, float, bool]
Operand = Union["Term", Number]


class Term:
    """A tensor at a site: its type, and what the site holds for it. Two terms are equal if they are one."""

    __slots__ = ("held", "site", "type")

    def __init__(self, site: Site, type: TensorType, held: Any = None) -> None:
        self.site, self.type, self.held = site, type, held

    @property
    def shape(self) -> Shape:
        return self.type.shape

    @property
    def rank(self) -> int:
        return len(self.type.shape)

    @property
    def dtype(self) -> str:
        return self.type.dtype

    def __add__(self, other: Operand) -> Term:
        return self.site.call("add", self, other)

    def __radd__(self, other: Number) -> Term:
        return self.site.call("add", other, self)

    def __sub__(self, other: Operand) -> Term:
        return self.site.call("subtract", self, other)

    def __rsub__(self, other: Number) -> Term:
        return self.site.call("subtract", other, self)

    def __mul__(self, other: Operand) -> Term:
        return self.site.call("multiply", self, other)

    def __rmul__(self, other: Number) -> Term:
        return self.site.call("multiply", other, self)

    def __truediv__(self, other: Operand) -> Term:
        return self.site.call("divide", self, other)

    def __rtruediv__(self, other: Number) -> Term:
        return self.site.call("divide", other, self)

    def __pow__(self, other: Operand) -> Term:
        return self.site.call("power", self, other)

    def __matmul__(self, other: Term) -> Term:
        return self.site.call("matmul", self, other)

    def __neg__(self) -> Term:
        return self.site.call("negative", self)

    def __abs__(self) -> Term:
        return self.site.call("abs", self)

    def __lt__(self, other: Operand) -> Term:
        return self.site.call("less", self, other)

    def __le__(self, other: Operand) -> Term:
        return self.site.call("less_equal", self, other)

    def __gt__(self, other: Operand) -> Term:
        return self.site.call("greater", self, other)

    def __ge__(self, other: Operand) -> Term:
        return self.site.call("greater_equal", self, other)


@dataclass(frozen=True, eq=False)
class Applied:
    """A primitive that was applied at a site: what a derivative goes back through."""

    op: Op
    inputs: tuple[Term, ...]
    outputs: tuple[Term, ...]


class Site(ABC):
    """A place where ops are applied to terms. `site.exp(x)` applies the function `exp` of the catalogue.

    training: whether ops that know two modes work as in training.
    applied: the primitives so far, in order.
    kept: for weights that training changes by itself (a running mean), the terms of their new values.
    """

    def __init__(self, *, training: bool = False) -> None:
        self.training = training
        self.applied: list[Applied] = []
        self.kept: dict[Term, Term] = {}

    def __getattr__(self, name: str) -> Callable[..., Term]:
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *given, **arguments: self.call(name, *given, **arguments)

    def call(self, name: str, *given: Any, **arguments: Any) -> Term:
        """A function of the catalogue that has one result: operands, then its arguments."""
        from nnspec.catalogue.ops.base import OPS

        kind = OPS[name]
        count = len(kind.operands)
        if kind.operands and kind.operands[-1].variadic:
            count = sum(isinstance(g, Term) for g in given)
        (term,) = self.apply(kind(*given[count:], **arguments), *given[:count])
        return term

    def apply(
        self, op: Op, *operands: Operand, weights: Mapping[str, Term] | None = None
    ) -> tuple[Term, ...]:
        """An op applied to operands; numbers become scalars of the tensors' element type."""
        terms = self.terms(operands)
        if op.is_primitive():
            outputs = self.primitive(op, terms)
            self.applied.append(Applied(op, terms, outputs))
            return outputs
        return self.composite(op, terms, weights or {})

    def layer(self, name: str, op: Op, *operands: Term, weights: Mapping[str, Term]) -> Term:
        """A layer inside a layer, called `name`: of all weights it has those whose role begins with that."""
        own = {
            r.removeprefix(f"{name}."): t for r, t in weights.items() if r.startswith(f"{name}.")
        }
        (term,) = self.apply(op, *operands, weights=own)
        return term

    def terms(self, operands: Sequence[Operand]) -> tuple[Term, ...]:
        """The operands, numbers as constants."""
        tensors = [o for o in operands if isinstance(o, Term)]
        dtype = next((t.dtype for t in tensors if t.dtype != "bool"), "bool")
        return tuple(o if isinstance(o, Term) else self.number(o, dtype) for o in operands)

    def number(self, value: Number, dtype: str) -> Term:
        """A scalar."""
        from nnspec.catalogue.ops.elementwise import Constant

        (term,) = self.apply(Constant(value, dtype))
        return term

    def named(self, name: str, term: Term) -> Term:
        """The term, and what a reader of generated code may see it called."""
        return term

    def keep(self, weight: Term, value: Term) -> None:
        """In training, the value that the weight has from the next step on."""
        self.kept[weight] = value

    def composite(
        self, op: Op, operands: tuple[Term, ...], weights: Mapping[str, Term]
    ) -> tuple[Term, ...]:
        """An op that is not a primitive: by default what it expands to."""
        return results(op.expand(self, *operands, **weights))

    @abstractmethod
    def primitive(self, op: Op, operands: tuple[Term, ...]) -> tuple[Term, ...]:
        """The results of a primitive."""


def results(value: Term | tuple[Term, ...]) -> tuple[Term, ...]:
    """What an expansion returned, as a tuple."""
    return value if isinstance(value, tuple) else (value,)


LONGEST = 4096
"""So many primitives one op may expand to: more are written as a loop, or not meant."""


class TypeSite(Site):
    """Finds the types of results, and counts what they cost."""

    def __init__(self, *, training: bool = False) -> None:
        super().__init__(training=training)
        self.flops: Dim = 0

    def term(self, type: TensorType) -> Term:
        return Term(self, type)

    def primitive(self, op: Op, operands: tuple[Term, ...]) -> tuple[Term, ...]:
        from nnspec.catalogue.ops.base import ShapeError

        if len(self.applied) == LONGEST:
            raise ShapeError(f"is made of more than {LONGEST} operations")
        inputs = tuple(t.type for t in operands)
        types = op.infer(*inputs)
        self.flops = self.flops + op.flops(inputs, types)
        return tuple(Term(self, t) for t in types)
