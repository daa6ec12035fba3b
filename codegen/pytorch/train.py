"""Training programs as a plain PyTorch loop."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from codegen.python import command_line, training
from codegen.python.forward import Forward
from codegen.python.plan import WeightSlot
from codegen.python.source import (
    Assign,
    Call,
    Conditional,
    Dict,
    Expr,
    Expression,
    FunctionDef,
    If,
    List,
    Literal,
    Name,
    Operator,
    Parameter,
    Return,
    Stmt,
    Tuple,
    Unary,
)
from codegen.python.training import FEW_AXES, Part, Source, parameters
from codegen.pytorch.dtypes import DTYPES
from codegen.pytorch.optimizers import optimizer
from codegen.target import ProgramNames
from nnspec.graph.graph import Call as NetworkCall
from nnspec.graph.graph import Node, Weight
from nnspec.graph.training import Gradient, Minimize, Network, Training

OPTIMIZER = Name("torch.optim.Optimizer")
FIGURES = Name("dict")[Tuple((Name("str"), Name("Tensor")))]
DEVICE = Conditional(Name("torch.cuda.is_available")(), Literal("cuda"), Literal("cpu"))


def names(program: Training, trainings: Sequence[Training]) -> ProgramNames:
    """What the functions of a program are called."""
    end = training.suffix(program, trainings)
    single = len(set(training.optimizers(program).values())) == 1
    return ProgramNames(
        main="main" + end,
        make=("make_optimizer" if single else "make_optimizers") + end,
        step="train_step" + end,
        evaluate="evaluate" + end,
        more=("as_dataset" + end,),
        counted=training.counted(program),
    )


def definitions(sources: Sequence[Source]) -> tuple[Stmt, ...]:
    """The functions of all programs, and the call of `main`."""
    if not sources:
        return ()
    written: list[Stmt] = list(dict.fromkeys(d for s in sources for d in s.definitions))
    for source in sources:
        source.refuse_stale("PyTorch")
        step, check = _step(source, update=True), _step(source, update=False)
        written += [_make_optimizers(source), step, check, _as_dataset(source)]
    written.append(command_line.parse_arguments(sources, [("--device", {"default": DEVICE})]))
    mains = map(_main, sources)
    return (*written, *mains, *command_line.entry(sources))


def _updated(source: Source, update: Minimize) -> Expr:
    """`net.parameters()`, or a list of the parameters of several."""
    return _parameters(list(source.parts(update, source.networks.__getitem__)))


def _parameters(parts: Sequence[Part]) -> Expr:
    modules = [p.expression.attr("parameters")() for p in parts]
    if len(parts) == 1 and not isinstance(parts[0].slot, WeightSlot):
        return modules[0]
    return List(
        tuple(
            part.expression if isinstance(part.slot, WeightSlot) else Unary("*", module)
            for part, module in zip(parts, modules, strict=True)
        )
    )


def _make_optimizers(source: Source) -> Stmt:
    given = list(parameters(tuple(source.networks.values()), "nn.Module"))
    rate = source.learning_rate
    if rate is not None:
        given.append(Parameter("lr", Name("float"), Literal(rate)))
    made = tuple(
        _optimizer(source, u, None if rate is None else Name("lr")) for u in source.making.values()
    )
    frozen = (p.expression for p in source.frozen(source.networks.__getitem__))
    still = [*frozen, *(Name(source.networks[n.name]) for n in _followers(source))]
    body = [Expression(part.attr("requires_grad_")(False)) for part in still]
    value: Expr = made[0] if len(made) == 1 else Tuple(made)
    returns = OPTIMIZER if len(made) == 1 else Name("tuple")[Tuple((OPTIMIZER,) * len(made))]
    return FunctionDef(source.named.make, tuple(given), (*body, Return(value)), returns=returns)


def _optimizer(source: Source, update: Minimize, rate: Expr | None) -> Expr:
    updated = _grouped(source, update)
    if update.update in source.rules:
        return Name(source.rules[update.update].name)(updated)
    made = optimizer(update.update, updated, rate)
    changing = source.rate(update.update)
    return made if changing is None else Name("follow")(made, changing)


def _followers(source: Source) -> Iterator[Network]:
    return (n for n in source.training.networks if n.follows)


def _grouped(source: Source, update: Minimize) -> Expr:
    """The parameters that an optimizer moves; in two groups where some do not decay."""
    updated = _updated(source, update)
    spared = source.spared(update, source.networks.__getitem__)
    if spared is None:
        return updated
    few, parts = spared
    groups = Name("decay_groups")(updated, *([_parameters(parts)] if parts else []))
    return groups.with_keyword("axes", FEW_AXES) if few else groups


def _parameters_of(source: Source, weights: Sequence[Weight]) -> Expr | None:
    """Of the module that holds just these."""
    part = source.holder(weights, source.networks.__getitem__)
    return None if part is None else part.expression.attr("parameters")()


def _step(source: Source, *, update: bool) -> Stmt:
    """`train_step`, or `evaluate`, which has no updates."""

    def minimize(step: Minimize, loss: Expr, forward: Forward) -> None:
        used, number = Name(source.names[step]), step.update.accumulate
        share = loss / number if number > 1 else loss
        clear = Expression(used.attr("zero_grad")())
        back = Expression(Call(share.attr("backward"), (), _wanted_by(source, step)))
        averages = source.averages(step, source.networks.__getitem__)
        move = (*_clip(source, step), Expression(used.attr("step")()), *averages)
        turn = Operator("==", Name("step") % step.update.period, Literal(0))
        if number > 1:
            forward.statements.extend((back, If(turn, (*move, clear))))
        elif step.update.every > 1:
            forward.emit(If(turn, (clear, back, *move)))
        else:
            forward.statements.extend((clear, back, *move))

    program, names = source.training, source.names
    figures = training.figures(program)
    forward = Forward(
        source.dialect,
        [(c, names[c]) for c in program.batch],
        [s for s in program.steps if update or isinstance(s, (Node, NetworkCall))],
        [f.value for f in figures],
        layer=lambda name: Name(names[name]),
        weight=lambda weight: source.weight(weight, source.networks.__getitem__),
        together=lambda weights: _parameters_of(source, weights),
        minimize=minimize,
        reserved=[*names.values(), *source.named.all()],
        returned=False,
        wanted={f.value: f.name for f in figures},
    )
    if update:
        _begin(source, forward)
    forward.run()
    results = tuple((Literal(f.name), _tensor(forward.result(f.value))) for f in figures)
    forward.emit(Return(Dict(results)))
    optimizers = source.optimizers if update else ()
    derives = any(isinstance(step, Gradient) for step in program.steps)
    steps = [Parameter("steps", Name("Iterator")[Name("int")])]
    given = (
        *parameters(tuple(source.networks.values()), "nn.Module"),
        *parameters(optimizers, "torch.optim.Optimizer"),
        *(steps if update and source.named.counted else ()),
        *parameters(source.columns, "Tensor"),
    )
    return FunctionDef(
        source.named.step if update else source.named.evaluate,
        given,
        forward.body(),
        returns=FIGURES,
        decorators=() if update or derives else (Name("torch.no_grad")(),),
        doc=(program.doc or "One update on a batch.")
        if update
        else "Losses and metrics of a batch.",
    )


def _begin(source: Source, forward: Forward) -> None:
    """Count the step; what is frozen is applied as in evaluation, whatever mode its network is in."""
    if source.named.counted:
        forward.emit(Assign(Name("step"), Name("next")(Name("steps"))))
    for part in source.frozen(source.networks.__getitem__):
        if not isinstance(part.slot, WeightSlot):
            forward.emit(Expression(part.expression.attr("eval")()))


def _clip(source: Source, update: Minimize) -> tuple[Stmt, ...]:
    if (norm := update.update.clip_norm) is not None:
        return (Expression(Name("clip_norm")(_updated(source, update), norm)),)
    if (value := update.update.clip_value) is not None:
        clip = Name("torch.nn.utils.clip_grad_value_")
        return (Expression(clip(_updated(source, update), value)),)
    return ()


def _wanted_by(source: Source, update: Minimize) -> tuple[tuple[str, Expr], ...]:
    """Arguments of `backward`: where a later loss still needs what this one would use up, or gradients add up."""
    adds = len(source.updates) > 1 and any(u.update.accumulate > 1 for u in source.updates)
    if not source.flow.again(update) and not adds:
        return ()
    updated = _updated(source, update)
    if source.training.frozen:
        return (("inputs", Name("unfrozen")(updated)),)
    return (("inputs", updated if isinstance(updated, List) else Name("list")(updated)),)


def _tensor(value: Expr) -> Expr:
    return Name("torch.tensor")(value) if isinstance(value, Literal) else value


def _as_dataset(source: Source) -> Stmt:
    """The function that brings the columns into PyTorch's types and layout."""
    tensors: list[Expr] = []
    for column, layout in zip(source.training.batch, source.layouts, strict=True):
        tensor: Expr = Name("torch.from_numpy")(Name("columns")[column.name or "x"])
        if column.type.dtype == "bf16":
            tensor = tensor.attr("to")(Name(DTYPES["bf16"]))
        tensors.append(tensor if layout.is_spec else tensor.attr("permute")(*layout.order))
    orders = sorted({", ".join(str(x)) for x in source.layouts if not x.is_spec})
    moved = "".join(f", images as {order}" for order in orders) + "."
    (name,) = source.named.more
    return FunctionDef(
        name,
        (Parameter("columns", Name("dict")),),
        (Return(Name("TensorDataset")(*tensors)),),
        returns=Name("TensorDataset"),
        doc="Columns of a data set as tensors" + moved,
    )


