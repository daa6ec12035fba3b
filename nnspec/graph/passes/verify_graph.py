"""Is a graph what it claims to be? Run after every pass."""

from __future__ import annotations

from nnspec.catalogue.ops import ShapeError
from nnspec.graph.graph import Call, Graph, Node, Value, Weight, along_time
from nnspec.report.diagnostics import Diagnostic, Label, SpecError


def verify_graph(graph: Graph, after: str) -> Graph:
    """The graph; raises `SpecError` (E0998: a fault of nnspec) where it contradicts itself.

    Every operand comes into being before it is used, types are what the ops infer, calls fit their
    bodies, and a path names one weight.
    """
    weights: dict[str, Weight] = {}
    _check(graph, after, weights)
    return graph


def _check(graph: Graph, after: str, weights: dict[str, Weight]) -> None:
    known: set[Value] = set(graph.inputs)

    def need(value: Value, step: Node | Call | None) -> None:
        if isinstance(value, Weight):
            _same_weight(value, weights, graph, after, step)
        elif value not in known:
            raise _wrong(
                graph, after, f"`{value.name or value.type}` is used before it is made", step
            )

    for step in graph.steps:
        for value in step.inputs:
            need(value, step)
        if isinstance(step, Node):
            _check_node(step, graph, after)
            for weight in step.weights:
                _same_weight(weight, weights, graph, after, step)
        else:
            _check_call(step, graph, after)
            _check(step.body, after, weights)
        known.update(step.outputs)
    for value in graph.outputs:
        need(value, None)
    if len(graph.outputs) != len(graph.output_names):
        raise _wrong(graph, after, "there are not as many output names as outputs", None)


def _check_node(node: Node, graph: Graph, after: str) -> None:
    try:
        types = node.op.infer(*(v.type for v in node.inputs))
    except ShapeError as error:
        raise _wrong(graph, after, f"`{node.op.name}` {error.message}", node) from None
    if types != tuple(v.type for v in node.outputs):
        raise _wrong(graph, after, f"`{node.op.name}` gives other types than are noted", node)


def _check_call(call: Call, graph: Graph, after: str) -> None:
    given, made = [v.type for v in call.body.inputs], [v.type for v in call.body.outputs]
    fits = True
    if call.loop is not None:
        fits = all(given[i] == made[output] for i, output in call.loop.states)
        for i in call.loop.sequences:
            given[i] = along_time(given[i], call.steps)
        for i in call.loop.stacked(len(made)):
            made[i] = along_time(made[i], call.steps)
    for outer, inner in ((call.inputs, given), (call.outputs, made)):
        if not fits or [v.type for v in outer] != inner:
            raise _wrong(
                graph, after, f"`{call.layer}` does not fit the body of `{call.body.name}`", call
            )


def _same_weight(
    weight: Weight, weights: dict[str, Weight], graph: Graph, after: str, step: Node | Call | None
) -> None:
    if weights.setdefault(weight.path, weight) is not weight:
        raise _wrong(graph, after, f"two weights are called `{weight.path}`", step)


def _wrong(graph: Graph, after: str, message: str, step: Node | Call | None) -> SpecError:
    label = Label(step.span) if step is not None and step.span is not None else None
    return SpecError(
        Diagnostic(
            "E0998",
            f"`{graph.name}` is broken after {after}: {message}",
            label,
            notes=("this is a fault of nnspec, not of your file",),
        )
    )
