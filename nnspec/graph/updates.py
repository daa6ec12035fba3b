"""Optimizers of a training program: what becomes of a weight, given its gradient."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Union

from nnspec.core.types import TensorType
from nnspec.graph.graph import Graph


@dataclass(frozen=True, eq=False)
class Schedule:
    """A number that changes with the step: what stands for a parameter in `lr = Cosine(...)`.

    block: its name; shipped: whether it is nnspec's own block of that name, not one of the writer's.
    arguments: every parameter with its value, defaults included.
    graph: for an element type of floats, the block as a graph from one scalar `step` of that type,
        counted from 0, to one scalar of that type. The same type gives the same graph.
    """

    block: str
    shipped: bool
    arguments: Mapping[str, Argument]
    graph: Callable[[str], Graph]


Argument = Union[bool, int, float, str, None, list[object], tuple[object, ...], Schedule]
"""What a parameter of an optimizer or schedule can be."""


@dataclass(frozen=True)
class State:
    """What an optimizer keeps of each weight from one update to the next; `initial` in every element."""

    name: str
    type: TensorType
    initial: float


@dataclass(frozen=True, eq=False)
class Rule:
    """An optimizer's block for weights of one type.

    graph: its inputs are the weight `w`, its gradient `g`, the scalar `step` (counted from 1: how many
        updates this weight has had from this optimizer, this one included), a scalar for each of
        `given`, then the states. It puts out the new weight, then the new states. The scalars have
        the weight's element type. It holds functions only, no layer and no weight; a term that has the
        factor 0 (`weight_decay = 0`) is not in it.
    given: parameters that are not one number, in the order of the graph's inputs: of those that a schedule
        gives, the value at `step - 1`; `weight_decay`, where some weights are spared, with 0 for these.
    states: those that matter. One that comes out as it went in, or that nothing reads, does not exist.
    """

    graph: Graph
    given: tuple[str, ...]
    states: tuple[State, ...]


@dataclass(frozen=True, eq=False)
class Update:
    """An optimizer of a program, with its parameters; it is itself and nothing else.

    However many `Minimize` hold the same object, it keeps one set of states for each weight, and counts
    `step` for each weight by itself. Two objects are two optimizers, whatever their parameters.

    block: its name; shipped: whether it is nnspec's own block of that name, not one of the writer's: then
        the name says what it means, and a target may use its framework's class.
    arguments: every parameter of the block with its value, defaults included.
    rule: the block for weights of a type; raises `SpecError` where it does not apply to them. The same
        type gives the same rule.
    every: the update is made on each so-many-th step of the program (its first is 1: with 5, on the
        fifth, the tenth, ...); on the others neither the weights nor the states nor `step` move.
    accumulate: the update is made on each so-many-th step of the program, of the mean of the gradients of
        these steps.
    clip_norm, clip_value: what the gradients are before the rule has them: all that the update moves by
        one factor so that the root of the sum of all their squares is at most this; each element at most
        this and at least its opposite.
    no_decay: the weights (`nnspec.graph.decay`) for which `weight_decay` is 0.
    """

    block: str
    shipped: bool
    arguments: Mapping[str, Argument]
    rule: Callable[[TensorType], Rule]
    every: int = 1
    accumulate: int = 1
    clip_norm: float | None = None
    clip_value: float | None = None
    no_decay: tuple[str | tuple[str, ...], ...] = ()

    def check(self, kinds: Iterable[TensorType]) -> None:
        """Raise `SpecError` where the rule or a schedule does not apply to weights of these types."""
        for kind in kinds:
            self.rule(kind)
            for argument in self.arguments.values():
                if isinstance(argument, Schedule):
                    argument.graph(kind.dtype)

    @property
    def period(self) -> int:
        """How many steps of the program there are to an update."""
        return self.every * self.accumulate

    @property
    def scheduled(self) -> frozenset[str]:
        """The parameters that a schedule gives."""
        return frozenset(n for n, a in self.arguments.items() if isinstance(a, Schedule))
