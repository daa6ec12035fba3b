"""Training programs: `compile` and `fit` where these express them, a `train_step` where they do not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from codegen import program
from codegen.keras.fitting import Fit, compile_model, fit_of, fitting, inputs_and_targets
from codegen.keras.functions import DTYPES
from codegen.keras.module import DIALECT
from codegen.keras.stepping import Step, training_loop
from codegen.plan import Plan
from codegen.python_source import (
    Assign,
    Expr,
    Expression,
    FunctionDef,
    If,
    Literal,
    Name,
    Operator,
    Parameter,
    Stmt,
    Tuple,
)
from nnspec.graph import Graph, Value
from nnspec.training.program import Training


@dataclass(frozen=True)
class TrainingSource:
    """A training program and the classes of its networks."""

    training: Training
    classes: Mapping[Graph, str]
    plans: Mapping[Graph, Plan]
    suffix: str

    @property
    def names(self) -> Mapping[object, str]:
        return program.variables(self.training, DIALECT, self.suffix)

    @property
    def fit(self) -> Fit | None:
        return fit_of(self.training)

    @property
    def step(self) -> Step:
        return Step(self.training, self.names, self.plans, self.suffix)


def definitions(source: TrainingSource) -> tuple[Stmt, ...]:
    """What the program needs besides its `main`."""
    if source.fit is None:
        return source.step.definitions()
    network = source.names[source.training.networks[0].name]
    columns = {c: source.names[c] for c in source.training.batch}
    return (
        compile_model(source.fit, network, source.suffix),
        inputs_and_targets(source.fit, columns, source.suffix),
    )


def main(sources: Sequence[TrainingSource]) -> tuple[Stmt, ...]:
    """`parse_arguments` and `main` (one for each program, and a choice), and the call."""
    trainings = [s.training for s in sources]
    functions: list[Stmt] = [program.parse_arguments(trainings)]
    functions += [_main(source, trainings) for source in sources]
    if len(sources) > 1:
        choice: tuple[Stmt, ...] = ()
        for source in reversed(sources):
            test = Operator("==", Name("args.program"), Literal(source.training.name))
            call = Expression(Name("main" + source.suffix)(Name("args")))
            choice = (If(test, (call,), choice),)
        body = (Assign(Name("args"), Name("parse_arguments")()), *choice)
        functions.append(FunctionDef("main", (), body, returns=Name("None")))
    start = If(Operator("==", Name("__name__"), Literal("__main__")), (Expression(Name("main")()),))
    return (*functions, start)


def _main(source: TrainingSource, trainings: Sequence[Training]) -> Stmt:
    training, suffix = source.training, source.suffix
    several = len(training.networks) > 1
    epochs = program.setting(training, trainings, "epochs")
    size = program.setting(training, trainings, "batch_size")
    body: list[Stmt] = []
    if len(trainings) == 1:
        body.append(Assign(Name("args"), Name("parse_arguments")()))
    body.append(Expression(Name("keras.utils.set_random_seed")(Name("args.seed"))))
    for network in training.networks:
        body.append(Assign(Name(source.names[network.name]), Name(source.classes[network.model])()))
    body.append(
        Assign(
            Tuple((Name("columns"), Name("held_out"))),
            Name("load_data")(Name("args.data"), program.columns(training)),
        )
    )
    loads: list[Stmt] = []
    saves: list[Stmt] = []
    for network in training.networks:
        net = Name(source.names[network.name])
        examples = [_zeros(v) for v in network.model.inputs]
        path = _file("args.weights", network.name, several)
        loads.append(Expression(Name("load_weights")(net, path, *examples)))
        saves.append(
            Expression(net.attr("save_weights")(_file("args.save", network.name, several)))
        )
    body.append(If(Name("args.weights"), tuple(loads)))
    if source.fit is None:
        body += training_loop(source.step, epochs, size, training.settings.steps)
    else:
        body += fitting(source.names[training.networks[0].name], suffix, epochs, size)
    body.append(If(Name("args.save"), tuple(saves)))
    given = () if len(trainings) == 1 else (Parameter("args", Name("argparse.Namespace")),)
    return FunctionDef("main" + suffix, given, tuple(body), returns=Name("None"))


def _zeros(value: Value) -> Expr:
    """An input of the smallest size, which builds a network."""
    shape = tuple(d if isinstance(d, int) else 1 for d in value.type.shape)
    made = Name("ops.zeros")(shape)
    return (
        made if value.type.dtype == "f32" else made.with_keyword("dtype", DTYPES[value.type.dtype])
    )


def _file(argument: str, network: str, several: bool) -> Expr:
    return Name("network_path")(Name(argument), network) if several else Name(argument)
