"""What the gradients of many primitives share."""

from __future__ import annotations

from nnspec.catalogue.ops.site import Site, Term
from nnspec.core.dims import Dim, Shape, product
from nnspec.core.types import TensorType

Terms = tuple[Term, ...]
Flows = tuple[Term | None, ...]


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


def kept(to: Site, reduced: Term, shape: Shape, axes: tuple[int, ...]) -> Term:
    """The result of a reduction of `shape` with the axes that vanished, of size 1."""
    wanted = tuple(1 if i in axes else d for i, d in enumerate(shape))
    return reduced if reduced.shape == wanted else to.reshape(reduced, wanted)


def repeated(to: Site, reduced: Term, shape: Shape, axes: tuple[int, ...]) -> Term:
    """The result of a reduction, repeated along the axes that vanished."""
    return to.broadcast_to(kept(to, reduced, shape, axes), shape)


def count_of(to: Site, x: Term, axes: tuple[int, ...]) -> Term | int:
    """How many elements of `x` lie along the axes: a number, or a scalar where a size is symbolic."""
    sizes = tuple(x.shape[i] for i in axes)
    count = product(sizes)
    if isinstance(count, int):
        return count
    return to.sum(to.broadcast_to(to.number(1, x.dtype), sizes))


def part(to: Site, x: Term, axis: int, start: Dim, end: Dim | None, step: int = 1) -> Term:
    """`x[..., start:end:step, ...]` along one axis."""

    def along(value: Dim | None, others: int | None) -> tuple[Dim | None, ...]:
        return tuple(value if i == axis else others for i in range(x.rank))

    steps = tuple(step if i == axis else 1 for i in range(x.rank))
    return to.slice(x, starts=along(start, None), ends=along(end, None), steps=steps)


def at(to: Site, x: Term, axis: int, index: int) -> Term:
    """`x[..., index, ...]`, without the axis."""
    starts = tuple(index if i == axis else None for i in range(x.rank))
    ends = tuple(index + 1 if i == axis else None for i in range(x.rank))
    return to.slice(x, starts=starts, ends=ends, steps=(1,) * x.rank, squeeze=(axis,))
