"""A training program: networks, a batch, and the statements of one step in order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Union

from nnspec.catalogue.optimizers import Optimizer
from nnspec.catalogue.settings import Settings
from nnspec.graph.graph import Call, Graph, Node, Value
from nnspec.graph.updates import Update
from nnspec.report.source import Span


@dataclass(frozen=True, eq=False)
class Network:
    """An instance with weights; `name` is its binding (`net`), and the prefix of its weights where
    a program has several networks."""

    name: str
    model: Graph
    span: Span | None = None


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

    @property
    def optimizer(self) -> Optimizer:
        """The optimizer as a declaration; raises `SpecError` where it is a block of one's own."""
        return self.update.as_declared()


@dataclass(frozen=True, eq=False)
class Metric:
    """A scalar reported for training and validation."""

    name: str
    value: Value
    span: Span | None = None


TrainStep = Union[Node, Call, Minimize]


@dataclass(frozen=True, eq=False)
class Training:
    """A `train` declaration, worked out.

    steps: evaluated in order, once a batch; a `Call` whose layer is a network's name applies it; what
        follows a `Minimize` sees the new weights.
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