def _main(source: Source) -> Stmt:
    seed = Expression(Name("torch.manual_seed")(Name("args.seed")))
    models = {n.name: n.model for n in source.training.networks}
    networks = [
        Assign(Name(v), Name(source.classes.names[models[n]])().attr("to")(Name("args.device")))
        for n, v in source.networks.items()
    ]
    start: list[Stmt] = [*networks]
    for network in _followers(source):
        begin = Name(source.networks[network.follows or ""]).attr("state_dict")()
        follower = Name(source.networks[network.name])
        start.append(Expression(follower.attr("load_state_dict")(begin)))
    variables = tuple(map(Name, source.networks.values()))
    optimizers = tuple(map(Name, source.optimizers))
    steps = (Name("itertools.count")(1),) if source.named.counted else ()
    (dataset,) = map(Name, source.named.more)
    size = command_line.setting(source, "batch_size")
    rate = () if source.learning_rate is None else (Name("args.lr"),)
    held_out = Name("held_out")
    checked = Name("DataLoader")(dataset(held_out), size)
    fit = Name("fit")(
        list(variables),
        Name("partial")(Name(source.named.step), *variables, *optimizers, *steps),
        Name("partial")(Name(source.named.evaluate), *variables),
        Name("DataLoader")(dataset(Name("columns")), size, shuffle=True),
        Conditional(held_out, checked, Literal(None)),
        epochs=command_line.setting(source, "epochs"),
        losses=[loss.name for loss in training.losses(source.training)],
        device=Name("args.device"),
        **training.summarized(source.training),
    )
    target = optimizers[0] if len(optimizers) == 1 else Tuple(optimizers)
    make = Assign(target, Name(source.named.make)(*variables, *rate))
    return command_line.main(source, start=[seed], networks=start, train=[make, Expression(fit)])
