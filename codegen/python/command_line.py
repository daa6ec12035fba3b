"""`main` of a generated program: read the command line and the data, train, write the weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from codegen.python.source import (
    Assign,
    Call,
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
    lift,
)
from codegen.python.training import Source
from nnspec.core.dtypes import DTYPES
from nnspec.graph.batches import normalises_rows
from nnspec.graph.graph import Value

ARGS = Name("args")


def parse_arguments(
    sources: Sequence[Source], options: Sequence[tuple[str, Mapping[str, object]]] = ()
) -> FunctionDef:
    """The function that reads the command line; defaults are the settings of the (first) program.

    options: further ones of the target.
    """
    trainings = [s.training for s in sources]
    settings = trainings[0].settings
    names = ", ".join(dict.fromkeys(c.name or "x" for t in trainings for c in t.batch))
    epochs: dict[str, object] = {}
    size: dict[str, object] = {}
    if len(trainings) == 1:
        size["default"] = settings.batch_size
        if settings.epochs is None:
            epochs["help"] = f"by default, {settings.steps} steps"
        else:
            epochs["default"] = settings.epochs
    integer, number = Name("int"), Name("float")
    flags: list[tuple[str, Mapping[str, object]]] = []
    if len(trainings) > 1:
        choices = [t.name for t in trainings]
        flags.append(("--program", {"choices": choices, "default": choices[0]}))
    flags += [
        ("--data", {"required": True, "help": f".npz file with the columns {names}"}),
        ("--weights", {"help": "file of weights to start from"}),
        ("--save", {"help": "file to write the trained weights to"}),
        ("--epochs", {"type": integer, **epochs}),
        ("--batch-size", {"type": integer, **size}),
    ]
    if (rate := sources[0].learning_rate) is not None:
        flags.append(("--lr", {"type": number, "default": rate}))
    flags += [("--seed", {"type": integer, "default": settings.seed}), *options]
    add = Name("parser.add_argument")
    parser = Name("argparse.ArgumentParser")(description=Name("__doc__"))
    body = (
        Assign(Name("parser"), parser),
        *(Expression(add(flag, **keywords)) for flag, keywords in flags),
        Return(Name("parser.parse_args")()),
    )
    return FunctionDef("parse_arguments", (), body, returns=Name("argparse.Namespace"))


def main(
    source: Source, *, start: Sequence[Stmt], networks: Sequence[Stmt], train: Sequence[Stmt]
) -> FunctionDef:
    """`main`, or the `main` of one of several programs.

    start: what comes before the data is read; networks: what makes them; train: everything from their
    weights to the last epoch.
    """
    single = len(source.trainings) == 1
    types = Dict(tuple((Literal(c.name or "x"), _type(c)) for c in source.declared.batch))
    data = Tuple((Name("columns"), Name("held_out")))
    body: list[Stmt] = [Assign(ARGS, Name("parse_arguments")())] if single else []
    body += start
    body.append(Assign(data, Name("load_data")(Name("args.data"), types)))
    if normalises_rows(source.declared):
        check = Name("refuse_single_rows")(Name("columns"), setting(source, "batch_size"))
        body.append(Expression(check))
    body += networks
    body.append(If(Name("args.weights"), _files(source, "load_weights", "args.weights")))
    body += train
    body.append(If(Name("args.save"), _files(source, "save_weights", "args.save")))
    given = () if single else (Parameter("args", Name("argparse.Namespace")),)
    return FunctionDef(source.named.main, given, tuple(body), returns=Name("None"))


def entry(sources: Sequence[Source]) -> tuple[Stmt, ...]:
    """What happens when the file is run: `main`, which with several programs chooses one."""
    functions: tuple[Stmt, ...] = ()
    if len(sources) > 1:
        mains = tuple((Literal(s.training.name), Name(s.named.main)) for s in sources)
        choose = Dict(mains)[Name("args.program")](ARGS)
        body = (Assign(ARGS, Name("parse_arguments")()), Expression(choose))
        functions = (FunctionDef("main", (), body, returns=Name("None")),)
    test = Operator("==", Name("__name__"), Literal("__main__"))
    return (*functions, If(test, (Expression(Name("main")()),)))


def setting(source: Source, name: str) -> Expr:
    """`args.epochs`, or the program's own where the default could not stand in the parser."""
    given, value = Name(f"args.{name}"), getattr(source.training.settings, name)
    if name == "epochs" and value is None:
        steps = Literal(source.training.settings.steps)
        usual: Expr = Name("epochs_of")(steps, Name("columns"), setting(source, "batch_size"))
        return Operator("or", given, usual)
    return given if len(source.trainings) == 1 else Operator("or", given, Literal(value))


def _type(column: Value) -> Expr:
    """`("float32", (28, 28, 1))`: the type of a column, and the shape of a row."""
    dtype = column.type.dtype
    # NumPy has no bfloat16 of its own: files hold float32.
    array = "float32" if dtype == "bf16" else DTYPES[dtype].array
    shape = tuple(d if isinstance(d, int) else None for d in column.type.shape[1:])
    return lift((array, shape))


def _files(source: Source, function: str, option: str) -> tuple[Stmt, ...]:
    """A call for each network; of several, each has a file of its own."""
    calls: list[Stmt] = []
    for network, variable in source.networks.items():
        path: Expr = Name(option)
        if len(source.networks) > 1:
            path = Name("network_path")(path, network)
        calls.append(Expression(Call(Name(function), (Name(variable), path))))
    return tuple(calls)
