"""Training programs that `compile` and `fit` can express."""

from __future__ import annotations

from dataclasses import dataclass

from codegen.keras.ops.losses import compiled_loss, compiled_metric
from codegen.keras.trainer import freezing, made_optimizer
from codegen.python.source import (
    Expr,
    Expression,
    FunctionDef,
    List,
    Literal,
    Name,
    Parameter,
    Stmt,
)
from codegen.python.training import Source, figures
from nnspec.graph.graph import Call, Node, Value
from nnspec.graph.training import Minimize, Network, Repeat, Training


@dataclass(frozen=True)
class Compiled:
    """One network, one update, and figures of its outputs.

    column: what the network reads.
    targets: for each output, the column that it is compared with.
    loss: where None, of no weight for an output; metrics: by output.
    """

    network: Network
    update: Minimize
    column: Value
    targets: tuple[Value | None, ...]
    loss: tuple[Expr | None, ...]
    metrics: tuple[tuple[Expr, ...], ...]


def compiled(training: Training) -> Compiled | None:
    """The program as `compile` takes it; None where a step of its own is needed.

    Possible with one network of one input that is a column of the batch, applied once, and a loss and
    metrics that Keras has, each of one output and one column, the same for all figures of an output.
    """
    calls = [s for s in training.steps if isinstance(s, Call)]
    nodes = [s for s in training.steps if isinstance(s, Node)]
    updates = [s for s in training.steps if isinstance(s, Minimize)]
    if len(training.networks) != 1 or len(updates) != 1 or len(calls) != 1:
        return None
    if any(isinstance(s, Repeat) for s in training.steps):
        return None
    (network,), (update,), (call,) = training.networks, updates, calls
    whole = update.over == ((network.name,),) and update.update.every == 1
    if not whole or len(call.inputs) != 1 or call.inputs[0] not in training.batch:
        return None
    reports = figures(training)
    made = {node.outputs[0]: node for node in nodes}
    if {r.value for r in reports} != set(made) or not _follow(training, update, call):
        return None
    targets: list[Value | None] = [None] * len(call.outputs)
    losses: list[Expr | None] = [None] * len(call.outputs)
    metrics: list[list[Expr]] = [[] for _ in call.outputs]
    for number, report in enumerate(reports):
        node = made[report.value]
        term = compiled_metric(node, report.name) if number else compiled_loss(node)
        output, column = node.inputs if len(node.inputs) == 2 else (None, None)
        if term is None or output not in call.outputs or column not in training.batch:
            return None
        place = call.outputs.index(output)
        if targets[place] not in (None, column):
            return None
        targets[place] = column
        if number:
            metrics[place].append(term)
        else:
            losses[place] = term
    return Compiled(
        network,
        update,
        call.inputs[0],
        tuple(targets),
        tuple(losses),
        tuple(map(tuple, metrics)),
    )


def _follow(training: Training, update: Minimize, call: Call) -> bool:
    """Whether metrics are of the outputs from before the update, as Keras has them."""
    return training.steps.index(call) < training.steps.index(update)


def compile_model(source: Source, found: Compiled) -> Stmt:
    """The function that calls `compile`."""
    network, rate = source.names[found.network.name], source.learning_rate
    losses: Expr | None = found.loss[0]
    metrics: Expr = List(found.metrics[0])
    if len(found.loss) > 1:
        losses = List(tuple(Literal(None) if loss is None else loss for loss in found.loss))
        metrics = List(tuple(map(List, found.metrics)))
    used = made_optimizer(source, found.update, None if rate is None else Name("lr"))
    made = Name(network).attr("compile")(optimizer=used, loss=losses)
    if any(found.metrics):
        made = made.with_keyword("metrics", metrics)
    parameters = [Parameter(network, Name("keras.Model"))]
    if rate is not None:
        parameters.append(Parameter("lr", Name("float"), Literal(rate)))
    return FunctionDef(
        source.named.make,
        tuple(parameters),
        (*freezing(source), Expression(made)),
        returns=Name("None"),
        doc=source.training.doc,
    )
