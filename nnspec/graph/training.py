"""A training program: networks, a batch, and the statements of one step in order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Union

from nnspec.catalogue.ops.base import Op, Operand, Reordered
from nnspec.catalogue.settings import Settings
from nnspec.core.declare import declaration
from nnspec.core.orders import Form
from nnspec.core.types import TensorType
from nnspec.graph.graph import Call, Graph, Node, Value
from nnspec.graph.updates import Update
from nnspec.report.source import Span


@dataclass(frozen=True, eq=False)
class Network:
    """An instance with weights; `name` is its binding (`net`), and the prefix of its weights where
    a program has several networks.

    follows: the name of the network whose weights its own follow, of the same model: they begin as the
        other's, no update moves them, and after each update of the other they, running statistics too, become
        `decay` times what they were and `1 - decay` times what the other's are.
    """

    name: str
    model: Graph
    span: Span | None = None
    follows: str | None = None
    decay: float = 0.0


@dataclass(frozen=True, eq=False)
class Minimize:
    """One update.

    loss: a scalar value of the step.
    over: paths of what is updated: ("net",), ("other", "head"); never empty (the default, all that
        the loss reaches, has been worked out). What is frozen may lie below them.
    update: the optimizer; the same object in every `Minimize` that shares its state.
    """

    loss: Value
    over: tuple[tuple[str, ...], ...]
    update: Update
    span: Span | None = None
    doc: str | None = None


@declaration
class Derivative(Op):
    """The derivative of a scalar by a tensor. It stands in training programs alone (see `Gradient`): what it
    is depends on the steps before it, so no catalogue holds it."""

    name = "grad"
    hidden = True
    operands = (Operand("loss"), Operand("x"))

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        return (inputs[1],)

    def reordered(
        self,
        forms: tuple[Form, ...],
        inputs: tuple[TensorType, ...],
        outputs: tuple[TensorType, ...],
    ) -> Reordered:
        return Reordered(self, forms, (forms[1],))


@dataclass(frozen=True, eq=False)
class Gradient(Node):
    """`grad(loss, x)` at its place among the steps: a node of the op `Derivative`, so that whatever carries,
    orders or writes nodes takes it as one; targets write it as they write ops, by a rule for `Derivative`.

    loss: a scalar of floats. wrt: a tensor of floats, of the batch or of an earlier step, that the loss
        depends on. What lies between them are the steps from `wrt` to `loss` as they were evaluated
        (networks with the weights that they had then, the same random draws); `stop_gradient` ends it.
    output: of the type of `wrt`; at each place, how much `loss` grows with that element of `wrt`. It is a
        value like any other: a loss may depend on it, so it has a derivative by `wrt`, by other values and
        by the weights of networks between `wrt` and `loss`. `loss` and `wrt` may be used elsewhere too.
    """

    @classmethod
    def of(cls, loss: Value, wrt: Value, span: Span | None, doc: str | None = None) -> Gradient:
        return cls(Derivative(), (loss, wrt), (Value(wrt.type, None, span),), span=span, doc=doc)

    @property
    def loss(self) -> Value:
        return self.inputs[0]

    @property
    def wrt(self) -> Value:
        return self.inputs[1]

    @property
    def output(self) -> Value:
        return self.outputs[0]


@dataclass(frozen=True, eq=False)
class Metric:
    """What is reported for training and validation: of a step's values, each weighted with its rows, the mean.

    value: a scalar; or, where a `summary` makes one number of the means, a tensor (`OverPass.summary`).
    """

    name: str
    value: Value
    span: Span | None = None
    summary: str | None = None


@dataclass(frozen=True, eq=False)
class Repeat:
    """What follows, up to and with the `updates`-th `Minimize` after this, is done `times` times.

    Every pass makes its values anew, and draws anew; it reads nothing that an earlier one made but weights. What
    comes after the loop reads the values of the last pass. No gradient goes into a pass or out of it.
    """

    times: int
    updates: int


TrainStep = Union[Node, Call, Gradient, Minimize, Repeat]


def end_of_loop(steps: Sequence[TrainStep], start: int) -> int:
    """Behind the last step of the loop whose `Repeat` stands at `start`."""
    repeat = steps[start]
    assert isinstance(repeat, Repeat)
    updates = (i for i, s in enumerate(steps) if i > start and isinstance(s, Minimize))
    return 1 + next(islice(updates, repeat.updates - 1, None))


def performed(steps: Sequence[TrainStep]) -> Iterator[Node | Call | Minimize]:
    """The steps as they are carried out, those of a loop over and over."""
    index = 0
    while index < len(steps):
        step = steps[index]
        if isinstance(step, Repeat):
            end = end_of_loop(steps, index)
            for _ in range(step.times):
                yield from performed(steps[index + 1 : end])
            index = end
        else:
            yield step
            index += 1


@dataclass(frozen=True, eq=False)
class Training:
    """A `train` declaration, worked out.

    steps: evaluated in order, once a batch, those behind a `Repeat` several times (`performed`); a `Call`
        whose layer is a network's name applies it; what follows a `Minimize` sees the new weights.
    frozen: paths of networks and of their parts (("net", "backbone")) that are applied as in evaluation
        wherever they stand, and that no `Minimize` updates, also where `over` names what holds them.
    """

    name: str
    networks: tuple[Network, ...]
    batch: tuple[Value, ...]
    steps: tuple[TrainStep, ...]
    metrics: tuple[Metric, ...]
    settings: Settings
    arguments: Mapping[str, object] = field(default_factory=dict)
    span: Span | None = None
    doc: str | None = None
    frozen: tuple[tuple[str, ...], ...] = ()

    def followers(self, update: Minimize) -> tuple[Network, ...]:
        """The networks that take a step after an update, since it moves what they follow."""
        moved = {path[0] for path in update.over}
        return tuple(n for n in self.networks if n.follows in moved)
