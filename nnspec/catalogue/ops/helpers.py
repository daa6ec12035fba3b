"""Checks that many shape rules share."""

from __future__ import annotations

from nnspec.catalogue.ops.base import ShapeError
from nnspec.core.dims import Dim, Shape
from nnspec.core.types import TensorType


def need_rank(x: TensorType, *ranks: int, what: str, operand: int = 0) -> None:
    """`what` completes "expects ...": "an image [N, H, W, C]"."""
    if x.rank not in ranks:
        raise ShapeError(f"expects {what}, found {x}", operand)


def need_float(*inputs: TensorType) -> None:
    for i, x in enumerate(inputs):
        if not x.is_float:
            raise ShapeError(
                f"expects numbers with a fraction, found {x}", i, help="convert with `cast(x, f32)`"
            )


def need_integer(x: TensorType, what: str, operand: int) -> None:
    if x.is_float or x.dtype == "bool":
        raise ShapeError(f"expects {what}, found {x}", operand, help="convert with `cast(x, i64)`")


def need_number(size: Dim, what: str, operand: int = 0) -> int:
    """A size that weights depend on must be known when compiling."""
    if not isinstance(size, int):
        raise ShapeError(f"{what} must be a number to make weights, found `{size}`", operand)
    return size


def same_dtype(*inputs: TensorType) -> str:
    first = inputs[0].dtype
    for i, x in enumerate(inputs[1:], 1):
        if x.dtype != first:
            raise ShapeError(
                f"mixes {first} and {x.dtype}", 0, i, help=f"convert one with `cast(x, {first})`"
            )
    return first


def normal_axis(axis: int, rank: int) -> int:
    if not -rank <= axis < rank:
        raise ShapeError(f"has no axis {axis}: {rank} axes are counted from 0 to {rank - 1}", 0)
    return axis % rank


def normal_axes(axes: tuple[int, ...], rank: int) -> tuple[int, ...]:
    """Axes counted from 0, in order, each of which may be named once."""
    normal = sorted(normal_axis(a, rank) for a in axes)
    if len(set(normal)) < len(normal):
        raise ShapeError(f"names an axis twice: {list(axes)}", 0)
    return tuple(normal)


def broadcast(a: TensorType, b: TensorType) -> Shape:
    """NumPy's rule; a symbolic size meets itself or 1."""
    rank = max(a.rank, b.rank)
    left = (1,) * (rank - a.rank) + a.shape
    right = (1,) * (rank - b.rank) + b.shape
    result: list[Dim] = []
    for i, (m, n) in enumerate(zip(left, right, strict=True)):
        if m != n and m != 1 and n != 1:
            raise ShapeError(
                f"cannot combine {a} with {b}: axis {i - rank} is {m} here and {n} there", 0, 1
            )
        result.append(n if m == 1 else m)
    return tuple(result)


def without(shape: Shape, axes: tuple[int, ...], keepdims: bool) -> Shape:
    """The shape after a reduction."""
    if keepdims:
        return tuple(1 if i in axes else d for i, d in enumerate(shape))
    return tuple(d for i, d in enumerate(shape) if i not in axes)


def need_numbers(*inputs: TensorType) -> None:
    for i, x in enumerate(inputs):
        if x.dtype == "bool":
            raise ShapeError(f"expects numbers, found {x}", i, help="convert with `cast(x, f32)`")


def numbers(sizes: Shape) -> tuple[int, ...]:
    """Sizes that have to be numbers by now."""
    known = tuple(d for d in sizes if isinstance(d, int))
    if len(known) < len(sizes):
        unknown = next(d for d in sizes if not isinstance(d, int))
        raise ShapeError(f"needs a number for the size {unknown}")
    return known
