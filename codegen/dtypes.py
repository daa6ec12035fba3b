"""Which element types a target has: its table, and the refusal of what is not in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from nnspec.catalogue.ops.base import Op
from nnspec.catalogue.ops.dense import Embedding
from nnspec.catalogue.ops.shaping import Cast
from nnspec.catalogue.ops.site import Term
from nnspec.graph.graph import Call, Graph, Node, Program, Value, graphs
from nnspec.graph.site import GraphSite
from nnspec.report.diagnostics import Diagnostic, Label, SpecError
from nnspec.report.source import Span

Lacks = Mapping[str, Mapping[type[Op], str]]
"""By element type, the ops (or families of them) that a framework cannot run in it, each with the reason."""

BYTES: Lacks = {
    kind: {Embedding: "it takes indices of 32 and 64 bits only"} for kind in ("i8", "u8")
}

PLAIN = "f32"
"""What every framework takes where it is told nothing."""


def dtype_of(node: Node) -> str:
    """The element type in which a layer computes: that of its weights, else of its result."""
    values = node.weights or node.outputs
    return values[0].type.dtype


def wide_indices(to: GraphSite, op: Embedding, ids: Term) -> Term | tuple[Term, ...]:
    """A rewrite: indices of a byte each, as those that every framework takes."""
    return to.again(op, *to.apply(Cast("i64"), ids))


def lack(node: Node, lacks: Lacks) -> str | None:
    """Why a framework cannot run this use of an op, where that is for the element type of something."""
    for value in (*node.inputs, *node.outputs, *node.weights):
        reasons = lacks.get(value.type.dtype, {})
        for kind in type(node.op).__mro__:
            if kind in reasons:
                return f"{value.type.dtype}: {reasons[kind]}"
    return None


def is_plain(graph: Graph) -> bool:
    """Whether all floats of a graph are of the type that frameworks take by themselves."""
    return all(v.type.dtype == PLAIN for v, _ in _values(graph) if v.type.is_float)


def check_types(program: Program, target: str, types: Mapping[str, object], reason: str) -> None:
    """Raise E0704 where a program has a value of a type that the target's table lacks."""
    models = [*program.models, *(n.model for t in program.trainings for n in t.networks)]
    for graph in dict.fromkeys(models):
        _check(_values(graph), target, types, reason)
    for training in program.trainings:
        values = [(v, v.span) for v in training.batch]
        for step in training.steps:
            if isinstance(step, (Node, Call)):
                values += [(v, step.span) for v in step.outputs]
        _check(values, target, types, reason)


def _check(
    values: Iterable[tuple[Value, Span | None]],
    target: str,
    types: Mapping[str, object],
    reason: str,
) -> None:
    for value, span in values:
        if value.type.dtype not in types:
            raise SpecError(
                Diagnostic(
                    "E0704",
                    f"{target} cannot express {value.type.dtype}: {reason}",
                    Label(span, str(value.type)) if span else None,
                )
            )


def _values(graph: Graph) -> Iterator[tuple[Value, Span | None]]:
    for inner in graphs(graph):
        yield from ((v, v.span) for v in (*inner.inputs, *inner.free_weights))
        for step in inner.steps:
            weights = step.weights if isinstance(step, Node) else ()
            yield from ((v, step.span) for v in (*weights, *step.outputs))
