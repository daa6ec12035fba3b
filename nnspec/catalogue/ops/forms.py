"""How ops look when axes stand in another order: what families of ops have in common."""

from __future__ import annotations

from nnspec.catalogue.ops.base import Op, Reordered
from nnspec.core.orders import Form, Order, plain_form
from nnspec.core.types import TensorType

Forms = tuple[Form, ...]
Types = tuple[TensorType, ...]


class Elementwise(Op):
    """Works on elements that meet by broadcasting: as the operands lie, so lies the result."""

    def reordered(self, forms: Forms, inputs: Types, outputs: Types) -> Reordered | None:
        lead = leading(forms, inputs)
        if lead is None:
            return None
        wanted = tuple(lead if x.rank else plain_form(0) for x in inputs)
        rank = len(lead.order)
        given = tuple(lead if x.rank == rank else plain_form(x.rank) for x in outputs)
        return Reordered(self, wanted, given)


def leading(forms: Forms, inputs: Types) -> Form | None:
    """The form that all operands can take on; None where that is the language's."""
    ranked = [(form, x) for form, x in zip(forms, inputs, strict=True) if x.rank]
    rank = max((x.rank for _, x in ranked), default=0)
    if any(form.grid for form, _ in ranked):
        alike = len({form for form, _ in ranked}) == 1 and all(x.rank == rank for _, x in ranked)
        return ranked[0][0] if alike else None
    return next((form for form, x in ranked if x.rank == rank and not form.is_plain), None)


def order_of(form: Form) -> Order | None:
    """The order of a value's axes, where that is all that differs from the language's."""
    return None if form.is_plain or form.grid else form.order
