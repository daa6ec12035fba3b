"""A training program as a plain Gluon loop: `autograd.record`, `Trainer`, metrics for each epoch."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from codegen.classes import Classes
from codegen.forward import Forward
from codegen.gluon.functions import DTYPES
from codegen.gluon.module import TRAINING
from codegen.gluon.optimizers import optimizer
from codegen.gluon.records import kept_graphs
from codegen.gluon.targets import parameters_of
from codegen.names import distinct, identifier
from codegen.python_source import (
    Assign,
    Blank,
    Comment,
    Dict,
    Expr,
    Expression,
    FunctionDef,
    Literal,
    Name,
    Parameter,
    Return,
    Stmt,
    Tuple,
    With,
)
from codegen.target import Layouts
from nnspec.graph import Value
from nnspec.training.program import Minimize, Training, TrainStep


@dataclass(frozen=True)
class Names:
    """Names of a program's functions and of their parameters.

    train, evaluate, optimizers: functions. networks, trainers, batch: parameters.
    """

    train: str
    evaluate: str
    optimizers: str
    main: str
    networks: tuple[str, ...]
    trainers: tuple[str, ...]
    batch: tuple[str, ...]


def program_names(training: Training, several: bool) -> Names:
    """`train_step`, or `train_step_dcgan` where a file has several programs."""
    suffix = f"_{snake(training.name)}" if several else ""
    reserved = {*TRAINING.imports, *TRAINING.helpers}
    networks = tuple(identifier(n.name, reserved) for n in training.networks)
    count = len(minimizes(training))
    plain = ["optimizer"] if count == 1 else [f"optimizer_{i}" for i in range(1, count + 1)]
    over = [_single(m) for m in minimizes(training)]
    if count > 1 and None not in over and len(set(over)) == count:
        plain = [f"{identifier(str(name), reserved)}_optimizer" for name in over]
    taken = list(networks)
    trainers: list[str] = []
    for name in plain:
        trainers.append(distinct(name, [*taken, *trainers]))
    taken += trainers
    batch: list[str] = []
    for value in training.batch:
        name = distinct(identifier(value.name or "x", reserved), taken)
        taken.append(name)
        batch.append(name)
    return Names(
        f"train_step{suffix}",
        f"evaluation_step{suffix}",
        f"make_optimizer{'s' if count > 1 else ''}{suffix}",
        f"main{suffix}",
        networks,
        tuple(trainers),
        tuple(batch),
    )


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def minimizes(training: Training) -> list[Minimize]:
    return [s for s in training.steps if isinstance(s, Minimize)]


def _single(minimize: Minimize) -> str | None:
    return minimize.over[0][0] if len(minimize.over) == 1 else None


def reports(training: Training) -> dict[str, Value]:
    """What a step reports: losses first, then metrics."""
    losses = [m.loss for m in minimizes(training)]
    found: dict[str, Value] = {}
    for i, loss in enumerate(losses, 1):
        plain = "loss" if len(losses) == 1 else f"loss_{i}"
        found[distinct(loss.name or plain, found)] = loss
    for metric in training.metrics:
        found.setdefault(metric.name, metric.value)
    return found


def definitions(training: Training, classes: Classes, names: Names) -> tuple[Stmt, ...]:
    """Optimizers, the step of training and that of evaluation."""
    return (
        _make_optimizers(training, classes, names),
        _train_step(training, names),
        _evaluation_step(training, names),
    )


def _make_optimizers(training: Training, classes: Classes, names: Names) -> Stmt:
    nets = dict(zip((n.name for n in training.networks), names.networks))
    plans = {n.name: classes.plans[n.model] for n in training.networks}
    made: list[Expr] = []
    for minimize in minimizes(training):
        parameters = parameters_of(minimize.over, plans, nets)
        made.append(Name("gluon.Trainer")(parameters, optimizer(minimize.optimizer)))
    doc = "What updates the weights." if len(made) == 1 else "What updates the weights, in order."
    if len(made) == 1:
        body: tuple[Stmt, ...] = (Return(made[0]),)
    else:
        kept = tuple(Assign(Name(n), e) for n, e in zip(names.trainers, made))
        body = (*kept, Return(Tuple(tuple(map(Name, names.trainers)))))
    return FunctionDef(names.optimizers, tuple(map(Parameter, names.networks)), body, doc=doc)


def _train_step(training: Training, names: Names) -> Stmt:
    """One segment for each update: recorded, then backward and step."""
    kept = kept_graphs(training)
    trainers = iter(names.trainers)

    def update(step: Minimize, loss: Expr, forward: Forward) -> None:
        if not isinstance(loss, Name):
            forward.emit(Assign(Name("loss"), loss))

    forward = _forward(training, names, update)
    for segment, minimize in segments(training):
        with forward.capture() as recorded:
            forward.run(segment)
            if minimize is not None:
                forward.step(minimize)
        if minimize is None:
            forward.statements.extend(recorded)
            continue
        lead = [s for s in recorded[:1] if isinstance(s, Comment)]
        forward.statements.extend(lead)
        forward.emit(With(((Name("autograd.record")(), None),), tuple(recorded[len(lead) :])))
        loss = forward.result(minimize.loss)
        backward = loss.attr("backward") if not isinstance(loss, Name) else Name(f"{loss.text}.backward")
        again = {"retain_graph": True} if minimize in kept else {}
        forward.emit(Expression(backward(**again)))
        forward.emit(Expression(Name(f"{next(trainers)}.step")(1)))
    doc = "One step of training: updates the weights, and gives losses and metrics."
    body = (*forward.body(), Return(_report(training, forward)))
    parameters = (*names.networks, *names.trainers, *names.batch)
    return FunctionDef(names.train, tuple(map(Parameter, parameters)), body, doc=doc)


def _evaluation_step(training: Training, names: Names) -> Stmt:
    forward = _forward(training, names, lambda step, loss, forward: None)
    forward.run([s for s in training.steps if not isinstance(s, Minimize)])
    body = (*forward.body(), Return(_report(training, forward)))
    parameters = (*names.networks, *names.batch)
    doc = "Losses and metrics of a batch, without an update."
    return FunctionDef(names.evaluate, tuple(map(Parameter, parameters)), body, doc=doc)


def _forward(training: Training, names: Names, update: object) -> Forward:
    nets = dict(zip((n.name for n in training.networks), names.networks))
    return Forward(
        TRAINING,
        list(zip(training.batch, names.batch)),
        training.steps,
        list(reports(training).values()),
        layer=lambda name: Name(nets[name]),
        minimize=update,  # type: ignore[arg-type]
        reserved=[*names.networks, *names.trainers],
        returned=False,
    )


def _report(training: Training, forward: Forward) -> Expr:
    """`{"loss": loss, "accuracy": ...}`."""
    return Dict(tuple((Literal(k), forward.result(v)) for k, v in reports(training).items()))


def segments(training: Training) -> list[tuple[list[TrainStep], Minimize | None]]:
    """The steps cut after each update; the last piece has none."""
    found: list[tuple[list[TrainStep], Minimize | None]] = []
    piece: list[TrainStep] = []
    for step in training.steps:
        if isinstance(step, Minimize):
            found.append((piece, step))
            piece = []
        else:
            piece.append(step)
    return [*found, (piece, None)]


def main_function(
    training: Training, classes: Classes, names: Names, layouts: Layouts, hybridize: bool
) -> FunctionDef:
    """The command line: builds, loads, trains, prints, saves."""
    settings = training.settings
    nets = [(n.name, name) for n, name in zip(training.networks, names.networks)]
    several = len(nets) > 1

    def file(option: str, network: str) -> Expr:
        path = Name(f"options.{option}")
        return Name("network_file")(path, network) if several else path

    body: list[Stmt] = [
        Assign(
            Name("options"),
            Name("parse_options")(
                epochs=settings.epochs, batch_size=settings.batch_size, seed=settings.seed
            ),
        ),
        Expression(Name("mx.random.seed")(Name("options.seed"))),
        Blank(),
    ]
    for network, name in zip(training.networks, names.networks):
        body += [
            Assign(Name(name), Name(classes.names[network.model])()),
            Expression(Name(f"{name}.initialize")(Name("mx.init.Xavier")())),
            Expression(Name("load_weights")(Name(name), file("weights", network.name))),
            *([Expression(Name(f"{name}.hybridize")())] if hybridize else []),
        ]
    trainers = tuple(map(Name, names.trainers))
    body += [
        Assign(
            Tuple(trainers) if len(trainers) > 1 else trainers[0],
            Name(names.optimizers)(*map(Name, names.networks)),
        ),
        Blank(),
        _load(training, names, layouts),
        Expression(_fit(training, names)),
    ]
    for original, name in nets:
        body.append(Expression(Name("save_weights")(Name(name), file("save", original))))
    return FunctionDef(names.main, (), tuple(body), doc=training.doc or "Train, and save the weights.")


def _load(training: Training, names: Names, layouts: Layouts) -> Stmt:
    columns = {v.name or "x": DTYPES[v.type.dtype] for v in training.batch}
    images = [c for c, layout in zip(columns, layouts) if layout == "NCHW"]
    call = Name("load_columns")(Name("options.data"), columns)
    if images:
        call = call.with_keyword("images", images)
    return Assign(Tuple((Name("data"), Name("held_out"))), call)


def _fit(training: Training, names: Names) -> Expr:
    arguments = (
        _partial(names.train, (*names.networks, *names.trainers)),
        _partial(names.evaluate, names.networks),
        *map(Name, ("data", "held_out", "options")),
    )
    if training.settings.steps is not None:
        return Name("fit_steps")(*arguments, training.settings.steps)
    return Name("fit")(*arguments)


def _partial(function: str, fixed: Sequence[str]) -> Expr:
    return Name("partial")(Name(function), *map(Name, fixed))
