"""Images in the language's order of axes, wherever the target keeps the channels."""

from __future__ import annotations

from nnspec.core.dims import Shape
from nnspec.core.types import TensorType


def image(x: TensorType, channels_first: bool) -> Shape:
    """N, H, W, C of an image in either layout."""
    if not channels_first:
        return x.shape
    n, c, *space = x.shape
    return (n, *space, c)


def place(x: TensorType, shape: Shape, channels_first: bool) -> TensorType:
    """The type of an image given as N, H, W, C, in either layout."""
    if not channels_first:
        return x.with_shape(shape)
    n, *space, c = shape
    return x.with_shape((n, c, *space))
