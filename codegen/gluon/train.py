"""A training program as a plain Gluon loop: `autograd.record`, `Trainer`, metrics for each epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import chain

from codegen.gluon.optimizers import optimizer
from codegen.python import command_line, training
from codegen.python.dialect import Unsupported
from codegen.python.forward import Forward
from codegen.python.plan import WeightSlot
from codegen.python.source import (
    Assign,
    Call,
    Comment,
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
    With,
    lift,
)
from codegen.python.training import FEW_AXES, Source, parameters
from codegen.target import ProgramNames
from nnspec.graph.graph import Call as NetworkCall
from nnspec.graph.graph import Node, Value, Weight, walk
from nnspec.graph.training import Minimize, Repeat, Training, TrainStep, end_of_loop

DEVICE = Conditional(Name("mx.context.num_gpus")(), Literal("gpu"), Literal("cpu"))
MEAN = Comment("The loss is a mean already: nothing is left to divide by.")


def names(program: Training, trainings: Sequence[Training]) -> ProgramNames:
    """What the functions of a program are called."""
    end = training.suffix(program, trainings)
    single = len(set(training.optimizers(program).values())) == 1
    return ProgramNames(
        main="main" + end,
        make=("make_optimizer" if single else "make_optimizers") + end,
        step="train_step" + end,
        evaluate="evaluate" + end,
        counted=training.counted(program),
    )


def definitions(sources: Sequence[Source], hybridize: bool) -> tuple[Stmt, ...]:
    """The functions of all programs, and the call of `main`.

    hybridize: whether networks may be compiled (not where their batch norms count applications in Python).
    """
    if not sources:
        return ()
    written: list[Stmt] = list(dict.fromkeys(d for s in sources for d in s.definitions))
    for source in sources:
        source.refuse_stale("Gluon")
        written += [_make_optimizers(source), _train_step(source), _evaluate(source)]
    written.append(command_line.parse_arguments(sources, [("--device", {"default": DEVICE})]))
    mains = (_main(source, hybridize) for source in sources)
    return (*written, *mains, *command_line.entry(sources))


def losses_named(program: Training) -> Training:
    """The program with a name for each loss: the one under which it is reported."""
    named = {
        loss.value: replace(loss.value, name=loss.value.name or loss.name)
        for loss in training.losses(program)
    }

    def rename(values: tuple[Value, ...]) -> tuple[Value, ...]:
        return tuple(named.get(v, v) for v in values)

    steps: list[TrainStep] = []
    for step in program.steps:
        if isinstance(step, Minimize):
            steps.append(replace(step, loss=named[step.loss]))
        elif isinstance(step, Repeat):
            steps.append(step)
        else:
            steps.append(replace(step, inputs=rename(step.inputs), outputs=rename(step.outputs)))
    metrics = tuple(replace(m, value=named.get(m.value, m.value)) for m in program.metrics)
    return replace(program, steps=tuple(steps), metrics=metrics)


def _updated(source: Source, update: Minimize) -> Expr:
    """`net.collect_params()`, or the parameters of several things.

    Of weights that the loss does not depend on those are left out that may hold a gradient of another loss.
    """
    return _together(source, _moved(source, update))


def _together(source: Source, parts: Sequence[training.Part]) -> Expr:
    parameters = [
        Dict(((part.expression.attr("name"), part.expression),))
        if isinstance(part.slot, WeightSlot)
        else part.expression.attr("collect_params")()
        for part in parts
    ]
    return parameters[0] if len(parameters) == 1 else Call(Name("together"), tuple(parameters))


def _moved(source: Source, update: Minimize) -> Sequence[training.Part]:
    flow = source.flow
    others = [flow.reached(other) for other in source.updates if other is not update]
    stale = (flow.updated(update) - flow.reached(update)).intersection(chain(*others))
    parts = source.reached if stale else source.parts
    return list(parts(update, source.networks.__getitem__))


def _make_optimizers(source: Source) -> Stmt:
    given, rate = list(parameters(tuple(source.networks.values()))), source.learning_rate
    if rate is not None:
        given.append(Parameter("lr", None, Literal(rate)))
    made = []
    for u in source.making.values():
        adds = u.update.accumulate > 1
        if adds:
            _refuse_strangers(source, u)
        weights = Name("add_gradients")(_updated(source, u)) if adds else _updated(source, u)
        own = _optimizer(source, u, None if rate is None else Name("lr"))
        made.append(Name("gluon.Trainer")(weights, own))
    assigned = [Assign(Name(n), m) for n, m in zip(source.optimizers, made, strict=True)]
    frozen = source.frozen(source.networks.__getitem__)
    body: list[Stmt] = [_freeze(part) for part in frozen]
    for u in source.making.values():
        body += _spare(source, u)
    body += [Return(made[0])] if len(made) == 1 else [*assigned, Return(_names(source.optimizers))]
    return FunctionDef(source.named.make, tuple(given), tuple(body))


def _refuse_strangers(source: Source, update: Minimize) -> None:
    """Gradients that add up for one update, to which another loss would add its own."""
    own = source.flow.updated(update)
    if any(u is not update and own & source.flow.reached(u) for u in source.updates):
        what = "`accumulate` for weights that another loss reaches too"
        why = (
            "MXNet adds up whatever is differentiated; end the other's gradient by `stop_gradient`"
        )
        raise Unsupported(what, update.span, "Gluon", why)


def _spare(source: Source, update: Minimize) -> Iterator[Stmt]:
    """A parameter decays or does not, whoever updates it."""
    spared = source.spared(update, source.networks.__getitem__)
    if spared is None:
        return
    moved = source.flow.updated(update)
    for other in source.updates:
        if other.update is not update.update and moved & source.flow.updated(other):
            what = "`no_decay` of weights that another optimizer updates too"
            raise Unsupported(what, update.span, "Gluon", "a parameter of MXNet decays or does not")
    few, parts = spared
    if few:
        yield Expression(Name("spare")(_updated(source, update), axes=FEW_AXES))
    if parts:
        yield Expression(Name("spare")(_together(source, parts)))


def _freeze(part: training.Part) -> Stmt:
    if isinstance(part.slot, WeightSlot):
        return Assign(part.expression.attr("grad_req"), Literal("null"))
    return Expression(Name("freeze")(part.expression))


def _optimizer(source: Source, update: Minimize, rate: Expr | None) -> Expr:
    if update.update in source.rules:
        return Name(source.rules[update.update].name)()
    made = optimizer(update.update, rate)
    if (changing := source.rate(update.update)) is None:
        return made
    return made.with_keyword("lr_scheduler", Name("Schedule")(changing))


def _train_step(source: Source) -> Stmt:
    """One segment for each update: recorded, then backward and step."""

    def hold(step: Minimize, loss: Expr, forward: Forward) -> None:
        if not isinstance(loss, Name):
            forward.emit(Assign(Name("loss"), loss))

    forward = _forward(source, hold)
    if source.named.counted:
        forward.emit(Assign(Name("step"), Name("next")(Name("steps"))))
    _write(source, forward, source.training.steps)
    doc = source.training.doc or "Update the weights on one batch; its losses and metrics."
    steps = ("steps",) if source.named.counted else ()
    return _step(source, source.named.step, (*source.optimizers, *steps), forward, doc)


def _write(source: Source, forward: Forward, steps: Sequence[TrainStep]) -> None:
    """The steps, cut after each update and before each loop; what follows the last is not recorded."""
    index = 0
    for place, step in enumerate(steps):
        if place < index:
            continue
        if isinstance(step, Minimize):
            _update(source, forward, steps[index:place], step)
            index = place + 1
        elif isinstance(step, Repeat):
            if place > index:
                with forward.capture() as recorded:
                    forward.run(steps[index:place])
                forward.statements.append(_recorded(recorded))
            index = end_of_loop(steps, place)
            with forward.loop(steps[place:index]) as body:
                _write(source, forward, body)
    left = steps[index:]
    if any(_modal(step) for step in left):
        with forward.capture() as unrecorded:
            forward.run(left)
        forward.statements.append(With(((Name("autograd.train_mode")(), None),), tuple(unrecorded)))
    else:
        forward.run(left)


def _modal(step: TrainStep) -> bool:
    """Whether a step means something else in evaluation."""
    if isinstance(step, Node):
        return step.op.modal
    return isinstance(step, NetworkCall) and any(n.op.modal for n in walk(step.body))


def _update(source: Source, forward: Forward, steps: Sequence[TrainStep], update: Minimize) -> None:
    with forward.capture() as recorded:
        forward.run(steps)
        forward.step(update)
    comments = [s for s in recorded if isinstance(s, Comment) and s.text == update.doc]
    forward.statements.extend(comments)
    forward.statements.append(_recorded([s for s in recorded if s not in comments]))
    # MXNet frees the record of a backward pass unless told to keep it.
    kept: dict[str, object] = {"retain_graph": True} if source.flow.again(update) else {}
    loss, number = forward.result(update.loss), update.update.accumulate
    if number > 1:
        # Not recorded: the gradient is scaled where it begins.
        kept = {"out_grad": loss.attr("ones_like")() / number, **kept}
    back = Expression(loss.attr("backward")(**kept))
    moved: list[Stmt] = [*_clip(source, update)]
    if update is source.updates[0]:
        moved.append(MEAN)
    # It complains about weights without a gradient, which stay as they are.
    unreached = source.flow.updated(update) - source.flow.reached(update)
    partly = {"ignore_stale_grad": True} if unreached else {}
    moved.append(Expression(Name(source.names[update]).attr("step")(1, **partly)))
    moved += source.averages(update, source.networks.__getitem__)
    turn = Operator("==", Name("step") % update.update.period, Literal(0))
    if number > 1:
        moved.append(Expression(Name("clear")(_updated(source, update))))
        moved = [back, If(turn, tuple(moved))]
    elif update.update.every > 1:
        moved = [If(turn, (back, *moved))]
    else:
        moved = [back, *moved]
    forward.statements.extend(moved)


def _clip(source: Source, update: Minimize) -> Iterator[Stmt]:
    limits = {"clip_norm": update.update.clip_norm, "clip_value": update.update.clip_value}
    for name, limit in limits.items():
        if limit is not None:
            yield Expression(Name(name)(_updated(source, update), limit))


def _recorded(statements: Sequence[Stmt]) -> Stmt:
    return With(((Name("autograd.record")(), None),), tuple(statements))


def _evaluate(source: Source) -> Stmt:
    forward = _forward(source, lambda step, loss, forward: None)
    forward.run([s for s in source.training.steps if isinstance(s, (Node, NetworkCall))])
    doc = "Losses and metrics of one batch, without an update."
    return _step(source, source.named.evaluate, (), forward, doc)


def _step(
    source: Source, name: str, optimizers: Sequence[str], forward: Forward, doc: str
) -> FunctionDef:
    figures = training.figures(source.training)
    results = Dict(tuple((Literal(f.name), forward.result(f.value)) for f in figures))
    names = (*source.networks.values(), *optimizers, *source.columns)
    return FunctionDef(name, parameters(names), (*forward.body(), Return(results)), doc=doc)


def _trained(source: Source, weights: Sequence[Weight]) -> Expr | None:
    """Of the block that holds just these."""
    part = source.holder(weights, source.networks.__getitem__)
    return None if part is None else Name("trained")(part.expression)


def _forward(source: Source, minimize: Callable[[Minimize, Expr, Forward], None]) -> Forward:
    return Forward(
        source.dialect,
        [(column, source.names[column]) for column in source.training.batch],
        source.training.steps,
        [figure.value for figure in training.figures(source.training)],
        layer=lambda name: Name(source.names[name]),
        weight=lambda w: source.weight(w, source.networks.__getitem__).attr("data")(),
        together=lambda weights: _trained(source, weights),
        minimize=minimize,
        reserved=[*source.networks.values(), *source.optimizers, *source.named.all()],
    )


def _main(source: Source, hybridize: bool) -> Stmt:
    seed, ctx = Name("args.seed"), Name("ctx")
    start = [
        # Weights and noise draw from the one, the order of the batches from the other.
        Expression(Name("mx.random.seed")(seed)),
        Expression(Name("np.random.seed")(seed)),
        Assign(ctx, Name("mx.Context")(Name("args.device"))),
    ]
    networks: list[Stmt] = []
    models = {n.name: n.model for n in source.training.networks}
    for network, variable in source.networks.items():
        networks.append(Assign(Name(variable), Name(source.classes.names[models[network]])()))
        networks.append(Expression(Name(variable).attr("initialize")(ctx=ctx)))
    for follower in source.training.networks:
        if follower.follows:
            pair = (Name(source.networks[n]) for n in (follower.name, follower.follows))
            networks.append(Expression(Name("begin_as")(*pair)))
    variables = tuple(map(Name, source.networks.values()))
    optimizers = tuple(map(Name, source.optimizers))
    pairs = zip(source.training.batch, source.layouts, strict=True)
    orders = {column.name or "x": layout.order for column, layout in pairs if not layout.is_spec}
    batched = (command_line.setting(source, "batch_size"), *([lift(orders)] if orders else []))
    steps = (Name("itertools.count")(1),) if source.named.counted else ()
    rate = () if source.learning_rate is None else (Name("args.lr"),)
    fit = Name("fit")(
        Name("partial")(Name(source.named.step), *variables, *optimizers, *steps),
        Name("partial")(Name(source.named.evaluate), *variables),
        Name("as_batches")(Name("columns"), *batched, shuffle=True),
        Name("as_batches")(Name("held_out"), *batched),
        epochs=command_line.setting(source, "epochs"),
        losses=[loss.name for loss in training.losses(source.training)],
        ctx=ctx,
        **training.summarized(source.training),
    )
    make = Name(source.named.make)(*variables, *rate)
    train: list[Stmt] = [Expression(v.attr("hybridize")()) for v in variables if hybridize]
    train += [Assign(_names(source.optimizers), make), Expression(fit)]
    return command_line.main(source, start=start, networks=networks, train=train)


def _names(names: Sequence[str]) -> Expr:
    return Name(names[0]) if len(names) == 1 else Tuple(tuple(map(Name, names)))
