"""Training programs that `compile` and `fit` express."""

from __future__ import annotations

from dataclasses import dataclass

from codegen.keras.losses import loss_object, metric_object
from codegen.keras.optimizers import optimizer
from codegen.python_source import (
    Assign,
    Conditional,
    Expr,
    Expression,
    FunctionDef,
    List,
    Literal,
    Name,
    Parameter,
    Return,
    Stmt,
    Tuple,
    Unary,
    lift,
)
from nnspec.graph import Call, Node, Value
from nnspec.ops.losses import Accuracy, BinaryCrossEntropy, CrossEntropy, Mse
from nnspec.training.program import Minimize, Training

SCORES = (CrossEntropy, BinaryCrossEntropy, Mse, Accuracy)


@dataclass(frozen=True)
class Fit:
    """One network held to one column.

    inputs: what the network reads; target: what it is held to; loss: by output, None for those without
    one; metrics: likewise.
    """

    inputs: tuple[Value, ...]
    target: Value
    losses: tuple[Expr | None, ...]
    metrics: tuple[tuple[Expr, ...], ...]
    update: Minimize


def fit_of(training: Training) -> Fit | None:
    """The program as `compile` and `fit` have it; None where it is more than that."""
    updates = [s for s in training.steps if isinstance(s, Minimize)]
    calls = [s for s in training.steps if isinstance(s, Call)]
    scores = [s for s in training.steps if isinstance(s, Node)]
    if len(training.networks) != 1 or len(updates) != 1 or len(calls) != 1:
        return None
    (update,), (call,) = updates, calls
    if update.over != ((training.networks[0].name,),) or training.settings.steps is not None:
        return None
    if any(v not in training.batch for v in call.inputs):
        return None
    made = {s.outputs[0]: s for s in scores if isinstance(s.op, SCORES)}
    metrics = [m for m in training.metrics if m.value is not update.loss]
    if len(made) != len(scores) or {*made} != {update.loss, *(m.value for m in metrics)}:
        return None
    target = made[update.loss].inputs[1]
    if target not in training.batch:
        return None
    if any(n.inputs[0] not in call.outputs or n.inputs[1] is not target for n in scores):
        return None
    losses: list[Expr | None] = [None] * len(call.outputs)
    losses[call.outputs.index(made[update.loss].inputs[0])] = loss_object(made[update.loss].op)
    found: list[list[Expr]] = [[] for _ in call.outputs]
    for metric in metrics:
        node = made[metric.value]
        given = metric_object(node.op, metric.name)
        if given is None:
            return None
        found[call.outputs.index(node.inputs[0])].append(given)
    if not any(losses):
        return None
    return Fit(call.inputs, target, tuple(losses), tuple(map(tuple, found)), update)


def compile_model(fit: Fit, network: str, suffix: str) -> Stmt:
    """`net.compile(...)`."""
    single = len(fit.losses) == 1
    loss: Expr = List(tuple(x or Literal(None) for x in fit.losses))
    metrics: Expr = List(tuple(List(m) for m in fit.metrics))
    if single:
        (only,) = fit.losses
        assert only is not None
        loss, metrics = only, List(fit.metrics[0])
    call = Name(network).attr("compile")(optimizer(fit.update.optimizer), loss=loss)
    if any(fit.metrics):
        call = call.with_keyword("metrics", metrics)
    return FunctionDef(
        "compile_model" + suffix,
        (Parameter(network, Name("keras.Model")),),
        (Expression(call),),
        returns=Name("None"),
    )


def inputs_and_targets(fit: Fit, columns: dict[Value, str], suffix: str) -> Stmt:
    """The function that sorts the columns of a data set."""
    inputs = tuple(Name(columns[v]) for v in fit.inputs)
    read: Expr = inputs[0] if len(inputs) == 1 else Tuple(inputs)
    target: Expr = Name(columns[fit.target])
    doc = "What the network reads of a batch, and what its outputs are held to."
    if len(fit.losses) > 1:
        target = Tuple((target,) * len(fit.losses))
        doc = "What the network reads of a batch, and for each output (though not all have a loss) a target."
    return FunctionDef(
        "inputs_and_targets" + suffix,
        tuple(Parameter(name) for name in columns.values()),
        (Return(Tuple((read, target))),),
        doc=doc,
    )


def fitting(network: str, suffix: str, epochs: Expr, size: Expr) -> list[Stmt]:
    """The statements of `main` that train."""
    sort = Name("inputs_and_targets" + suffix)
    held = Conditional(Name("held_out"), sort(Unary("*", Name("held_out"))), Literal(None))
    call = Name(network).attr("fit")(
        Name("x"),
        Name("y"),
        batch_size=size,
        epochs=epochs,
        validation_data=Name("held_out"),
        verbose=lift(2),
    )
    return [
        Assign(Tuple((Name("x"), Name("y"))), sort(Unary("*", Name("columns")))),
        Assign(Name("held_out"), held),
        Expression(Name("compile_model" + suffix)(Name(network))),
        Expression(call),
    ]
