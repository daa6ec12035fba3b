"""The element types of the language: one row each. What else is asked of a type is a view of its row."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True)
class DType:
    """An element type; `name` is the one in the language.

    bits: as counted, so a boolean has one; it is stored in a byte.
    precision: bits of a float's fraction, the leading one included; 0 for others.
    array: its name in NumPy, or in ml_dtypes where NumPy has none.
    """

    name: str
    bits: int
    kind: Literal["float", "signed", "unsigned", "bool"]
    array: str
    precision: int = 0

    @property
    def bytes(self) -> int:
        return -(-self.bits // 8)

    @property
    def is_float(self) -> bool:
        return self.kind == "float"

    @property
    def is_integer(self) -> bool:
        return self.kind in ("signed", "unsigned")

    @property
    def epsilon(self) -> float:
        """Relative distance between neighbours near one; 0 for types that are exact."""
        return 2.0 ** (1 - self.precision) if self.precision else 0.0

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and the greatest number that it holds."""
        if self.is_float:
            greatest = 2.0 ** (2 ** (self.bits - self.precision - 1) - 1) * (2 - self.epsilon)
            return -greatest, greatest
        if self.kind == "signed":
            return -(2 ** (self.bits - 1)), 2 ** (self.bits - 1) - 1
        return 0, 2**self.bits - 1

    @property
    def numpy(self) -> np.dtype[Any]:
        import numpy as np

        if self.name == "bf16":
            import ml_dtypes

            return np.dtype(ml_dtypes.bfloat16)
        return np.dtype(self.array)

    def __str__(self) -> str:
        return self.name


TABLE = (
    DType("f16", 16, "float", "float16", precision=11),
    DType("bf16", 16, "float", "bfloat16", precision=8),
    DType("f32", 32, "float", "float32", precision=24),
    DType("f64", 64, "float", "float64", precision=53),
    DType("i8", 8, "signed", "int8"),
    DType("u8", 8, "unsigned", "uint8"),
    DType("i32", 32, "signed", "int32"),
    DType("i64", 64, "signed", "int64"),
    DType("bool", 1, "bool", "bool"),
)

DTYPES: dict[str, DType] = {dtype.name: dtype for dtype in TABLE}
FLOATS = tuple(dtype.name for dtype in TABLE if dtype.is_float)
INTEGERS = tuple(dtype.name for dtype in TABLE if dtype.is_integer)


def of_array(array: np.ndarray[Any, Any]) -> DType | None:
    """The type of an array's elements; None where the language has none such."""
    return _of(array.dtype)


@lru_cache(maxsize=64)  # NumPy puts the name together anew each time, and every term is asked
def _of(elements: np.dtype[Any]) -> DType | None:
    return next((dtype for dtype in TABLE if dtype.array == elements.name), None)
