"""`main` of a generated program: load the data, train for some epochs, save the weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from codegen.python import program
from codegen.python.source import (
    Assign,
    Call,
    Comprehension,
    Conditional,
    Expr,
    Expression,
    For,
    Format,
    FunctionDef,
    If,
    Literal,
    Name,
    Operator,
    Parameter,
    Stmt,
    Tuple,
    Unary,
)
from codegen.pytorch.train import TrainingSource
from nnspec.graph.training import Training


def main(sources: Sequence[TrainingSource]) -> tuple[Stmt, ...]:
    """`parse_arguments` and `main` (one for each program, and a choice), and the call."""
    trainings = [s.training for s in sources]
    functions: list[Stmt] = [program.parse_arguments(trainings)]
    for source in sources:
        functions.append(_main(source, trainings))
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
    networks = tuple(Name(n) for n in source.networks)
    optimizers = tuple(Name(n) for n in source.optimizers)
    several = len(networks) > 1
    args = {n: program.setting(training, trainings, n) for n in ("epochs", "batch_size")}
    body: list[Stmt] = []
    if len(trainings) == 1:
        body.append(Assign(Name("args"), Name("parse_arguments")()))
    body += [
        Expression(Name("torch.manual_seed")(Name("args.seed"))),
        Assign(
            Name("device"),
            Conditional(Name("torch.cuda.is_available")(), Literal("cuda"), Literal("cpu")),
        ),
    ]
    for network, variable in zip(training.networks, networks, strict=True):
        made = Name(source.classes[network.model])().attr("to")(Name("device"))
        body.append(Assign(variable, made))
    body.append(
        If(
            Name("args.weights"),
            tuple(
                Expression(Name("load_weights")(v, _file("args.weights", n.name, several)))
                for n, v in zip(training.networks, networks, strict=True)
            ),
        )
    )
    if optimizers:
        maker = ("make_optimizer" if len(optimizers) == 1 else "make_optimizers") + suffix
        target = optimizers[0] if len(optimizers) == 1 else Tuple(optimizers)
        body.append(Assign(target, Name(maker)(*networks)))
    body.append(
        Assign(
            Tuple((Name("columns"), Name("held_out"))),
            Name("load_data")(Name("args.data"), program.columns(training)),
        )
    )
    tensors = Name(f"to_tensors{suffix}")
    on_device = Name("t.to")(Name("device"))
    body.append(
        Assign(
            Name("columns"),
            Comprehension(on_device, Name("t"), Call(tensors, (Unary("*", Name("columns")),))),
        )
    )
    body.append(
        If(
            Name("held_out"),
            (
                Assign(
                    Name("held_out"),
                    Comprehension(
                        on_device, Name("t"), Call(tensors, (Unary("*", Name("held_out")),))
                    ),
                ),
            ),
        )
    )
    body += _loop(source, args, networks, optimizers)
    body.append(
        If(
            Name("args.save"),
            tuple(
                Expression(Name("save_weights")(v, _file("args.save", n.name, several)))
                for n, v in zip(training.networks, networks, strict=True)
            ),
        )
    )
    given = () if len(trainings) == 1 else (Parameter("args", Name("argparse.Namespace")),)
    return FunctionDef("main" + suffix, given, tuple(body), returns=Name("None"))


def _file(argument: str, network: str, several: bool) -> Expr:
    return Name("network_path")(Name(argument), network) if several else Name(argument)


def _loop(
    source: TrainingSource,
    args: Mapping[str, Expr],
    networks: tuple[Name, ...],
    optimizers: tuple[Name, ...],
) -> list[Stmt]:
    settings = source.training.settings
    epochs, size, figures = Name("epochs"), Name("size"), Name("figures")
    step = Name("partial")(Name("train_step" + source.suffix), *networks, *optimizers)
    check = Name("partial")(Name("evaluate" + source.suffix), *networks)
    count = Name("len")(Name("columns")[0])
    if settings.steps is not None:
        each = Unary("-", Operator("//", -count, size))
        usual = Unary("-", Operator("//", Literal(-settings.steps), each))
        args = {**args, "epochs": Operator("or", args["epochs"], usual)}
    renamed = Name("held_out_figures")
    order = Name("np.arange")(Name("len")(Name("held_out")[0]))
    modes = tuple(Expression(n.attr("train")()) for n in networks)
    pauses = tuple(Expression(n.attr("eval")()) for n in networks)
    return [
        Assign(Name("generator"), Name("np.random.default_rng")(Name("args.seed"))),
        Assign(size, args["batch_size"]),
        Assign(epochs, args["epochs"]),
        For(
            Name("epoch"),
            Name("range")(1, epochs + 1),
            (
                *modes,
                Assign(Name("order"), Name("generator.permutation")(count)),
                Assign(figures, Name("run_epoch")(step, Name("columns"), Name("order"), size)),
                If(
                    Name("held_out"),
                    (
                        *pauses,
                        Assign(Name("order"), order),
                        Assign(
                            renamed, Name("run_epoch")(check, Name("held_out"), Name("order"), size)
                        ),
                        For(
                            Tuple((Name("name"), Name("value"))),
                            renamed.attr("items")(),
                            (Assign(figures[Format(("val_", (Name("name"), "")))], Name("value")),),
                        ),
                    ),
                ),
                Expression(Name("print_epoch")(Name("epoch"), epochs, figures)),
            ),
        ),
    ]
