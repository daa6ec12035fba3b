"""A training program: networks, a batch, and the statements of one step in order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Union

from nnspec.catalogue.optimizers import Optimizer
from nnspec.catalogue.settings import Settings
from nnspec.graph.graph import Call, Graph, Node, Value
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
        the loss reaches, has been worked out).
    optimizer: with its hyperparameters.
    """

    loss: Value
    over: tuple[tuple[str, ...], ...]
    optimizer: Optimizer
    span: Span | None = None
    doc: str | None = None


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
