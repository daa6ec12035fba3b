"""What the gradients of many primitives share."""

from __future__ import annotations

from nnspec.catalogue.ops.site import Site, Term
from nnspec.core.types import TensorType


def unbroadcast(to: Site, gradient: Term, type: TensorType) -> Term:
    """Sum a gradient over the axes along which an operand of this type was repeated."""
    extra = gradient.rank - type.rank
    repeated = tuple(
        i
        for i, size in enumerate(gradient.shape)
        if i < extra or (type.shape[i - extra] == 1 and size != 1)
    )
    if repeated:
        gradient = to.sum(gradient, axis=repeated, keepdims=True)
    return gradient if gradient.shape == type.shape else to.reshape(gradient, type.shape)
