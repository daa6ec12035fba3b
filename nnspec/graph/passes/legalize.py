"""Rewrite a graph until a target can write every node of it.

A use that the target's native form does not cover becomes what one of the target's rewrites makes of it; an op that
it does not know at all, what the op expands to: a layer a block of its own, a function a function.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from nnspec.catalogue.ops.base import Op, ShapeError
from nnspec.catalogue.ops.site import LONGEST, Term, results
from nnspec.graph.graph import Call, Graph, Node, Step, Value
from nnspec.graph.site import GraphSite, expanded
from nnspec.graph.training import Minimize, Repeat, Training, TrainStep
from nnspec.graph.unroll import written_out
from nnspec.report.diagnostics import SpecError

Rewrite = Callable[..., "Term | tuple[Term, ...] | None"]
"""As `Op.expand`, but for one target: `(to, op, *operands)`. Where it applies the layer itself with
other arguments, `to.again(op, x)` keeps the layer's name and weights. None leaves a use to its expansion."""

SHORT = 2
"""Steps that stand where they are rather than in a function of their own."""


@dataclass(frozen=True)
class Legality:
    """What a target can write.

    native: whether it writes this use of an op as it stands.
    rewrites: for uses that are not native, by op; each leads to nodes that are (or that can be made so).
    refuse: the error for a node that it can never write.
    no_loop: the error for a loop along time that it cannot write; its steps are written out where a number says how many.
    """

    native: Callable[[Node], bool]
    refuse: Callable[[Node], SpecError]
    rewrites: Mapping[type[Op], Rewrite] = field(default_factory=dict)
    no_loop: Callable[[Call], SpecError | None] = lambda call: None


def legalize(graph: Graph, target: Legality) -> Graph:
    """The graph with native nodes only; blocks stay blocks, names, places and docs stay."""
    return _Pass(target).graph(graph)


def legalize_training(training: Training, target: Legality) -> Training:
    """The same for the steps of a training program; its networks are legalized by themselves."""
    pass_ = _Pass(target)
    steps: list[TrainStep] = []
    known: dict[Value, Value] = {}
    networks = {n.name for n in training.networks}
    for step in training.steps:
        if isinstance(step, Repeat):
            steps.append(step)
        elif isinstance(step, Minimize):
            steps.append(replace(step, loss=known.get(step.loss, step.loss)))
        elif isinstance(step, Call) and step.layer in networks:
            steps.append(replace(step, inputs=tuple(known.get(v, v) for v in step.inputs)))
        else:
            steps += pass_.step(step, known)
    metrics = tuple(replace(m, value=known.get(m.value, m.value)) for m in training.metrics)
    return replace(training, steps=tuple(steps), metrics=metrics)


