"""What a target gave beside what the definition says, as rows of a report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from codegen.jobs import TrainResult
from codegen.target import Target
from nnspec.catalogue.ops.base import Op
from nnspec.driver.verify import cases
from nnspec.driver.verify.definition import Derived, Trained
from nnspec.driver.verify.report import BOUNDS, CANCELLATION, OUTPUTS, Row, difference
from nnspec.graph.graph import Call, Graph, Node, walk
from nnspec.graph.training import Minimize, Training
from nnspec.graph.weight_map import Array
from nnspec.report.source import Span

ABOVE_ROUNDING = 10
"""A weight may be off by so many times what rounding moves it by in the definition."""
SMALLEST = 1e-300
UPDATED = "weights after 1 step"


def output_rows(
    model: Graph, target: str, outputs: Sequence[Array], expected: Sequence[Array]
) -> Iterator[Row]:
    """Outputs in evaluation, in the model's own types."""
    precision = cases.precision(model)
    for name, value, a, b in zip(model.output_names, model.outputs, outputs, expected, strict=True):
        row = _row(f"model {model.name}", "outputs", name, target, a, b, value.span)
        yield replace(row, precision=precision, bound=OUTPUTS[precision])


def derived_rows(model: Graph, target: Target, found: Derived, expected: Derived) -> Iterator[Row]:
    """Training mode, running statistics and gradients, in f64."""
    subject = f"model {model.name}"
    makers, nodes = _makers(model), tuple(walk(model))
    for name, value, a, b in zip(
        model.output_names, model.outputs, found.outputs, expected.outputs, strict=True
    ):
        row = _row(subject, "outputs in training", name, target.name, a, b, value.span)
        yield _judged(row, target, None, nodes)
    for path, b in expected.kept.items():
        row = _row(subject, "running statistics", path, target.name, found.kept[path], b)
        yield _judged(row, target, makers.get(path), nodes)
    arrays = [*expected.weights.values(), *(a for a in expected.inputs if a is not None)]
    least = CANCELLATION * _largest(arrays)
    for path, b in expected.weights.items():
        a = found.weights[path]
        row = _row(subject, "gradients", path, target.name, a, b, None, least)
        yield _judged(row, target, makers.get(path), nodes)
    for value, a_, b_ in zip(model.inputs, found.inputs, expected.inputs, strict=True):
        if b_ is not None:
            a = np.zeros(b_.shape) if a_ is None else a_
            row = _row(
                subject, "gradients", value.name or "x", target.name, a, b_, value.span, least
            )
            yield _judged(row, target, None, nodes)


def loss_rows(
    training: Training, target: str, losses: Sequence[float], expected: Trained
) -> Iterator[Row]:
    """Losses of the first step, in f32."""
    updates = [s for s in training.steps if isinstance(s, Minimize)]
    for i, (update, a, b) in enumerate(zip(updates, losses, expected.losses, strict=True), 1):
        name = f"loss {i}" if len(updates) > 1 else "loss"
        subject = f"train {training.name}"
        yield _row(subject, "loss", name, target, np.array(a), np.array(b), update.span)


def step_rows(
    training: Training, target: Target, result: TrainResult, expected: Trained
) -> Iterator[Row]:
    """Gradients of the first step, and weights after some steps, in f64."""
    makers = {n.name: _makers(n.model) for n in training.networks}
    pairs = zip(result.gradients, expected.gradients, strict=True)
    for i, (found, wanted) in enumerate(pairs):
        # A later gradient of the step is taken at weights that an update has moved.
        by = ("gradients", UPDATED) if i else ("gradients",)
        for network, arrays in wanted.items():
            least = CANCELLATION * _largest(list(arrays.values()))
            yield from _weight_rows(
                training, by, target, network, found[network], arrays, makers, least
            )
    for count, networks in expected.weights.items():
        quantity = f"weights after {count} step{'s' if count > 1 else ''}"
        for network, arrays in networks.items():
            given = result.weights[str(count)][network]
            rows = _weight_rows(training, (quantity,), target, network, given, arrays, makers, 0.0)
            moved = expected.moved.get(count, {}).get(network, {})
            for row, (path, b) in zip(rows, arrays.items(), strict=True):
                by_rounding = ABOVE_ROUNDING * moved.get(path, 0.0)
                least = max(_largest([b]), by_rounding, SMALLEST)
                yield row.bounded(max(row.bound, by_rounding / least))


