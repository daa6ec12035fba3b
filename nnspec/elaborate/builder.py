"""A graph while it grows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

from nnspec.catalogue.ops import OPS, Op, ShapeError
from nnspec.catalogue.ops.tables import Numbers, shape
from nnspec.core.dims import Sym, product
from nnspec.core.dtypes import DTYPES
from nnspec.core.types import TensorType
from nnspec.elaborate.errors import error, located
from nnspec.elaborate.limits import (
    EDGE,
    ELEMENTS,
    NODE,
    NUMBER,
    TERM,
    Budget,
    beyond,
    check_axes,
)
from nnspec.elaborate.names import Namer
from nnspec.graph.graph import Call, Graph, Node, Value, Weight
from nnspec.report.diagnostics import Label, SpecError
from nnspec.report.source import Span


@dataclass(eq=False)
class Builder:
    """Steps of one graph (or of a training step) in order.

    path: of the instance, "" at the root; weights: of the whole model, by path; foreign: steps whose
    layer belongs to a graph further out (by the owner's path); flat: functions are written out where
    they are called.
    """

    path: str
    budget: Budget
    weights: dict[str, Weight]
    steps: list[Any] = field(default_factory=list)
    free_weights: list[Weight] = field(default_factory=list)
    namer: Namer = field(default_factory=Namer)
    foreign: dict[Any, str] = field(default_factory=dict)
    captured: dict[Value, Value] = field(default_factory=dict)
    doc: str | None = None
    depth: int = 0
    flat: bool = False

    def child(self, path: str) -> Builder:
        return Builder(path, self.budget, self.weights, depth=self.depth + 1, flat=self.flat)

    def take_doc(self) -> str | None:
        """The doc comment of the statement, for the first step that it makes."""
        doc, self.doc = self.doc, None
        return doc

    def apply(
        self,
        op: Op,
        inputs: Sequence[Value],
        span: Span,
        *,
        layer: str | None = None,
        weights: tuple[Weight, ...] = (),
        owner: str | None = None,
    ) -> tuple[Value, ...]:
        """Add a node; shapes are checked here."""
        self.budget.spend(NODE + EDGE * len(inputs), span, "one node more")
        types = infer(op, inputs, span)
        for type in types:
            check_axes(len(type.shape), span)
        if isinstance(op, Numbers):
            count = prod(shape(op.values))
            self.budget.spend(NUMBER * count, span, f"{count} numbers")
        sizes = sum(len(d.terms) for t in types for d in t.shape if isinstance(d, Sym))
        self.budget.spend(TERM * max(sizes - 4, 0), span)
        outputs = tuple(Value(t, None, span) for t in types)
        node = Node(op, tuple(inputs), outputs, layer, weights, span, self.take_doc())
        if owner is not None and owner != self.path:
            self.foreign[node] = owner
        self.steps.append(node)
        return outputs

    def scalar(self, value: float, dtype: str, span: Span) -> Value:
        """A number that meets a tensor: one that the tensor's element type holds."""
        kind = DTYPES[dtype]
        least, greatest = kind.bounds
        if isinstance(value, float) and not kind.is_float:
            raise error(
                "E0305",
                f"a fraction is no {dtype}",
                span,
                f"found the number {value}",
                helps=("convert the tensor with `cast(x, f32)`",),
            )
        if not least <= value <= greatest:
            raise error(
                "E0305",
                f"{dtype} has no number {value}",
                span,
                f"holds {least} to {greatest}",
                helps=("convert the tensor with `cast`, or take another number",),
            )
        self.budget.spend(NODE, span, "one node more")
        op = replace(OPS["constant"](), value=value, dtype=dtype)  # type: ignore[call-arg]
        output = Value(TensorType(dtype, ()), None, span)
        self.steps.append(Node(op, (), (output,), span=span))
        return output

    def table(self, values: Any, dtype: str, span: Span) -> Value:
        """A list of numbers that meets a tensor, in the tensor's element type."""
        fields = {f.name: f for f in OPS["tensor"].arguments()}
        try:
            held = fields["values"].kind(values)
        except ValueError as wrong:
            raise error("E0305", f"beside a tensor stands {wrong}", span) from None
        return self.apply(OPS["tensor"](held, dtype), (), span)[0]

    def weight(self, path: str, made: Weight, span: Span) -> Weight:
        """The weight of that path: an existing one where a layer is applied again."""
        old = self.weights.get(path)
        if old is None:
            count = product(made.type.shape)
            if isinstance(count, int) and count > ELEMENTS:
                raise beyond(f"`{path}` grows", ELEMENTS, span, f"{made.type}")
            self.weights[path] = made
            return made
        if old.type != made.type:
            raise error(
                "E0404",
                f"`{path}` is shared, but would be {old.type} in one place and {made.type} in another",
                span,
                f"needs {made.type}",
                (Label(old.span, f"was made as {old.type}"),) if old.span else (),
            )
        return old

    def graph(self, **fields: Any) -> Graph:
        return Graph(
            steps=tuple(self.steps), path=self.path, free_weights=tuple(self.free_weights), **fields
        )

    def absorb(self, inner: Builder, prefix: str, inputs: dict[Value, Value]) -> dict[Value, Value]:
        """Take in the steps of a body that uses layers of a graph further out.

        Such a body cannot be a class of its own. Returns where the body's values went.
        """
        values = dict(inputs)
        for step in inner.steps:
            owner = inner.foreign.get(step)
            moved = tuple(values.get(v, v) for v in step.inputs)
            layer = step.layer
            if layer is not None and owner is None:
                layer = self.namer.claim(f"{prefix}_{layer.replace('.', '_')}")
            new: Node | Call = replace(step, inputs=moved, layer=layer)
            if owner is not None and owner != self.path:
                self.foreign[new] = owner
            self.steps.append(new)
        self.free_weights += inner.free_weights
        return values


def infer(op: Op, inputs: Sequence[Value], span: Span) -> tuple[TensorType, ...]:
    """Types of the results, or a diagnostic with every operand and where it came from."""
    try:
        return op.infer(*(v.type for v in inputs))
    except SpecError as failure:
        raise located(failure, span) from None
    except ShapeError as wrong:
        notes = tuple(
            Label(inputs[i].span, f"{_called(inputs[i])}is {inputs[i].type}")  # type: ignore[arg-type]
            for i in dict.fromkeys(wrong.operands)
            if i < len(inputs) and inputs[i].span is not None
        )
        helps = (wrong.help,) if wrong.help else ()
        raise error("E0401", f"`{op.name}` {wrong.message}", span, "", notes, helps) from None


def _called(value: Value) -> str:
    return f"`{value.name}` " if value.name else "this "
