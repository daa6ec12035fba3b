"""What an expression can be while a spec is worked out.

Compile-time values are Python's own (`int float bool str None list tuple range`), sizes (`Sym`) and
tensors (`graph.Value`). The rest are layers, and names that stand for something of the catalogue.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nnspec.catalogue.data.catalogue import DataSource
from nnspec.catalogue.initializers import Initializer
from nnspec.catalogue.ops import OPS, Op
from nnspec.catalogue.settings import Best, Making
from nnspec.core.dims import Sym
from nnspec.graph.graph import Value, Weight
from nnspec.graph.training import Network
from nnspec.report.source import Span
from nnspec.syntax import tree


class Poison:
    """What a statement that failed leaves behind; using it fails in silence."""


POISON = Poison()


class Poisoned(Exception):
    """Something was built on what failed before; it has been reported."""


@dataclass(frozen=True)
class Reference:
    """A name of the catalogue, not yet constructed or applied.

    kind: "op", "initializer", "data", "builtin", "grad", "scan", "average"; "library": a block that ships with nnspec.
    """

    kind: str
    name: str
    target: Any


@dataclass(frozen=True, eq=False)
class BlockReference:
    """A block or model, and the module in whose names its body is read."""

    declaration: tree.Block
    module: Any

    @property
    def name(self) -> str:
        return self.declaration.name.text

    @property
    def inputs(self) -> list[tree.TypedName]:
        """What it takes, in order."""
        return [n for s in self.declaration.body if isinstance(s, tree.Input) for n in s.names]

    @property
    def is_function(self) -> bool:
        """Whether it is called with its tensors, and keeps nothing: its name says so."""
        return not self.declaration.is_model and self.name[0].islower()


@dataclass(eq=False)
class Layer:
    """Something that can be applied. It gets a place in a graph when bound or first applied.

    owner: path of the graph it belongs to (None: not placed yet); local: its name there; wanted: what
    `as` calls it, from its first application on.
    """

    span: Span
    owner: str | None = field(default=None, kw_only=True)
    local: str = field(default="", kw_only=True)
    bound: str | None = field(default=None, kw_only=True)
    wanted: str | None = field(default=None, kw_only=True)

    @property
    def path(self) -> str:
        return f"{self.owner}.{self.local}" if self.owner else self.local

    def clone(self) -> Layer:
        """The same construction with weights of its own."""
        copy = self._copy()
        copy.wanted = self.wanted
        return copy

    def _copy(self) -> Layer:
        raise NotImplementedError

    def parts(self) -> Sequence[Any]:
        """What a clone has clones of."""
        return ()


@dataclass(eq=False)
class OpLayer(Layer):
    """A layer of the catalogue; `weights` from its first application on."""

    op: Op
    activation: Any = None
    weights: tuple[Weight, ...] | None = None

    def _copy(self) -> Layer:
        return OpLayer(self.span, self.op, clone(self.activation))

    def parts(self) -> Sequence[Any]:
        return (self.activation,)


@dataclass(eq=False)
class BlockLayer(Layer):
    """An instance of a block or model."""

    block: BlockReference
    arguments: dict[str, Any]

    def _copy(self) -> Layer:
        return BlockLayer(self.span, self.block, {k: clone(v) for k, v in self.arguments.items()})

    def parts(self) -> Sequence[Any]:
        return tuple(self.arguments.values())


@dataclass(eq=False)
class FunctionLayer(Layer):
    """A function waiting for its first operand: `softmax`, `reshape([N, 4])`, `add(y)`."""

    op: type[Op]
    positional: tuple[tuple[Any, Span], ...] = ()
    named: Mapping[str, tuple[Any, Span, Span]] = field(default_factory=dict)

    def _copy(self) -> Layer:
        return FunctionLayer(self.span, self.op, self.positional, self.named)


@dataclass(eq=False)
class BlockFunction(Layer):
    """A function of the writer's waiting for its tensors: `dice`, `dice(smooth = 2.0)`."""

    block: BlockReference
    positional: tuple[tuple[Any, Span], ...] = ()
    named: Mapping[str, tuple[Any, Span, Span]] = field(default_factory=dict)

    def _copy(self) -> Layer:
        return BlockFunction(self.span, self.block, self.positional, self.named)


@dataclass(eq=False)
class SequenceLayer(Layer):
    """`f -> g`: stages applied one after the other."""

    stages: list[Any]

    def _copy(self) -> Layer:
        return SequenceLayer(self.span, [clone(s) for s in self.stages])

    def parts(self) -> Sequence[Any]:
        return self.stages


