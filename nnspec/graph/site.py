"""A site whose terms are values of a graph: applying an op adds a node."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import replace
from functools import partial

from nnspec.catalogue.ops.base import Op, ShapeError
from nnspec.catalogue.ops.site import LONGEST, Site, Term, results
from nnspec.core.types import TensorType
from nnspec.graph.graph import Call, Graph, Node, Step, Value, Weight
from nnspec.graph.unroll import in_turn
from nnspec.report.source import Span


class GraphSite(Site):
    """Collects `steps`.

    whole: whether a composite op stays one node; by default each is expanded down to primitives.
    origin: the node in whose place the steps stand: they get its span, its doc, and, where they apply it
        `again`, its layer and weights.
    taken: names of layers in the graph.
    """

    def __init__(
        self,
        *,
        whole: Callable[[Op], bool] = lambda op: False,
        origin: Node | None = None,
        training: bool = False,
        taken: Container[str] = (),
    ) -> None:
        super().__init__(training=training)
        self.whole, self.origin, self.taken = whole, origin, taken
        self.steps: list[Step] = []
        self._terms: dict[Value, Term] = {}

    @property
    def span(self) -> Span | None:
        return self.origin.span if self.origin else None

    def term(self, value: Value) -> Term:
        """A value as a term; always the same one."""
        if value not in self._terms:
            self._terms[value] = Term(self, value.type, value)
        return self._terms[value]

    def bind(self, value: Value, term: Term) -> None:
        """Let a term stand for a value of another graph."""
        self._terms[value] = term

    def value(self, term: Term) -> Value:
        """The value that a term of this site is."""
        value: Value = term.held
        return value

    def named(self, name: str, term: Term) -> Term:
        value = self.value(term)
        if value.name is None and value.hint is None and not isinstance(value, Weight):
            # The value is still in the making, as where the writer binds one.
            object.__setattr__(value, "hint", name)
        return term

    def primitive(self, op: Op, operands: tuple[Term, ...]) -> tuple[Term, ...]:
        return self._node(op, operands)

    def composite(
        self, op: Op, operands: tuple[Term, ...], weights: Mapping[str, Term]
    ) -> tuple[Term, ...]:
        if self.whole(op) and not weights:
            return self._node(op, operands)
        return super().composite(op, operands, weights)

    def layer(self, name: str, op: Op, *operands: Term, weights: Mapping[str, Term]) -> Term:
        if not self.whole(op):
            return super().layer(name, op, *operands, weights=weights)
        held = [self.value(weights[f"{name}.{s.role}"]) for s in op.weights(*_types(operands))]
        own = tuple(
            replace(w, role=w.role.removeprefix(f"{name}.")) for w in held if isinstance(w, Weight)
        )
        (term,) = self._node(op, operands, name, own)
        return term

    def again(self, op: Op, *operands: Term) -> tuple[Term, ...]:
        """The layer in whose place the steps stand, with other arguments and operands, but its weights."""
        assert self.origin is not None
        return self._node(op, operands, self.origin.layer, self.origin.weights)

    def beside(self, suffix: str, op: Op, *operands: Term) -> tuple[Term, ...]:
        """An op without weights that becomes a layer, named after the one in whose place the steps stand.

        Where that is a function, or one of several layers in a container, it stays a function.
        """
        layer = self.origin.layer if self.origin else None
        if layer is None or "." in layer:
            return self._node(op, operands)
        name = f"{layer}_{suffix}"
        while name in self.taken:
            name += "_"
        return self._node(op, operands, name)

    def _node(
        self,
        op: Op,
        operands: Sequence[Term],
        layer: str | None = None,
        weights: tuple[Weight, ...] = (),
    ) -> tuple[Term, ...]:
        if self.origin is not None and len(self.steps) == LONGEST:
            raise ShapeError(f"is made of more than {LONGEST} operations")
        outputs = tuple(Value(t, None, self.span) for t in op.infer(*_types(operands)))
        inputs = tuple(map(self.value, operands))
        doc = self.origin.doc if self.origin else None
        self.steps.append(Node(op, inputs, outputs, layer, weights, self.span, doc))
        return tuple(map(self.term, outputs))

    def replay(self, step: Step) -> None:
        """A step of another graph, over the same values, its composite ops expanded as this site does it."""
        operands = [self.term(v) for v in step.inputs]
        if isinstance(step, Call):
            if isinstance(step.steps, int) and step.steps > LONGEST:
                raise ShapeError(f"is made of more than {LONGEST} steps")
            if step.loop is None:
                outputs = self._replayed(step.body, operands)
            else:
                outputs = in_turn(self, step.loop, operands, partial(self._replayed, step.body))
        else:
            weights = {w.role: self.term(w) for w in step.weights}
            outputs = self.apply(step.op, *operands, weights=weights)
        self._terms |= zip(step.outputs, outputs, strict=True)

    def _replayed(self, body: Graph, operands: Sequence[Term]) -> tuple[Term, ...]:
        self._terms |= zip(body.inputs, operands, strict=True)
        for each in body.steps:
            self.replay(each)
        return tuple(self.term(v) for v in body.outputs)


def _types(terms: Sequence[Term]) -> tuple[TensorType, ...]:
    return tuple(t.type for t in terms)


def expanded(node: Node, site: GraphSite) -> tuple[Value, ...]:
    """The values that stand for a composite node's results, its expansion written at the site."""
    weights = {w.role: site.term(w) for w in node.weights}
    operands = tuple(site.term(v) for v in node.inputs)
    return tuple(map(site.value, results(node.op.expand(site, *operands, **weights))))
