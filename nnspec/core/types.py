"""The type of a tensor: what its elements are, and how many along each axis."""

from __future__ import annotations

from dataclasses import dataclass

from nnspec.core.dims import Dim, Shape, show
from nnspec.core.dtypes import FLOATS


@dataclass(frozen=True, slots=True)
class TensorType:
    """`f32[N, 28, 28, 1]`: name of the element type, and size along each axis."""

    dtype: str
    shape: Shape

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def is_float(self) -> bool:
        return self.dtype in FLOATS

    def with_shape(self, shape: tuple[Dim, ...]) -> TensorType:
        return TensorType(self.dtype, tuple(shape))

    def __str__(self) -> str:
        return self.dtype + show(self.shape)
