"""Training programs with a step of their own: a `keras.Model` with `train_step` and `test_step`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from codegen.keras.optimizers import optimizer
from codegen.python.dialect import Unsupported
from codegen.python.forward import Forward
from codegen.python.gradients import Taped, Watched
from codegen.python.names import attribute, distinct, identifier
from codegen.python.plan import ListSlot, WeightSlot
from codegen.python.source import (
    Assign,
    Call,
    ClassDef,
    Dict,
    Expr,
    Expression,
    FunctionDef,
    List,
    Literal,
    Name,
    Operator,
    Parameter,
    Return,
    Stmt,
    Tuple,
    Unary,
    With,
)
from codegen.python.training import LATER, Figure, Part, Source, figures, parameters
from nnspec.graph.flow import Flow
from nnspec.graph.graph import Call as NetworkCall
from nnspec.graph.graph import Node, Weight
from nnspec.graph.training import Gradient, Minimize, Repeat, TrainStep, end_of_loop


@dataclass(frozen=True)
class Applied(Name):
    """A network that is told with every call whether this is training."""

    training: bool = True

    def __call__(self, *arguments: object, **keywords: object) -> Call:
        return Name(self.text)(*arguments, training=self.training, **keywords)


STEPS = (
    Assign(
        Name("self.steps"),
        Name("keras.Variable")(0, dtype="int64", trainable=False, name="steps"),
    ),
)


def _reserved(source: Source) -> frozenset[str]:
    return source.dialect.reserved_attributes | {"figures", "report", "steps"}


def _networks(source: Source) -> dict[str, str]:
    """Attributes of the networks."""
    attributes: dict[str, str] = {}
    for network, variable in source.networks.items():
        wanted = attribute(variable, _reserved(source))
        attributes[network] = distinct(wanted, attributes.values())
    return attributes


def _optimizers(source: Source) -> dict[Minimize, str]:
    """Attributes of the updates' optimizers; one alone is Keras's own `optimizer`."""
    if source.single:
        return dict.fromkeys(source.updates, "optimizer")
    return {u: attribute(source.names[u], _reserved(source)) for u in source.updates}


def freezing(source: Source) -> Iterator[Stmt]:
    """`freeze(net.backbone)` for all that is frozen."""
    for part in source.frozen(source.networks.__getitem__):
        if isinstance(part.slot, WeightSlot):
            yield Assign(part.expression.attr("trainable"), Literal(False))
        elif isinstance(part.slot, ListSlot):
            for i in range(len(part.slot.slots)):
                yield Expression(Name("freeze")(part.expression[i]))
        else:
            yield Expression(Name("freeze")(part.expression))


def made_optimizer(source: Source, update: Minimize, rate: Expr | None) -> Expr:
    """`Adam()`, or the class of a rule."""
    batches = update.update.accumulate
    if update.update in source.rules:
        made = Name(source.rules[update.update].name)()
    else:
        changing = source.rate(update.update)
        if changing is not None:
            # What Keras counts are batches.
            rate = Name("Schedule")(changing, *([batches] if batches > 1 else []))
        made = optimizer(update.update, rate)
    for keyword, value in (
        ("global_clipnorm", update.update.clip_norm),
        ("clipvalue", update.update.clip_value),
        ("gradient_accumulation_steps", batches if batches > 1 else None),
    ):
        if value is not None:
            made = made.with_keyword(keyword, value)
    spared = source.spared(update, source.networks.__getitem__)
    return made if spared is None else Name("sparing")(made, _spared(source, update, *spared))


def _spared(source: Source, update: Minimize, few: bool, parts: Sequence[Part]) -> Expr:
    """The variables that do not decay."""
    if not few:
        return _held(parts)
    variables = Name("of_few_axes")(_variables(source, update, source.networks.__getitem__))
    return Operator("+", variables, _held(parts)) if parts else variables


def make_trainer(source: Source) -> Stmt:
    """The function that makes the trainer and its optimizers."""
    networks = tuple(source.networks.values())
    given, rate = list(parameters(networks, "keras.Model")), source.learning_rate
    if rate is not None:
        given.append(Parameter("lr", Name("float"), Literal(rate)))
    made = tuple(
        made_optimizer(source, u, None if rate is None else Name("lr"))
        for u in source.making.values()
    )
    (kind,) = map(Name, source.named.more)
    own: Expr = made[0] if len(made) == 1 else Literal(None)
    further = () if len(made) == 1 else made
    trainer = Name("trainer")
    body = (
        *freezing(source),
        Assign(trainer, Call(kind, (*map(Name, networks), *further))),
        Expression(trainer.attr("compile")(optimizer=own)),
        Return(trainer),
    )
    return FunctionDef(source.named.make, tuple(given), body, returns=Name("keras.Model"))


def trainer_class(source: Source) -> Stmt:
    """A `keras.Model` that holds the networks and takes the program's own steps."""
    reports = figures(source.training)
    names = tuple(Literal(f.name) for f in reports if f.summary is None)
    summaries = (Expression(Name("self.figures.append")(_summary(f))) for f in reports if f.summary)
    given = list(_networks(source).values())
    if not source.single:
        given += dict.fromkeys(_optimizers(source).values())
    variables = [identifier(name) for name in given]
    start = Name("super")().attr("__init__")(Tuple(names))
    init = (
        Expression(start),
        *summaries,
        *(Assign(Name(f"self.{n}"), Name(p)) for n, p in zip(given, variables, strict=True)),
        *(STEPS if source.named.counted else ()),
    )
    own = (Parameter("self"), Parameter("data"))
    functions = (
        FunctionDef("__init__", (Parameter("self"), *map(Parameter, variables)), init),
        FunctionDef("train_step", own, _step(source, update=True)),
        FunctionDef("test_step", own, _step(source, update=False)),
    )
    (name,) = source.named.more
    doc = source.training.doc or f"Takes the steps of {source.training.name}."
    return ClassDef(name, (Name("Trainer"),), functions, doc=doc)


