"""What a run of the definition takes, found from types before an array is made; what is beyond bounds is refused.

The model is walked as it will be, expansions and derivatives too, at a site whose terms have types and no arrays.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nnspec.catalogue.ops.base import Op
from nnspec.catalogue.ops.site import Term
from nnspec.core.dims import Dim, product
from nnspec.core.dtypes import DTYPES, of_array
from nnspec.core.types import TensorType
from nnspec.graph.evaluate.arrays import Array, ArraySite
from nnspec.graph.evaluate.interpreter import Interpreter
from nnspec.graph.graph import Step
from nnspec.report.diagnostics import Diagnostic, Label, SpecError
from nnspec.report.source import Span

ELEMENTS = 2**31
OPERATIONS = 2**40
PRIMITIVES = 2**17
"""Elements of all values together (16 GiB in f64), operations on numbers (a minute or so), primitives applied (some
seconds; a recurrent layer applies some twenty in each time step)."""


class CountingSite(ArraySite):
    """Terms have types alone; what they would take is added up, and refused (E0803) beyond the bounds.

    span: of the step that is being counted.
    """

    def __init__(self, *, training: bool = False) -> None:
        super().__init__(training=training)
        self.span: Span | None = None
        self.elements = self.operations = 0

    def term(self, array: Array) -> Term:
        """An array as a term without it."""
        dtype = of_array(array)
        assert dtype is not None
        self._spend(array.size, 0, array.size)
        return Term(self, TensorType(dtype.name, array.shape))

    def primitive(self, op: Op, operands: tuple[Term, ...]) -> tuple[Term, ...]:
        inputs = tuple(t.type for t in operands)
        types = op.infer(*inputs)
        made = sum(_number(product(t.shape)) for t in types)
        beside = _number(op.workspace(inputs, types))
        self._spend(made, _number(op.flops(inputs, types)), made + beside)
        return tuple(Term(self, t) for t in types)

    def _spend(self, elements: int, operations: int, now: int) -> None:
        most = self.elements + now
        self.elements += elements
        self.operations += operations
        if most > ELEMENTS:
            raise self._refused(f"values of {most:_} elements", ELEMENTS)
        if self.operations > OPERATIONS:
            raise self._refused(f"{self.operations:_} operations on numbers", OPERATIONS)
        if len(self.applied) > PRIMITIVES:
            raise self._refused(f"{len(self.applied):_} primitives and more", PRIMITIVES)

    def _refused(self, what: str, limit: int) -> SpecError:
        return SpecError(
            Diagnostic(
                "E0803",
                f"the definition would take {what}, beyond its limit of {limit:_}",
                Label(self.span, "no further than here") if self.span else None,
                helps=(
                    "give it smaller inputs (a smaller batch, fewer time steps), or run it in a target: "
                    "`nnspec run` without `--device definition`",
                ),
            )
        )


class Forecast(Interpreter):
    """Walks steps as an interpreter does, without arrays."""

    def __init__(self, *, training: bool = False, **state: Any) -> None:
        self.counting = CountingSite(training=training)
        super().__init__(self.counting, **state)

    def precise(self, array: Array, dtype: str) -> Array:
        kind: Any = DTYPES[self.wanted(dtype)].numpy
        return np.broadcast_to(np.zeros((), kind), np.shape(array))

    def step(self, step: Step) -> None:
        self.counting.span = step.span or self.counting.span
        super().step(step)


def _number(size: Dim) -> int:
    """A size whose names were all bound."""
    assert isinstance(size, int)
    return size
