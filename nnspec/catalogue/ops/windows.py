"""The arithmetic of sliding windows, in one place."""

from __future__ import annotations

from nnspec.catalogue.ops.base import ShapeError
from nnspec.core.dims import Dim, floor, modulo

Pads = tuple[tuple[int, int], ...]
Pad = tuple[Dim, Dim] | str


def extent(kernel: int, dilation: int) -> int:
    """Cells that a dilated kernel spans."""
    return dilation * (kernel - 1) + 1


def window(size: Dim, kernel: int, stride: int, dilation: int, pad: Pad) -> Dim:
    """Number of places at which a window fits along one axis."""
    if pad == "same":
        return floor(size + (stride - 1), stride)
    before, after = (0, 0) if isinstance(pad, str) else pad
    room = size + (before + after - extent(kernel, dilation))
    if isinstance(room, int) and room < 0:
        raise ShapeError(
            f"a window of {extent(kernel, dilation)} does not fit into {size} cells",
            0,
            help='use `padding = "same"`, or a smaller kernel',
        )
    return floor(room, stride) + 1


def whole(size: Dim, kernel: int, stride: int, dilation: int, pad: tuple[int, int]) -> Pad:
    """The padding with what is added at the end so that a last window that reaches beyond it counts, where it begins
    before the end: PyTorch's `ceil_mode`."""
    (before, after), span = pad, extent(kernel, dilation)
    room = size + (before + after - span)
    beyond = (stride - 1) - modulo(room + (stride - 1), stride)
    if stride + after > span:  # the last window may begin behind the end
        if not isinstance(beyond, int):
            raise ShapeError(f"needs a number for the size {size} to know the last window", 0)
        if after + beyond >= span:
            beyond -= stride
        return before, max(after + beyond, 0)
    return before, after + beyond


def pads(size: Dim, kernel: int, stride: int, dilation: int, pad: Pad) -> tuple[Dim, Dim]:
    """Cells added before and after one axis."""
    if not isinstance(pad, str):
        return pad
    if pad == "valid":
        return (0, 0)
    if stride == 1:  # the same for every size
        size = extent(kernel, dilation)
    return same_padding(size, kernel, stride, dilation)


def same_padding(size: Dim, kernel: int, stride: int, dilation: int) -> tuple[Dim, Dim]:
    """What `"same"` adds before and after: the odd cell goes to the end."""
    span = extent(kernel, dilation)
    # The last place begins at the last multiple of the stride.
    total = span - 1 - modulo(size - 1, stride)
    if span < stride:
        # None where the window does not reach the end, which a quotient of 0 or 1 tells.
        total = total * floor(total + stride, stride)
    return floor(total, 2), floor(total + 1, 2)


def cut(
    kernel: int, stride: int, dilation: int, pad: tuple[int, int] | str, more: int
) -> tuple[int, int]:
    """What of the whole result of a transposed convolution is left out before and after; below zero, what is missing.

    more: cells that the result has at its end besides.
    """
    if pad == "same":
        beyond = extent(kernel, dilation) - stride
        return max(beyond, 0) // 2, beyond - max(beyond, 0) // 2 - more
    before, after = (0, 0) if isinstance(pad, str) else pad
    return before, after - more