def _summary(figure: Figure) -> Expr:
    """`Ratio((2,), name="precision")`: what takes in a figure that has several means."""
    assert figure.summary is not None
    return Name(figure.summary.capitalize())(figure.value.type.shape, name=figure.name)


def _step(source: Source, *, update: bool) -> tuple[Stmt, ...]:
    program, networks = source.training, _networks(source)
    reports = figures(program)
    steps = [s for s in program.steps if update or isinstance(s, (Node, NetworkCall))]
    tapes = _tape_names(source)
    columns = [(c, source.names[c]) for c in program.batch]

    def network(name: str) -> str:
        return f"self.{networks[name]}"

    def layer(name: str) -> Expr:
        return Applied(network(name), update)

    def minimize(step: Minimize, loss: Expr, forward: Forward) -> None:
        weights = forward.fresh("weights")
        gradients = Name(tapes[step]).attr("gradient")(loss, weights)
        forward.emit(Assign(weights, _variables(source, step, network)))
        used = Name(f"self.{_optimizers(source)[step]}")
        every = step.update.every
        if every == 1:
            forward.emit(Expression(used.attr("apply")(gradients, weights)))
        else:
            turn = Name("update_every")(every, Name("self.steps"), used, gradients, weights)
            forward.emit(Expression(turn))
        if program.followers(step) and step.update.period > 1:
            what = "an average of what is updated on some steps only"
            raise Unsupported(what, step.span, "Keras", LATER)
        for statement in source.averages(step, network):
            forward.emit(statement)

    forward = Forward(
        source.dialect,
        columns,
        steps,
        [r.value for r in reports],
        layer=layer,
        weight=lambda wanted: source.weight(wanted, network),
        together=lambda weights: _trainable(source, weights, network),
        minimize=minimize,
        reserved=["data", *tapes.values()],
        returned=False,
        wanted={r.value: r.name for r in reports},
    )
    if update and source.named.counted:
        forward.emit(Expression(Name("self.steps.assign_add")(1)))
    _write(source.flow, forward, steps, tapes)
    results = tuple((Literal(r.name), forward.result(r.value)) for r in reports)
    read = [(c, n) for c, n in columns if c in forward.readers]
    first = Name("data")[program.batch[0].name or "x"]
    return (
        *(Assign(Name(n), Name("data")[c.name or "x"]) for c, n in read),
        *forward.body(),
        Return(Name("self.report")(Dict(results), Name("ops.shape")(first)[0])),
    )


