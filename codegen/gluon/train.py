"""A training program as a plain Gluon loop: `autograd.record`, `Trainer`, metrics for each epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from codegen.gluon.functions import DTYPES
from codegen.gluon.module import TRAINING
from codegen.gluon.optimizers import optimizer
from codegen.gluon.records import kept_graphs, refuse_stale_weights, some_unreached
from codegen.gluon.targets import parameters_of
from codegen.python import program
from codegen.python.classes import Classes
from codegen.python.forward import Forward
from codegen.python.source import (
    Assign,
    Blank,
    Comment,
    Dict,
    Expr,
    Expression,
    FunctionDef,
    If,
    Literal,
    Name,
    Operator,
    Parameter,
    Return,
    Stmt,
    Tuple,
    With,
    lift,
)
from nnspec.graph.graph import Value
from nnspec.graph.layouts import Layouts
from nnspec.graph.training import Minimize, Training, TrainStep


class TrainingWriter:
    """Writes the functions of one training program.

    trainings: all programs of the file. layouts: of the batch's columns. hybridize: whether the networks
    may be compiled (not where their batch norms count applications in Python).
    """

    def __init__(
        self,
        training: Training,
        trainings: Sequence[Training],
        classes: Classes,
        layouts: Layouts,
        hybridize: bool,
    ) -> None:
        self.training, self.trainings, self.classes = _losses_named(training), trainings, classes
        self.layouts, self.hybridize = layouts, hybridize
        self.suffix = program.suffix(training, trainings)
        self.names: Mapping[object, str] = program.variables(self.training, TRAINING, self.suffix)
        self.updates = program.minimizes(self.training)
        self.networks = tuple(self.names[n.name] for n in training.networks)
        self.optimizers = tuple(self.names[update] for update in self.updates)
        self.batch = tuple(self.names[column] for column in training.batch)
        self.make = f"make_optimizer{'s' if len(self.updates) > 1 else ''}{self.suffix}"

    def definitions(self) -> tuple[Stmt, ...]:
        """Optimizers, the step of training, that of evaluation, the command line."""
        return (self.make_optimizers(), self.train_step(), self.evaluate(), self.main())

    def make_optimizers(self) -> Stmt:
        nets = {n.name: self.names[n.name] for n in self.training.networks}
        plans = {n.name: self.classes.plans[n.model] for n in self.training.networks}
        body: list[Stmt] = [
            Assign(
                Name(self.names[update]),
                Name("gluon.Trainer")(
                    parameters_of(update.over, plans, nets), optimizer(update.optimizer)
                ),
            )
            for update in self.updates
        ]
        match body:
            case [Assign(value=value)]:
                body = [Return(value)]
            case _:
                body.append(Return(_names(self.optimizers)))
        return FunctionDef(self.make, _parameters(self.networks), tuple(body))

    def train_step(self) -> Stmt:
        """One segment for each update: recorded, then backward and step."""
        refuse_stale_weights(self.training)
        kept = kept_graphs(self.training)

        def hold(step: Minimize, loss: Expr, forward: Forward) -> None:
            if not isinstance(loss, Name):
                forward.emit(Assign(Name("loss"), loss))

        forward = self._forward(hold)
        for segment, update in _segments(self.training):
            with forward.capture() as recorded:
                forward.run(segment)
                if update is not None:
                    forward.step(update)
            if update is None:
                forward.statements.extend(recorded)
                continue
            comments = [s for s in recorded if isinstance(s, Comment) and s.text == update.doc]
            forward.statements.extend(comments)
            work = tuple(s for s in recorded if s not in comments)
            forward.emit(With(((Name("autograd.record")(), None),), work))
            backward = forward.result(update.loss).attr("backward")
            forward.emit(Expression(backward(**{"retain_graph": True} if update in kept else {})))
            if update is self.updates[0]:
                forward.emit(Comment("The loss is a mean already: nothing is left to divide by."))
            # Weights without a gradient stay as they are.
            partly = {"ignore_stale_grad": True} if some_unreached(self.training, update) else {}
            forward.emit(Expression(Name(self.names[update]).attr("step")(1, **partly)))
        body = (*forward.body(), Return(self._report(forward)))
        parameters = _parameters((*self.networks, *self.optimizers, *self.batch))
        doc = "Update the weights on one batch; its losses and metrics."
        return FunctionDef(f"train_step{self.suffix}", parameters, body, doc=doc)

    def evaluate(self) -> Stmt:
        forward = self._forward(lambda step, loss, forward: None)
        forward.run([s for s in self.training.steps if not isinstance(s, Minimize)])
        body = (*forward.body(), Return(self._report(forward)))
        parameters = _parameters((*self.networks, *self.batch))
        doc = "Losses and metrics of one batch, without an update."
        return FunctionDef(f"evaluate{self.suffix}", parameters, body, doc=doc)

    def _forward(self, hold: object) -> Forward:
        return Forward(
            TRAINING,
            list(zip(self.training.batch, self.batch)),
            self.training.steps,
            [report.value for report in program.reports(self.training)],
            layer=lambda name: Name(self.names[name]),
            minimize=hold,  # type: ignore[arg-type]
            reserved=[*self.networks, *self.optimizers],
        )

    def _report(self, forward: Forward) -> Expr:
        """`{"loss": loss.asscalar(), ...}`."""
        return Dict(
            tuple(
                (Literal(report.name), forward.result(report.value).attr("asscalar")())
                for report in program.reports(self.training)
            )
        )

    def main(self) -> Stmt:
        """The command line: builds, loads, trains, prints, saves."""
        body: list[Stmt] = []
        if len(self.trainings) == 1:
            body.append(Assign(Name("args"), Name("parse_arguments")()))
        body.append(Expression(Name("mx.random.seed")(Name("args.seed"))))
        body += [*self._data(), Blank()]
        for network, name in zip(self.training.networks, self.networks):
            body += [
                Assign(Name(name), Name(self.classes.names[network.model])()),
                Expression(Name(name).attr("initialize")(Name("mx.init.Xavier")())),
            ]
        body.append(If(Name("args.weights"), self._files("weights")))
        if self.hybridize:
            body += [Expression(Name(name).attr("hybridize")()) for name in self.networks]
        made = Name(self.make)(*map(Name, self.networks))
        body += [Assign(_names(self.optimizers), made), Blank(), self._fit()]
        body.append(If(Name("args.save"), self._files("save")))
        arguments = () if len(self.trainings) == 1 else _parameters(("args",))
        doc = self.training.doc or "Train, and save the weights."
        return FunctionDef(f"main{self.suffix}", arguments, tuple(body), doc=doc)

    def _data(self) -> list[Stmt]:
        columns = self.training.batch
        types = [DTYPES[c.type.dtype] for c in columns]
        orders = {
            Literal(i): lift(layout.order)
            for i, layout in enumerate(self.layouts)
            if not layout.is_spec
        }
        where = {"orders": Dict(tuple(orders.items()))} if orders else {}
        data, held_out = Name("data"), Name("held_out")
        return [
            Assign(
                Tuple((data, held_out)),
                Name("load_data")(Name("args.data"), program.columns(self.training)),
            ),
            *(Assign(c, Name("as_native")(c, types, **where)) for c in (data, held_out)),
        ]

    def _files(self, option: str) -> tuple[Stmt, ...]:
        statements: list[Stmt] = []
        for network, name in zip(self.training.networks, self.networks):
            path: Expr = Name(f"args.{option}")
            if len(self.networks) > 1:
                path = Name("network_path")(path, network.name)
            if option == "weights":
                statements.append(Expression(Name("load_weights")(Name(name), path)))
            else:
                path = path if isinstance(path, Name) else Name("str")(path)
                statements.append(Expression(Name(name).attr("save_parameters")(path)))
        return tuple(statements)

    def _fit(self) -> Stmt:
        epochs = program.setting(self.training, self.trainings, "epochs")
        size = program.setting(self.training, self.trainings, "batch_size")
        if self.training.settings.steps is not None:
            given = Name("epochs_of")(self.training.settings.steps, Name("data"), size)
            epochs = Operator("or", Name("args.epochs"), given)
        nets, steppers = map(Name, self.networks), map(Name, self.optimizers)
        networks = tuple(nets)
        return Expression(
            Name("fit")(
                Name("on_arrays")(Name(f"train_step{self.suffix}"), *networks, *steppers),
                Name("on_arrays")(Name(f"evaluate{self.suffix}"), *networks),
                Name("data"),
                Name("held_out"),
                epochs,
                size,
                Name("args.seed"),
            )
        )


def entry(trainings: Sequence[Training]) -> Stmt:
    """What happens when the file is run."""
    if len(trainings) == 1:
        run: tuple[Stmt, ...] = (Expression(Name("main")()),)
    else:
        mains = {t.name: Name(f"main{program.suffix(t, trainings)}") for t in trainings}
        run = (
            Assign(Name("args"), Name("parse_arguments")()),
            Expression(
                Dict(tuple((Literal(n), m) for n, m in mains.items()))[Name("args.program")](
                    Name("args")
                )
            ),
        )
    return If(Operator("==", Name("__name__"), Literal("__main__")), run)


def _losses_named(training: Training) -> Training:
    """The program with a name for each loss: the one under which it is reported."""
    named = {
        report.value: replace(report.value, name=report.value.name or report.name)
        for report in program.losses(training)
    }

    def rename(values: tuple[Value, ...]) -> tuple[Value, ...]:
        return tuple(named.get(v, v) for v in values)

    steps: list[TrainStep] = []
    for step in training.steps:
        if isinstance(step, Minimize):
            steps.append(replace(step, loss=named[step.loss]))
        else:
            steps.append(replace(step, inputs=rename(step.inputs), outputs=rename(step.outputs)))
    metrics = tuple(replace(m, value=named.get(m.value, m.value)) for m in training.metrics)
    return replace(training, steps=tuple(steps), metrics=metrics)


def _segments(training: Training) -> list[tuple[list[TrainStep], Minimize | None]]:
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


def _names(names: Sequence[str]) -> Expr:
    return Name(names[0]) if len(names) == 1 else Tuple(tuple(map(Name, names)))


def _parameters(names: Sequence[str]) -> tuple[Parameter, ...]:
    return tuple(map(Parameter, names))
