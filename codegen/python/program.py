"""What generated training programs have in common: arguments, data, epochs, what is reported.

A generated program has, for each `train` declaration, `make_optimizer`, `train_step`, `evaluate` and one `main`.
With one declaration these are their names; with several each has the declaration's name behind it, and
`--program` chooses.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from codegen.python.dialect import Dialect, Unsupported
from codegen.python.names import distinct, identifier
from codegen.python.source import (
    Assign,
    Expr,
    Expression,
    FunctionDef,
    Literal,
    Name,
    Operator,
    Return,
    Stmt,
    lift,
)
from nnspec.graph.graph import Value
from nnspec.graph.training import Minimize, Training

FUNCTIONS = (
    "make_optimizer",
    "make_optimizers",
    "train_step",
    "evaluate",
    "main",
    "parse_arguments",
)

LOCALS = frozenset(
    [
        "args",
        "columns",
        "device",
        "epoch",
        "epochs",
        "figures",
        "generator",
        "held_out",
        "held_out_figures",
        "name",
        "order",
        "size",
        "t",
        "validation",
        "value",
    ]
)
"""Variables of `main`, which no network or optimizer may be called."""


@dataclass(frozen=True)
class Report:
    """A figure of an epoch: what it is called in the program's output, and its value in the step."""

    name: str
    value: Value


def losses(training: Training) -> tuple[Report, ...]:
    """The loss of each `minimize`: `loss`, or `loss_1`, `loss_2`, or what the writer called it."""
    updates = minimizes(training)
    if len(updates) == 1:
        return (Report("loss", updates[0].loss),)
    found: list[Report] = []
    for number, update in enumerate(updates, 1):
        name = distinct(update.loss.name or f"loss_{number}", [r.name for r in found])
        found.append(Report(name, update.loss))
    return tuple(found)


def reports(training: Training) -> tuple[Report, ...]:
    """Losses, then metrics."""
    found = list(losses(training))
    for metric in training.metrics:
        found.append(Report(distinct(metric.name, [r.name for r in found]), metric.value))
    return tuple(found)


LATER = "nnspec does not write it yet"


def refuse(target: str, trainings: Sequence[Training]) -> None:
    """Raise `Unsupported` for what the language says of an update and these targets do not write yet."""
    for training in trainings:
        if training.frozen:
            raise Unsupported("`frozen`", training.span, target, LATER)
        updates = minimizes(training)
        for step in updates:
            update = step.update
            what = None
            if update.every > 1:
                what = "`every`"
            elif sum(other.update is update for other in updates) > 1:
                what = "an optimizer that several updates share"
            elif update.declared is None:
                what = "an optimizer of one's own, or one with a schedule"
            if what is not None:
                raise Unsupported(what, step.span, target, LATER)


def minimizes(training: Training) -> tuple[Minimize, ...]:
    return tuple(step for step in training.steps if isinstance(step, Minimize))


def snake(name: str) -> str:
    """`DigitsCNN` as `digits_cnn`."""
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return name.lower()


def suffix(training: Training, trainings: Sequence[Training]) -> str:
    """What follows the names of a program's functions: nothing where there is only one program."""
    return "" if len(trainings) == 1 else "_" + snake(training.name)


def variables(training: Training, dialect: Dialect, suffixes: str = "") -> Mapping[object, str]:
    """Names of a step's parameters: networks by name, batch columns by value, optimizers by their
    `Minimize`."""
    reserved = {*dialect.imports, *dialect.helpers, *dialect.reserved}
    reserved |= {name + suffixes for name in FUNCTIONS} | set(FUNCTIONS) | LOCALS
    taken: list[str] = []

    def name(wanted: str) -> str:
        taken.append(distinct(identifier(wanted, reserved), taken))
        return taken[-1]

    found: dict[object, str] = {n.name: name(n.name) for n in training.networks}
    for column in training.batch:
        found[column] = name(column.name or "x")
    updates = minimizes(training)
    for update in updates:
        of = "_".join(".".join(path).replace(".", "_") for path in update.over)
        found[update] = name("optimizer" if len(updates) == 1 else f"optimizer_{of}")
    return found


def parse_arguments(trainings: Sequence[Training]) -> FunctionDef:
    """The function that reads the command line; defaults are the settings of the (first) program."""
    settings = trainings[0].settings
    add = Name("parser.add_argument")
    columns = ", ".join(dict.fromkeys(c.name or "x" for t in trainings for c in t.batch))
    body: list[Stmt] = [
        Assign(Name("parser"), Name("argparse.ArgumentParser")(description=Name("__doc__")))
    ]
    if len(trainings) > 1:
        names: Expr = lift([t.name for t in trainings])
        body.append(Expression(add("--program", choices=names, default=trainings[0].name)))
    body += [
        Expression(add("--data", required=True, help=f".npz file with the columns {columns}")),
        Expression(add("--weights", help="file of weights to start from")),
        Expression(add("--save", help="file to write the trained weights to")),
    ]
    if len(trainings) == 1:
        if settings.epochs is None:
            usual: dict[str, object] = {"help": f"by default, {settings.steps} steps"}
        else:
            usual = {"default": settings.epochs}
        body.append(Expression(add("--epochs", type=Name("int"), **usual)))
        body.append(Expression(add("--batch-size", type=Name("int"), default=settings.batch_size)))
    else:
        body.append(Expression(add("--epochs", type=Name("int"))))
        body.append(Expression(add("--batch-size", type=Name("int"))))
    body += [
        Expression(add("--seed", type=Name("int"), default=settings.seed)),
        Return(Name("parser.parse_args")()),
    ]
    return FunctionDef("parse_arguments", (), tuple(body), returns=Name("argparse.Namespace"))


def columns(training: Training) -> Expr:
    """Names of the data set's columns, as a list of strings."""
    return lift([c.name or "x" for c in training.batch])


def setting(training: Training, trainings: Sequence[Training], name: str) -> Expr:
    """`args.epochs`, or the program's own where the default could not stand in the parser."""
    given = Name(f"args.{name}")
    if len(trainings) == 1:
        return given
    value = getattr(training.settings, name)
    return given if value is None else Operator("or", given, Literal(value))