def single_rows(
    training: Training, target: Target, result: TrainResult, expected: Trained
) -> Iterator[Row]:
    """Weights after many steps, in f32."""
    count = max(expected.weights)
    for network, arrays in expected.weights[count].items():
        least = _largest(list(arrays.values()))
        for path, b in arrays.items():
            name = path if len(expected.weights[count]) == 1 else f"{network}.{path}"
            a = result.weights[str(count)][network][path]
            quantity = f"weights after {count} steps in f32"
            row = _row(f"train {training.name}", quantity, name, target.name, a, b, None, least)
            yield row


def _weight_rows(
    training: Training,
    quantities: tuple[str, ...],
    target: Target,
    network: str,
    found: Mapping[str, Array],
    expected: Mapping[str, Array],
    makers: Mapping[str, Mapping[str, Node]],
    least: float,
) -> Iterator[Row]:
    """Rows of the first quantity; faults in any of them reach it."""
    prefix = f"{network}." if len(training.networks) > 1 else ""
    subject, nodes = f"train {training.name}", tuple(_nodes(training, network))
    updates = [s.update for s in training.steps if isinstance(s, Minimize)]
    optimizers = [u.block for u in updates if u.shipped]
    optimizers += ["clip_value" for u in updates if u.clip_value is not None]
    for path, b in expected.items():
        maker = makers[network].get(path)
        span = maker.span if maker else None
        row = _row(subject, quantities[0], prefix + path, target.name, found[path], b, span, least)
        yield _judged(row, target, maker, nodes, optimizers, quantities)


def _nodes(training: Training, network: str) -> Iterator[Node]:
    """Of a network, and of the steps that are no network's."""
    for each in training.networks:
        if each.name == network:
            yield from walk(each.model)
    for step in training.steps:
        if isinstance(step, Node):
            yield step
        elif isinstance(step, Call) and step.body.kind == "function":
            yield from walk(step.body)


def _makers(model: Graph) -> dict[str, Node]:
    """The node that a weight belongs to, by the weight's path."""
    return {w.path: node for node in walk(model) for w in node.weights}


def _judged(
    row: Row,
    target: Target,
    own: Node | None,
    all_nodes: Sequence[Node],
    optimizers: Sequence[str] = (),
    quantities: Sequence[str] = (),
) -> Row:
    """The row with the bound of a fault of the framework's own, where the target names one.

    own: the node whose weight it is about; all_nodes: of the network, and of the steps around it.
    optimizers: of the program, by name. quantities: what the row depends on beside its own.
    """
    for fault in target.faults:
        nodes = all_nodes if fault.spreads else [own] if own else []
        used: list[Op | str] = [*(n.op for n in nodes), *optimizers]
        reached = {row.quantity, *quantities}.intersection(fault.quantities)
        if reached and any(map(fault.concerns, used)):
            row = row.bounded(max(row.bound, fault.bound), fault.reason)
    return row


def _largest(arrays: Sequence[Array]) -> float:
    return max((float(np.abs(a).max(initial=0.0)) for a in arrays), default=0.0)


def _row(
    subject: str,
    quantity: str,
    tensor: str,
    target: str,
    a: Array,
    b: Array,
    span: Span | None = None,
    least: float = 0.0,
) -> Row:
    absolute, relative = difference(np.asarray(a), np.asarray(b), least)
    precision, bound = BOUNDS[quantity]
    return Row(subject, quantity, precision, tensor, target, absolute, relative, bound, span)
