"""Training programs: `compile` and `fit` where these express them, else a trainer with its own step."""

from __future__ import annotations

from collections.abc import Sequence

from codegen.keras.compiled import Compiled, compile_model, compiled
from codegen.keras.trainer import make_trainer, trainer_class
from codegen.python import command_line, training
from codegen.python.source import (
    Assign,
    Call,
    Conditional,
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
from codegen.python.training import Source
from codegen.target import ProgramNames
from nnspec.graph.flow import Flow
from nnspec.graph.graph import Value
from nnspec.graph.training import Training

COLUMNS, HELD_OUT = Name("columns"), Name("held_out")


def names(program: Training, trainings: Sequence[Training]) -> ProgramNames:
    """What the functions of a program are called."""
    end = training.suffix(program, trainings)
    if compiled(program) is not None:
        return ProgramNames(main="main" + end, make="compile_model" + end, prepare="prepare" + end)
    trainer = f"{program.name}Trainer"
    counted = any(u.update.every > 1 for u in Flow(program).updates)
    return ProgramNames("main" + end, "make_trainer" + end, more=(trainer,), counted=counted)


def definitions(sources: Sequence[Source]) -> tuple[Stmt, ...]:
    """The functions of all programs, and the call of `main`."""
    if not sources:
        return ()
    written: list[Stmt] = list(dict.fromkeys(d for s in sources for d in s.definitions))
    for source in sources:
        if found := compiled(source.training):
            written += [compile_model(source, found), _prepare(source, found)]
        else:
            written += [trainer_class(source), make_trainer(source)]
    written.append(command_line.parse_arguments(sources))
    return (*written, *map(_main, sources), *command_line.entry(sources))


def _prepare(source: Source, found: Compiled) -> Stmt:
    """What `fit` takes: what is read, and what it is compared with."""

    def array(column: Value) -> Expr:
        return COLUMNS[column.name or "x"]

    targets = tuple(Literal(None) if t is None else array(t) for t in found.targets)
    target = targets[0] if len(targets) == 1 else Tuple(targets)
    return FunctionDef(
        source.named.prepare,
        (Parameter("columns", Name("dict")),),
        (Return(Tuple((array(found.column), target))),),
        doc="What the network reads, and what its outputs are compared with.",
    )


def _main(source: Source) -> Stmt:
    unnamed = Unary("not", Name("args.save.endswith")(".weights.h5"))
    refusal = Name("sys.exit")("--save takes a name that ends in .weights.h5")
    start = [
        If(Operator("and", Name("args.save"), unnamed), (Expression(refusal),)),
        Expression(Name("keras.utils.set_random_seed")(Name("args.seed"))),
    ]
    models = {n.name: n.model for n in source.training.networks}
    networks: list[Stmt] = [
        Assign(Name(variable), Name(source.classes.names[models[network]])())
        for network, variable in source.networks.items()
    ]
    for network in source.training.networks:
        if network.follows:
            weights = Name(source.networks[network.follows]).attr("get_weights")()
            begin = Name(source.networks[network.name]).attr("set_weights")(weights)
            networks.append(Expression(begin))
    return command_line.main(source, start=start, networks=networks, train=_fit(source))


def _fit(source: Source) -> tuple[Stmt, ...]:
    """Everything from the weights to the last epoch."""
    networks = tuple(map(Name, source.networks.values()))
    rate = () if source.learning_rate is None else (Name("args.lr"),)
    make = Call(Name(source.named.make), (*networks, *rate))
    if source.named.prepare:
        fitted = networks[0]
        first: Stmt = Expression(make)
        prepare = Name(source.named.prepare)
        given: tuple[Expr, ...] = (Unary("*", prepare(COLUMNS)),)
        held_out: Expr = Conditional(HELD_OUT, prepare(HELD_OUT), Literal(None))
    else:
        fitted = Name("trainer")
        first, given = Assign(fitted, make), (COLUMNS,)
        held_out = Operator("or", HELD_OUT, Literal(None))
    losses = [loss.name for loss in training.losses(source.training)]
    fit = Call(fitted.attr("fit"), given).with_keyword("batch_size", _size(source))
    fit = fit.with_keyword("epochs", command_line.setting(source, "epochs"))
    fit = fit.with_keyword("validation_data", held_out)
    fit = fit.with_keyword("callbacks", [Name("StopUnlessFinite")(losses)])
    # A bar that moves where someone looks, else a line for each epoch.
    bar = Conditional(Name("sys.stdout.isatty")(), Literal(1), Literal(2))
    return first, Expression(fit.with_keyword("verbose", bar))


def _size(source: Source) -> Expr:
    return command_line.setting(source, "batch_size")