@dataclass
class _Pass:
    target: Legality
    names: frozenset[str] = frozenset()

    def graph(self, graph: Graph) -> Graph:
        names = frozenset(s.layer for s in graph.steps if s.layer)
        return _Pass(self.target, names)._graph(graph)

    def _graph(self, graph: Graph) -> Graph:
        known: dict[Value, Value] = {}
        steps = [new for step in graph.steps for new in self.step(step, known)]
        if not known and all(a is b for a, b in zip(steps, graph.steps)):
            return graph
        outputs = tuple(known.get(v, v) for v in graph.outputs)
        return replace(graph, steps=tuple(steps), outputs=outputs)

    def step(self, step: Step, known: dict[Value, Value]) -> list[Step]:
        """Native steps in place of one; `known` learns which values stand for its results."""
        if any(v in known for v in step.inputs):
            step = replace(step, inputs=tuple(known.get(v, v) for v in step.inputs))
        if isinstance(step, Call):
            if step.loop is not None and (refused := self.target.no_loop(step)) is not None:
                return self._written_out(step, known, refused)
            body = self.graph(step.body)
            return [step if body is step.body else replace(step, body=body)]
        if self.target.native(step):
            return [step]
        rewrite = self.target.rewrites.get(type(step.op))
        if rewrite is not None:
            return self._inline(step, known, rewrite)
        if step.op.is_primitive():
            raise self.target.refuse(step)
        return self._expand(step, known)

    def _written_out(self, loop: Call, known: dict[Value, Value], refused: SpecError) -> list[Step]:
        if not isinstance(loop.steps, int) or loop.steps > LONGEST:
            raise refused
        steps = written_out(replace(loop, body=self.graph(loop.body)), loop.steps)
        return [native for step in steps for native in self.step(step, known)]

    def _site(self, node: Node) -> GraphSite:
        return GraphSite(whole=lambda op: True, origin=node, taken=self.names)

    def _inline(self, node: Node, known: dict[Value, Value], rewrite: Rewrite) -> list[Step]:
        site = self._site(node)
        rewritten = rewrite(site, node.op, *(site.term(v) for v in node.inputs))
        if rewritten is None:
            return self._expand(node, known)
        terms = results(rewritten)
        for step in site.steps:
            same = isinstance(step, Node) and type(step.op) is type(node.op)
            # A rewrite that leads back to what it began with does not help: an element type is missing.
            if isinstance(step, Node) and same and not self.target.native(step):
                raise self.target.refuse(node)
        return self._settle(node, tuple(map(site.value, terms)), site.steps, known)

    def _expand(self, node: Node, known: dict[Value, Value]) -> list[Step]:
        """A call of a block or function of its own, or the few steps themselves."""
        site = self._site(node)
        parameters = tuple(
            Value(v.type, o.name) for v, o in zip(node.inputs, _operands(node), strict=True)
        )
        inside = replace(node, inputs=parameters)
        try:
            outputs = expanded(inside, site)
        except ShapeError:  # it needs a number where a size is symbolic, or is endless
            raise self.target.refuse(node) from None
        work = [s for s in site.steps if s.inputs]
        if not node.weights and len(work) <= SHORT:
            site = self._site(node)
            return self._settle(node, expanded(node, site), site.steps, known)
        body = Graph(
            name=node.op.name if node.weights else node.op.name.lower(),
            inputs=parameters,
            steps=tuple(replace(s, doc=None) for s in site.steps),
            outputs=outputs,
            output_names=tuple(o.name or "y" for o in outputs),
            kind="block" if node.weights else "function",
            path=node.layer or "",
            free_weights=tuple(w for w in node.weights if "." not in w.role),
            arguments=_arguments(node.op),
            span=node.span,
            doc=node.op.doc() or None,
            op=node.op,
        )
        # A layer without weights is a function too: nothing is held for it.
        layer = node.layer or "" if node.weights else ""
        call = Call(self.graph(body), node.inputs, node.outputs, layer, node.span, node.doc)
        return [call]

    def _settle(
        self,
        node: Node,
        outputs: tuple[Value, ...],
        steps: list[Step],
        known: dict[Value, Value],
    ) -> list[Step]:
        """Steps in place of a node, made native themselves; results get the names and types of the node's."""
        named = {
            new: replace(new, type=old.type, name=old.name, span=old.span)
            for new, old in zip(outputs, node.outputs, strict=True)
            if any(new in s.outputs for s in steps)
        }
        for new, old in zip(outputs, node.outputs, strict=True):
            known[old] = named.get(new, new)
        native: list[Step] = []
        for step in steps:
            renamed = replace(
                step,
                inputs=tuple(named.get(v, v) for v in step.inputs),
                outputs=tuple(named.get(v, v) for v in step.outputs),
            )
            native += self.step(renamed, known)
        for old in node.outputs:
            known[old] = known.get(known[old], known[old])
        return native


def _arguments(op: Op) -> dict[str, object]:
    """Those that a generated class or function could take."""
    given = {f.name: getattr(op, f.name) for f in op.arguments()}
    return {n: v for n, v in given.items() if v is None or isinstance(v, (int, float, str))}


def _operands(node: Node) -> list[Value]:
    """Values with the names of the op's operands; of a variadic one, numbered."""
    operands = node.op.given(*(v.type for v in node.inputs))
    names = [operands[min(i, len(operands) - 1)].name for i in range(len(node.inputs))]
    several = {n for n in names if names.count(n) > 1}
    return [
        Value(v.type, f"{name}_{i + 1}" if name in several else name)
        for i, (name, v) in enumerate(zip(names, node.inputs, strict=True))
    ]
