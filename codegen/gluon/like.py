"""A hidden op of this target: an operand repeated to the shape of another, whose sizes a Symbol does not tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nnspec.catalogue.ops.base import Operand, Reordered
from nnspec.catalogue.ops.forms import Elementwise, Forms, Types
from nnspec.catalogue.ops.helpers import numbers
from nnspec.catalogue.ops.site import Site, Term
from nnspec.core.declare import declaration
from nnspec.core.fields import internal
from nnspec.core.lazy import np
from nnspec.core.types import TensorType

if TYPE_CHECKING:
    from nnspec.catalogue.ops.base import Array


@declaration
class Like(Elementwise):
    """`x`, by the rule of NumPy, in the shape of `other`.

    axes: where there are some, along these only; both have as many axes then.
    """

    name = "like"
    hidden = True
    operands = (Operand("x"), Operand("other"))
    axes: tuple[int, ...] = internal(default=())

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        x, other = inputs
        if not self.axes:
            return (x.with_shape(other.shape),)
        sizes = enumerate(zip(x.shape, other.shape, strict=True))
        return (x.with_shape(tuple(n if i in self.axes else m for i, (m, n) in sizes)),)

    def evaluate(self, x: Array, other: Array) -> Array:
        (result,) = self.infer(*(TensorType("f32", a.shape) for a in (x, other)))
        return np.broadcast_to(x, numbers(result.shape))

    def reordered(self, forms: Forms, inputs: Types, outputs: Types) -> Reordered | None:
        return None if self.axes else super().reordered(forms, inputs, outputs)


def like(to: Site, x: Term, other: Term, *axes: int) -> Term:
    """`x` in the shape of `other`."""
    if x.shape == other.shape:
        return x
    (repeated,) = to.apply(Like(axes), x, other)
    return repeated
