"""Dense layers whose result only a batch norm reads, in the form that runtimes fold into one operator.

onnxruntime folds a norm into the matrix product before it, where that is one of matrices and nothing is added between.
So the norm takes the bias off its mean, which is a constant, and layers over places see each place as a row: norm and
activation with them, so that nothing is between the layers of a chain.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from nnspec.catalogue.ops.dense import Dense
from nnspec.catalogue.ops.forms import Elementwise
from nnspec.catalogue.ops.normalization import BatchNorm
from nnspec.catalogue.ops.shaping import Reshape
from nnspec.core.declare import declaration
from nnspec.core.dims import Dim, product
from nnspec.graph.graph import Call, Graph, Node, Step, Value

FOLDED = "f32"
"""The element type of layers that are folded."""


@declaration
class NormedDense(Dense):
    """A dense layer for matrices whose result only a batch norm reads, which adds the bias."""


def with_normed(graph: Graph) -> Graph:
    """The graph, its blocks too, with such layers told from the others."""
    return _graph(graph, {})


def _graph(graph: Graph, known: dict[Graph, Graph]) -> Graph:
    if graph not in known:
        chains = {chain[0]: chain for chain in _chains(graph)}
        inside = {node for chain in chains.values() for node in chain[1:]}
        steps: list[Step] = []
        for step in graph.steps:
            if isinstance(step, Call):
                body = _graph(step.body, known)
                steps.append(step if body is step.body else replace(step, body=body))
            elif step in chains:
                steps += _in_rows(chains[step])
            elif step not in inside:
                steps.append(step)
        same = all(a is b for a, b in zip(steps, graph.steps))
        known[graph] = graph if same else replace(graph, steps=tuple(steps))
    return known[graph]


def _chains(graph: Graph) -> Iterator[list[Node]]:
    """Each dense layer with its norm, and the functions after it, each the only one that reads the one before."""
    readers: dict[Value, list[Step | None]] = {v: [None] for v in graph.outputs}
    for step in graph.steps:
        for value in step.inputs:
            readers.setdefault(value, []).append(step)

    def next_of(node: Node) -> Node | None:
        (value,) = node.outputs
        read = readers.get(value, [])
        return read[0] if len(read) == 1 and isinstance(read[0], Node) else None

    for step in graph.steps:
        if not isinstance(step, Node) or type(step.op) is not Dense:
            continue
        norm = next_of(step)
        if norm is None or not isinstance(norm.op, BatchNorm):
            continue
        if step.outputs[0].type.dtype == FOLDED:
            chain = [step, norm]
            while (after := next_of(chain[-1])) is not None and _is_function(after):
                chain.append(after)
            yield chain


def _is_function(node: Node) -> bool:
    """Of one element."""
    one = isinstance(node.op, Elementwise) and len(node.inputs) == 1 and not node.weights
    return one and node.outputs[0].type == node.inputs[0].type


def _in_rows(chain: list[Node]) -> Iterator[Node]:
    """The nodes of a chain on matrices."""
    dense, *rest = chain
    fields = {f.name: getattr(dense.op, f.name) for f in Dense.arguments()}
    dense = replace(dense, op=NormedDense(**fields))
    (x,) = dense.inputs
    if x.type.rank == 2:
        yield from (dense, *rest)
        return
    places = product(x.type.shape[:-1])
    (result,) = chain[-1].outputs
    rows = _in_row(x, places)
    yield Node(Reshape(rows.type.shape), (x,), (rows,), span=dense.span)
    for node in (dense, *rest):
        made = _in_row(node.outputs[0], places)
        yield replace(node, inputs=(rows,), outputs=(made,))
        rows = made
    yield Node(Reshape(result.type.shape), (rows,), (result,), span=dense.span)


def _in_row(value: Value, places: Dim) -> Value:
    return Value(value.type.with_shape((places, value.type.shape[-1])), None, value.span)
