"""Recurrent layers over sequences `[N, T, C]`."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar

from nnspec.catalogue.initializers import ForgetBias, GlorotUniform, Initializer, Orthogonal, Zeros
from nnspec.catalogue.ops.base import Example, Op, Operand, ShapeError, WeightSpec, declare
from nnspec.catalogue.ops.derivatives import at, part
from nnspec.catalogue.ops.helpers import need_float, need_number, need_rank, same_dtype
from nnspec.catalogue.ops.normalization import Dropout
from nnspec.catalogue.ops.site import Site, Term
from nnspec.core.declare import declaration
from nnspec.core.dims import Dim, Shape, symbol
from nnspec.core.fields import arg
from nnspec.core.kinds import boolean, choice, one_of, real, whole
from nnspec.core.types import TensorType

N, T = symbol("N"), symbol("T")


SEQUENCE = Operand("x", "a sequence [N, T, C]")
STATE = Operand("state", "with what it begins; zeros by default", optional=True)


@declaration
class Recurrent(Op):
    """What recurrent layers share: stacking, directions, what is returned. A subclass says one step.

    gates: how many blocks of `units` rows the matrices have. states: how many tensors are handed on.
    biases: roles of the biases, before the name of layer and direction.
    """

    operands: ClassVar[tuple[Operand, ...]] = (SEQUENCE, STATE)
    gates: ClassVar[int]
    states: ClassVar[int] = 1
    biases: ClassVar[tuple[str, ...]] = ("bias",)
    units: int = arg("size of the state", whole(1))
    returns: str = arg("what is returned", choice("sequence", "last", "all"), default="sequence")
    bidirectional: bool = arg("whether a second one reads backwards", boolean, default=False)
    layers: int = arg("how many are stacked", whole(1, 256), default=1)
    dropout: float = arg(
        "share of what one layer hands to the next that is set to zero in training",
        real(0, 1, open_high=True),
        default=0.0,
    )

    @property
    def directions(self) -> int:
        return 2 if self.bidirectional else 1

    @property
    def stochastic(self) -> bool:
        return self.dropout > 0

    @property
    def modal(self) -> bool:
        return self.dropout > 0

    def settled(self) -> Op:
        return replace(self, dropout=0.0)

    @abstractmethod
    def step(
        self, to: Site, x: Term, states: tuple[Term, ...], weight: Term, bias: Term | None
    ) -> tuple[Term, ...]:
        """New states, the first of which is put out.

        x: what the input contributes to the gates, side by side. weight, bias: of the old state.
        """

    def bias_initializer(self) -> Initializer:
        """How the (input's) bias begins."""
        return Zeros()

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        x, *initial = inputs
        need_rank(x, 3, what="a sequence [N, T, C]")
        need_float(x)
        if self.dropout and self.layers == 1:
            raise ShapeError(
                "has one layer, and `dropout` stands between layers",
                help=f"`-> Dropout({self.dropout})` before or after it",
            )
        n, t, _ = x.shape
        width = self.units * self.directions
        handed_on = x.with_shape((n, width) if self.layers == 1 else (n, self.layers, width))
        self._begins(x, initial, handed_on.shape)
        sequence, last = x.with_shape((n, t, width)), x.with_shape((n, width))
        everything = (sequence, *(handed_on,) * self.states)
        return {"sequence": (sequence,), "last": (last,), "all": everything}[self.returns]

    def _begins(self, x: TensorType, initial: list[TensorType], shape: Shape) -> None:
        """Check the states that it begins with."""
        if not initial:
            return
        if len(initial) < self.states:
            raise ShapeError(f"begins with {self.states} states, found {len(initial)}", 1)
        same_dtype(x, *initial)
        for i, state in enumerate(initial, 1):
            if state.shape != shape:
                wanted = f"begins with {x.with_shape(shape)}, found {state}"
                way = f"a state for each of {self.layers} layers: `stack(first, second, axis = 1)`"
                raise ShapeError(wanted, i, help=way if self.layers > 1 else None)

    def expand(self, to: Site, x: Term, *initial: Term, **weights: Term) -> tuple[Term, ...]:
        """Step after step: how many is a number."""
        count = x.shape[1]
        if not isinstance(count, int):
            raise ShapeError(f"needs a number of steps, found {x.type}", 0)
        zeros = to.broadcast_to(to.number(0, x.dtype), (x.shape[0], self.units))
        ends: list[list[Term]] = [[] for _ in range(self.states)]
        for layer in range(self.layers):
            if self.dropout and layer:
                (x,) = to.apply(Dropout(self.dropout), x)
            given = [each if self.layers == 1 else at(to, each, 1, layer) for each in initial]
            sides: list[Term] = []
            final: list[tuple[Term, ...]] = []
            for side in range(self.directions):
                name = f"l{layer}{'_reverse' if side else ''}"
                order = range(count)[::-1] if side else range(count)
                begin = (zeros,) * self.states
                if given:
                    begin = tuple(self.gate(to, each, side) for each in given)
                steps, states = self.along(to, x, begin, name, list(order), weights)
                sides.append(to.stack(*(steps[::-1] if side else steps), axis=1))
                final.append(states)
            x = sides[0] if len(sides) == 1 else to.concat(*sides)
            for state, both in zip(ends, zip(*final, strict=True), strict=True):
                state.append(both[0] if len(both) == 1 else to.concat(*both))
        if self.returns != "all":
            return (x if self.returns == "sequence" else ends[0][-1],)
        return x, *(state[0] if self.layers == 1 else to.stack(*state, axis=1) for state in ends)

    def along(
        self,
        to: Site,
        x: Term,
        states: tuple[Term, ...],
        name: str,
        order: list[int],
        weights: dict[str, Term],
    ) -> tuple[list[Term], tuple[Term, ...]]:
        """What one direction of one layer puts out, in the order in which it reads; its final states."""
        from_x = x @ to.transpose(weights[f"weight_ih_{name}"])
        from_x = from_x + weights[f"{self.biases[0]}_{name}"]
        weight = to.transpose(weights[f"weight_hh_{name}"])
        bias = weights[f"{self.biases[1]}_{name}"] if len(self.biases) > 1 else None
        put_out = []
        for t in order:
            states = self.step(to, at(to, from_x, 1, t), states, weight, bias)
            put_out.append(states[0])
        return put_out, states

    def gate(self, to: Site, gates: Term, number: int) -> Term:
        """One of the blocks that lie side by side."""
        return part(to, gates, gates.rank - 1, number * self.units, (number + 1) * self.units)

    def weights(self, *inputs: TensorType) -> tuple[WeightSpec, ...]:
        width = need_number(inputs[0].shape[-1], "the last axis")
        specs: list[WeightSpec] = []
        for layer in range(self.layers):
            size = width if layer == 0 else self.units * self.directions
            for suffix in ("", "_reverse")[: self.directions]:
                name, rows = f"l{layer}{suffix}", self.gates * self.units
                specs += [
                    WeightSpec(
                        f"weight_ih_{name}", (rows, size), GlorotUniform(), fans=(size, rows)
                    ),
                    WeightSpec(f"weight_hh_{name}", (rows, self.units), Orthogonal()),
                    WeightSpec(f"{self.biases[0]}_{name}", (rows,), self.bias_initializer()),
                    *(WeightSpec(f"{b}_{name}", (rows,), Zeros()) for b in self.biases[1:]),
                ]
        return tuple(specs)

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        n, t, width = inputs[0].shape
        total: Dim = 0
        for layer in range(self.layers):
            size = width if layer == 0 else self.units * self.directions
            rows = self.gates * self.units * self.directions
            total = total + n * t * (size + self.units) * (2 * rows)
        return total

    @classmethod
    def examples(cls) -> Iterator[Example]:
        x = TensorType("f32", (N, 5, 3))
        yield Example(cls(4), (x,))
        yield Example(cls(4, "last"), (x,))
        yield Example(cls(4, "all"), (x,))
        yield Example(cls(4, "sequence", True), (x,))
        yield Example(cls(4, "last", True), (x,))
        yield Example(cls(4, "last", False, 2), (x,))
        yield Example(cls(3, "all", True, 2), (x,))
        one, two = (x.with_shape((N, size)) for size in (4, 8))
        yield Example(cls(4), (x, *(one,) * cls.states))
        yield Example(cls(4, "last"), (x.with_shape((N, T, 3)), *(one,) * cls.states))
        yield Example(cls(4, "last", True), (x, *(two,) * cls.states))
        yield Example(cls(4, "all", True), (x, *(two,) * cls.states))
        yield Example(cls(4, "all", layers=2), (x,))
        stacked, both = (x.with_shape((N, 3, size)) for size in (4, 8))
        yield Example(cls(4, "all", layers=3), (x, *(stacked,) * cls.states))
        yield Example(cls(4, "all", True, 3), (x.with_shape((N, T, 3)), *(both,) * cls.states))
        yield Example(cls(4, "last", layers=3, dropout=0.5), (x, *(stacked,) * cls.states))
        yield Example(cls(4, "all", True, 2, 0.3), (x,))
        yield Example(cls(4, layers=2, dropout=0.3), (x,))


@declare
class LSTM(Recurrent):
    """Long short-term memory (Hochreiter and Schmidhuber 1997), sigmoid gates and tanh.

    `[N, T, C]` becomes, by `returns`: `"sequence"` `[N, T, units]`; `"last"` `[N, units]`, the final
    state; `"all"` the sequence, the final state and the final cell. `bidirectional` doubles `units`:
    forward, then backward, each with its own final state. `layers` stacks: then `"last"` is the state of the last
    layer, and of `"all"` state and cell are `[N, layers, units]`. `dropout` stands between the layers. It begins with zeros, or with a state and a cell as
    `"all"` returns them: `LSTM(64)(x, state, cell)`.
    """

    name = "LSTM"
    operands = (SEQUENCE, STATE, Operand("cell", "the cell that it begins with", optional=True))
    gates = 4
    states = 2

    def bias_initializer(self) -> Initializer:
        return ForgetBias(self.units)

    def step(
        self, to: Site, x: Term, states: tuple[Term, ...], weight: Term, bias: Term | None
    ) -> tuple[Term, ...]:
        h, c = states
        gates = x + h @ weight
        i, f, g, o = (self.gate(to, gates, n) for n in range(4))
        c = to.sigmoid(f) * c + to.sigmoid(i) * to.tanh(g)
        return to.sigmoid(o) * to.tanh(c), c

    @classmethod
    def examples(cls) -> Iterator[Example]:
        yield from super().examples()
        yield Example(cls(4, "last"), (TensorType("f32", (N, T, 3)),))


@declare
class GRU(Recurrent):
    """Gated recurrent unit (Cho et al. 2014), the reset gate after the product with the state.

    `[N, T, C]` becomes, by `returns`: `"sequence"` `[N, T, units]`; `"last"` `[N, units]`, the final
    state; `"all"` both. `bidirectional` doubles `units`: forward, then backward. `layers` stacks: then `"last"` is
    the state of the last layer, and that of `"all"` is `[N, layers, units]`. `dropout` stands between the layers. It begins with zeros, or with a state
    as `"all"` returns it: `GRU(64)(x, state)`.
    """

    name = "GRU"
    gates = 3
    biases = ("bias_ih", "bias_hh")

    def step(
        self, to: Site, x: Term, states: tuple[Term, ...], weight: Term, bias: Term | None
    ) -> tuple[Term, ...]:
        (h,) = states
        from_h = h @ weight
        from_h = from_h if bias is None else from_h + bias
        reset, update = (to.sigmoid(self.gate(to, x, n) + self.gate(to, from_h, n)) for n in (0, 1))
        new = to.tanh(self.gate(to, x, 2) + reset * self.gate(to, from_h, 2))
        return ((1 - update) * new + update * h,)


@declare
class RNN(Recurrent):
    """The plain recurrent layer (Elman 1990): `h = tanh(x W + b + h U)`, or `relu` in place of `tanh` where `activation`
    says so (Le et al. 2015).

    `[N, T, C]` becomes, by `returns`: `"sequence"` `[N, T, units]`; `"last"` `[N, units]`, the final
    state; `"all"` both. `bidirectional` doubles `units`: forward, then backward. `layers` stacks: then `"last"` is
    the state of the last layer, and that of `"all"` is `[N, layers, units]`. `dropout` stands between the layers. It begins with zeros, or with a state
    as `"all"` returns it: `RNN(64)(x, state)`.
    """

    name = "RNN"
    gates = 1
    activation: str = arg("of each step", one_of("tanh", "relu"), default="tanh")

    def step(
        self, to: Site, x: Term, states: tuple[Term, ...], weight: Term, bias: Term | None
    ) -> tuple[Term, ...]:
        total = x + states[0] @ weight
        return (to.relu(total) if self.activation == "relu" else to.tanh(total),)

    @classmethod
    def examples(cls) -> Iterator[Example]:
        yield from super().examples()
        x = TensorType("f32", (N, 5, 3))
        yield Example(cls(4, activation="relu"), (x,))
        yield Example(cls(4, "all", True, 2, activation="relu"), (x,))
        yield Example(cls(4, "last", activation="relu"), (x, x.with_shape((N, 4))))