@dataclass(eq=False)
class ParallelLayer(Layer):
    """`(f | g)`: branches applied to the same input."""

    branches: list[Any]

    def _copy(self) -> Layer:
        return ParallelLayer(self.span, [clone(b) for b in self.branches])

    def parts(self) -> Sequence[Any]:
        return self.branches


@dataclass(eq=False)
class RepeatLayer(Layer):
    """`f * n`: clones applied one after the other, named `local.0`, `local.1`, ...; none leave all as it is."""

    items: list[Any]

    def _copy(self) -> Layer:
        return RepeatLayer(self.span, [clone(i) for i in self.items])

    def parts(self) -> Sequence[Any]:
        return self.items


@dataclass(frozen=True, eq=False)
class ScheduleValue:
    """`Cosine(1e-3, steps = 100)` in a training program: a number that changes with the step."""

    block: BlockReference
    arguments: dict[str, Any]
    span: Span


@dataclass(frozen=True, eq=False)
class OptimizerValue:
    """`Adam(lr = 1e-3)`: an optimizer that a `minimize` can use; one object is one optimizer."""

    block: BlockReference
    arguments: dict[str, Any]
    span: Span
    making: Making = Making()

    def key(self) -> str:
        """Equal for two that mean the same."""
        return f"{self.block.name} {self.making} {_key(self.arguments)}"


def _key(arguments: Mapping[str, Any]) -> str:
    return " ".join(
        f"{n}={v.block.name}({_key(v.arguments)})" if isinstance(v, ScheduleValue) else f"{n}={v!r}"
        for n, v in sorted(arguments.items())
    )


@dataclass(frozen=True, eq=False)
class Average:
    """`average(net, decay = 0.99)`, before it has the name under which it is a network."""

    network: Network
    decay: float
    span: Span


@dataclass(frozen=True, eq=False)
class Part:
    """What `net.head` names: everything whose weights begin with a path, the network's name in front."""

    path: str
    network: Network


@dataclass(frozen=True)
class Role:
    """`bias` in `no_decay = [bias, norm]`: what a weight can be (`nnspec.graph.decay.ROLES`)."""

    name: str


def clone(value: Any) -> Any:
    """Layers anew, everything else as it is."""
    return value.clone() if isinstance(value, Layer) else value


def is_layer(value: Any) -> bool:
    """Whether it can stand in a pipe after `->`."""
    match value:
        case Reference(kind="op") | BlockReference() | Layer() | Network():
            return True
        case Reference(kind="builtin", name=name):
            return name in OPS
        case _:
            return False


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def are_numbers(value: Any) -> bool:
    """A list of numbers, or of lists of them, which beside a tensor becomes one."""
    return isinstance(value, range) or (
        isinstance(value, list) and all(is_number(v) or are_numbers(v) for v in value)
    )


def is_size(value: Any) -> bool:
    return isinstance(value, Sym) or isinstance(value, int) and not isinstance(value, bool)


def describe(value: Any) -> str:
    """A value in the words of a message."""
    match value:
        case None:
            return "none"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return f"the number {value}"
        case str():
            return f'the string "{value if len(value) < 40 else value[:37] + "..."}"'
        case Sym():
            return f"the size {value}"
        case list() | range():
            return "a list" if len(value) else "an empty list"
        case tuple():
            return f"a tuple of {len(value)}"
        case Value():
            return f"a tensor {value.type}"
        case Reference(kind="op", name=name) if name[0].isupper():
            return f"the layer `{name}`"
        case Reference(name=name):
            return (
                f"the function `{name}`"
                if value.kind in ("op", "builtin", "grad", "scan", "average")
                else f"`{name}`"
            )
        case BlockFunction(block=block):
            return f"the function `{block.name}`"
        case BlockReference():
            kind = "model" if value.declaration.is_model else "block"
            return f"the {'function' if value.is_function else kind} `{value.name}`"
        case Network():
            return f"the network `{value.name}`"
        case Role(name=name):
            return f"the role `{name}`"
        case Average(network=network):
            return f"an average of `{network.name}`"
        case Part():
            return f"the part `{value.path}` of a network"
        case OpLayer():
            return f"a {value.op.name} layer"
        case BlockLayer():
            return f"a `{value.block.name}`"
        case FunctionLayer():
            return f"the function `{value.op.name}`"
        case Layer():
            return "a layer"
        case Initializer():
            return f"the initialiser {value.name}"
        case OptimizerValue():
            return f"the optimizer {value.block.name}"
        case ScheduleValue():
            return f"the schedule {value.block.name}"
        case Best():
            return f"the epoch in which `{value.figure}` is best"
        case DataSource():
            return f"the data set {value.name}"
        case _:
            return "something else"
