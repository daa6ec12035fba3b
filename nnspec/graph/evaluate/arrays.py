"""A site whose terms hold NumPy arrays: applying an op evaluates it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nnspec.catalogue.ops.site import Site, Term
from nnspec.core.dtypes import DTYPES, of_array
from nnspec.core.types import TensorType

if TYPE_CHECKING:
    from nnspec.catalogue.ops.base import Op

Array = np.ndarray[Any, Any]

HALVES = ("f16", "bf16")


class ArraySite(Site):
    """Evaluates. Halves are computed in f32 and rounded after each primitive, as frameworks do on a CPU.

    generator: of random draws; without one, a draw is an error.
    """

    def __init__(
        self, *, training: bool = False, generator: np.random.Generator | None = None
    ) -> None:
        super().__init__(training=training)
        self.generator = generator

    def term(self, array: Any) -> Term:
        """An array as a term."""
        held = np.asarray(array)
        dtype = of_array(held)
        if dtype is None:
            raise TypeError(f"the language has no elements of {held.dtype}")
        return Term(self, TensorType(dtype.name, held.shape), held)

    def primitive(self, op: Op, operands: tuple[Term, ...]) -> tuple[Term, ...]:
        halves = any(t.dtype in HALVES for t in operands)
        arrays = [t.held.astype(np.float32) if t.dtype in HALVES else t.held for t in operands]
        with np.errstate(all="ignore"):
            result = self._draw(op) if op.stochastic else op.evaluate(*arrays)
        several = result if isinstance(result, tuple) else (result,)
        if halves:
            types = op.infer(*(t.type for t in operands))
            several = tuple(
                np.asarray(a).astype(DTYPES[t.dtype].numpy) for a, t in zip(several, types)
            )
        return tuple(map(self.term, several))

    def _draw(self, op: Op) -> Array:
        if self.generator is None:
            raise ValueError(f"`{op.name}` draws, and there is no generator")
        return op.draw(self.generator)
