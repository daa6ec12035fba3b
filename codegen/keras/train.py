"""Training programs: `compile` and `fit` where these express them, else a trainer with its own step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from codegen.keras.compiled import Compiled, compile_model, compiled
from codegen.keras.functions import DTYPES
from codegen.keras.trainer import Trainer, make_trainer, trainer_class
from codegen.python import program
from codegen.python.dialect import Dialect
from codegen.python.plan import Plan
from codegen.python.source import (
    Assign,
    Call,
    Conditional,
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
    Unary,
)
from nnspec.graph.graph import Graph, Value
from nnspec.graph.training import Training

FUNCTIONS = ("compile_model", "make_trainer", "prepare", "parse_arguments", "main")


@dataclass(frozen=True)
class Source:
    """What the statements of a program are made from.

    classes, plans: of the networks' graphs; suffix: of function names.
    """

    training: Training
    classes: Mapping[Graph, str]
    plans: Mapping[Graph, Plan]
    suffix: str
    dialect: Dialect

    @property
    def names(self) -> Mapping[object, str]:
        return program.variables(self.training, self.dialect, self.suffix)

    @property
    def compiled(self) -> Compiled | None:
        return compiled(self.training)

    @property
    def trainer(self) -> Trainer:
        return Trainer(
            self.training,
            self.plans,
            self.dialect,
            trainer_name(self.training),
            "make_trainer" + self.suffix,
            self.names,
        )


def trainer_name(training: Training) -> str:
    """The class of a program with a step of its own."""
    return f"{training.name}Trainer"


def definitions(source: Source) -> tuple[Stmt, ...]:
    """The functions of one program, `main` apart."""
    if found := source.compiled:
        network = source.names[found.network.name]
        name = "compile_model" + source.suffix
        how = compile_model(name, network, found, source.training.doc)
        return (how, _prepare(source, _inputs_and_targets(source, found)))
    trainer = source.trainer
    columns = Dict(
        tuple((Literal(c.name or "x"), _array(source, c)) for c in source.training.batch)
    )
    return (trainer_class(trainer), make_trainer(trainer), _prepare(source, columns))


def _array(source: Source, column: Value) -> Expr:
    return Name(source.names[column]).attr("astype")(DTYPES[column.type.dtype])


def _inputs_and_targets(source: Source, found: Compiled) -> Expr:
    """`image, label`: what `fit` takes."""
    targets = tuple(Literal(None) if t is None else _array(source, t) for t in found.targets)
    target = targets[0] if len(targets) == 1 else Tuple(targets)
    return Tuple((_array(source, found.column), target))


def _prepare(source: Source, result: Expr) -> Stmt:
    doc = "Columns of a data set: what is read, and what it is compared with."
    if isinstance(result, Dict):
        doc = "Columns of a data set as the trainer takes them."
    names = tuple(source.names[c] for c in source.training.batch)
    return FunctionDef(
        "prepare" + source.suffix,
        tuple(Parameter(name, Name("np.ndarray")) for name in names),
        (Return(result),),
        doc=doc,
    )


def main(sources: Sequence[Source]) -> tuple[Stmt, ...]:
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


def _main(source: Source, trainings: Sequence[Training]) -> Stmt:
    training, suffix = source.training, source.suffix
    networks = {n.name: Name(source.names[n.name]) for n in training.networks}
    several = len(networks) > 1
    body: list[Stmt] = []
    if len(trainings) == 1:
        body.append(Assign(Name("args"), Name("parse_arguments")()))
    unsaved = Operator(
        "and", Name("args.save"), Unary("not", Name("args.save.endswith")(".weights.h5"))
    )
    complaint = "--save takes a name that ends in .weights.h5"
    body += [
        If(unsaved, (Expression(Name("sys.exit")(complaint)),)),
        Assign(
            Tuple((Name("columns"), Name("held_out"))),
            Name("load_data")(Name("args.data"), program.columns(training)),
        ),
        Expression(Name("keras.utils.set_random_seed")(Name("args.seed"))),
    ]
    for network in training.networks:
        made = Name(source.classes[network.model])()
        body.append(Assign(networks[network.name], made))
    loads = [
        Expression(Name("load_weights")(v, _file("args.weights", n, several)))
        for n, v in networks.items()
    ]
    body.append(If(Name("args.weights"), tuple(loads)))
    body += _fit(source, trainings, tuple(networks.values()))
    saves = [
        Expression(Name("save_weights")(v, _file("args.save", n, several)))
        for n, v in networks.items()
    ]
    body.append(If(Name("args.save"), tuple(saves)))
    given = () if len(trainings) == 1 else (Parameter("args", Name("argparse.Namespace")),)
    return FunctionDef("main" + suffix, given, tuple(body), returns=Name("None"))


def _file(argument: str, network: str, several: bool) -> Expr:
    return Name("network_path")(Name(argument), network) if several else Name(argument)


def _fit(
    source: Source, trainings: Sequence[Training], networks: tuple[Name, ...]
) -> tuple[Stmt, ...]:
    """Everything from the columns to the last epoch."""
    training, suffix = source.training, source.suffix
    size = program.setting(training, trainings, "batch_size")
    epochs = program.setting(training, trainings, "epochs")
    statements: list[Stmt] = []
    if training.settings.steps is not None:
        each = Unary("-", Operator("//", -Name("len")(Name("columns")[0]), size))
        usual = Unary("-", Operator("//", Literal(-training.settings.steps), each))
        epochs = Operator("or", epochs, usual)
    prepare = Name("prepare" + suffix)
    columns, held_out = (Call(prepare, (Unary("*", Name(n)),)) for n in ("columns", "held_out"))
    if source.compiled:
        net = networks[0]
        statements.append(Expression(Name("compile_model" + suffix)(net)))
        given: tuple[Expr, ...] = (Unary("*", columns),)
    else:
        net = Name("trainer")
        statements.append(Assign(net, Call(Name("make_trainer" + suffix), networks)))
        given = (columns,)
    settings = {
        "batch_size": size,
        "epochs": epochs,
        "validation_data": Conditional(Name("held_out"), held_out, Literal(None)),
        "verbose": Literal(2),
    }
    fit = Call(net.attr("fit"), given, tuple(settings.items()))
    return (*statements, Expression(fit))