def _write(
    flow: Flow, forward: Forward, steps: Sequence[TrainStep], tapes: Mapping[Minimize, str]
) -> None:
    """Write the steps, each stretch that a gradient flows back through inside its tape."""
    loops = [(i, end_of_loop(steps, i)) for i, s in enumerate(steps) if isinstance(s, Repeat)]
    inside = {s for start, end in loops for s in steps[start:end]}
    taped = [s for s in steps if isinstance(s, (Minimize, Gradient)) and s not in inside]
    if not taped and loops:
        start, end = loops[0]
        forward.run(steps[:start])
        with forward.loop(steps[start:end]) as body:
            _write(flow, forward, body, tapes)
        _write(flow, forward, steps[end:], tapes)
        return
    if not taped:
        forward.run(steps)
        return
    last = taped[-1]
    end = steps.index(last)
    start = _start(flow, steps, last)
    for other in reversed(taped[:-1]):
        # A tape lies wholly inside another or wholly before it.
        if start < steps.index(other):
            start = min(start, _start(flow, steps, other))
    _write(flow, forward, steps[:start], tapes)
    with forward.capture() as noted:
        _write(flow, forward, steps[start:end], tapes)
    context = Name("tf.GradientTape")()
    name = tapes[last] if isinstance(last, Minimize) else cast(Taped, last.op).tape
    forward.emit(With(((context, Name(name)),), tuple(noted)))
    forward.run([last])
    _write(flow, forward, steps[end + 1 :], tapes)


def _start(flow: Flow, steps: Sequence[TrainStep], taped: Minimize | Gradient) -> int:
    """The first step that a gradient flows back through; of a derivative, where its tape watches the tensor."""
    if isinstance(taped, Gradient):
        tape = cast(Taped, taped.op).tape
        return next(i for i, s in enumerate(steps) if tape in _watching(s))
    passed = set(flow.through(taped))
    places = (i for i, step in enumerate(steps) if step in passed)
    return min(places, default=steps.index(taped))


def _watching(step: TrainStep) -> tuple[str, ...]:
    """Tapes that are told here to watch a tensor."""
    return step.op.tapes if isinstance(step, Node) and isinstance(step.op, Watched) else ()


def _tape_names(source: Source) -> dict[Minimize, str]:
    updates = source.updates
    if len(updates) == 1:
        return {updates[0]: "tape"}
    names: dict[Minimize, str] = {}
    for update in updates:
        over = "_".join("_".join(path).replace(".", "_") for path in update.over)
        names[update] = distinct(f"tape_{over}", names.values())
    return names


def _variables(source: Source, update: Minimize, network: Callable[[str], str]) -> Expr:
    """`self.net.trainable_variables`, or a list of those of several."""
    return _held(source.parts(update, network))


def _trainable(
    source: Source, weights: Sequence[Weight], network: Callable[[str], str]
) -> Expr | None:
    """The weights of the layer that holds just these."""
    part = source.holder(weights, network)
    return None if part is None else _held([part])


def _held(parts: Iterable[Part]) -> Expr:
    held: list[Expr] = []
    for part in parts:
        if isinstance(part.slot, WeightSlot):
            held.append(part.expression)
        elif isinstance(part.slot, ListSlot):
            each = (part.expression[i] for i in range(len(part.slot.slots)))
            held += [Unary("*", layer.attr("trainable_variables")) for layer in each]
        else:
            held.append(Unary("*", part.expression.attr("trainable_variables")))
    match held:
        case [Unary("*", alone)]:
            return alone
    return List(tuple(held))
