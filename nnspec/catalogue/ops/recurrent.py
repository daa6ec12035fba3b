"""Recurrent layers over sequences `[N, T, C]`."""

from __future__ import annotations

from collections.abc import Iterator

from nnspec.catalogue.initializers import ForgetBias, GlorotUniform, Orthogonal
from nnspec.catalogue.ops.base import Example, Op, WeightSpec, declare
from nnspec.catalogue.ops.helpers import need_float, need_number, need_rank
from nnspec.core.dims import Dim, symbol
from nnspec.core.fields import arg
from nnspec.core.kinds import boolean, choice, whole
from nnspec.core.types import TensorType

N, T = symbol("N"), symbol("T")


@declare
class LSTM(Op):
    """Long short-term memory (Hochreiter and Schmidhuber 1997), sigmoid gates and tanh.

    `[N, T, C]` becomes, by `returns`: `"sequence"` `[N, T, units]`; `"last"` `[N, units]`, the final
    state; `"all"` the sequence, the final state and the final cell. `bidirectional` doubles `units`:
    forward, then backward, each with its own final state. States begin at zero. `layers` stacks.
    """

    name = "LSTM"
    units: int = arg("size of the state", whole(1))
    returns: str = arg("what is returned", choice("sequence", "last", "all"), default="sequence")
    bidirectional: bool = arg("whether a second one reads backwards", boolean, default=False)
    layers: int = arg("how many are stacked", whole(1), default=1)

    @property
    def directions(self) -> int:
        return 2 if self.bidirectional else 1

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        (x,) = inputs
        need_rank(x, 3, what="a sequence [N, T, C]")
        need_float(x)
        n, t, _ = x.shape
        width = self.units * self.directions
        sequence, state = x.with_shape((n, t, width)), x.with_shape((n, width))
        return {"sequence": (sequence,), "last": (state,), "all": (sequence, state, state)}[
            self.returns
        ]

    def weights(self, *inputs: TensorType) -> tuple[WeightSpec, ...]:
        width = need_number(inputs[0].shape[-1], "the last axis")
        specs: list[WeightSpec] = []
        for layer in range(self.layers):
            size = width if layer == 0 else self.units * self.directions
            for suffix in ("", "_reverse")[: self.directions]:
                name, gates = f"l{layer}{suffix}", 4 * self.units
                specs += [
                    WeightSpec(
                        f"weight_ih_{name}", (gates, size), GlorotUniform(), fans=(size, gates)
                    ),
                    WeightSpec(f"weight_hh_{name}", (gates, self.units), Orthogonal()),
                    WeightSpec(f"bias_{name}", (gates,), ForgetBias(self.units)),
                ]
        return tuple(specs)

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        n, t, width = inputs[0].shape
        total: Dim = 0
        for layer in range(self.layers):
            size = width if layer == 0 else self.units * self.directions
            total = total + n * t * (size + self.units) * (8 * self.units * self.directions)
        return total

    @classmethod
    def examples(cls) -> Iterator[Example]:
        x = TensorType("f32", (N, 5, 3))
        yield Example(cls(4), (x,))
        yield Example(cls(4, "last"), (TensorType("f32", (N, T, 3)),))
        yield Example(cls(4, "all"), (x,))
        yield Example(cls(4, "sequence", True), (x,))
        yield Example(cls(4, "last", True), (x,))
        yield Example(cls(4, "last", False, 2), (x,))
        yield Example(cls(3, "all", True, 2), (x,))
