"""Training programs with a step of their own: a `keras.Model` with `train_step` and `test_step`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from codegen.keras.optimizers import optimizer
from codegen.keras.weights import weight_ref
from codegen.python import program
from codegen.python.dialect import Dialect
from codegen.python.forward import Forward
from codegen.python.names import attribute, distinct, identifier
from codegen.python.plan import ListSlot, Plan, owners, reference
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
    Parameter,
    Return,
    Stmt,
    Tuple,
    Unary,
    With,
)
from nnspec.graph.graph import Call as GraphCall
from nnspec.graph.graph import Graph, Node, Weight
from nnspec.graph.training import Minimize, Training, TrainStep


@dataclass(frozen=True)
class Applied(Name):
    """A network that is told with every call whether this is training."""

    training: bool = True

    def __call__(self, *arguments: object, **keywords: object) -> Call:
        return Name(self.text)(*arguments, training=self.training, **keywords)


@dataclass(frozen=True)
class Trainer:
    """What the class of a program is made from.

    name: of the class; make: of the function that makes it; names: of the parameters of that function
    (networks by name) and of the variables of a step (columns by value).
    """

    training: Training
    plans: Mapping[Graph, Plan]
    dialect: Dialect
    name: str
    make: str
    names: Mapping[object, str]

    @property
    def networks(self) -> dict[str, str]:
        """Attributes of the networks."""
        found: dict[str, str] = {}
        for network in self.training.networks:
            wanted = attribute(self.names[network.name], self._reserved)
            found[network.name] = distinct(wanted, found.values())
        return found

    @property
    def optimizers(self) -> dict[Minimize, str]:
        """Attributes of the optimizers; one alone is Keras's own `optimizer`."""
        updates = program.minimizes(self.training)
        if len(updates) == 1:
            return {updates[0]: "optimizer"}
        return {u: attribute(self.names[u], self._reserved) for u in updates}

    @property
    def _reserved(self) -> frozenset[str]:
        return self.dialect.reserved_attributes | {"figures", "report"}


def make_trainer(source: Trainer) -> Stmt:
    """The function that makes the trainer and its optimizers."""
    updates = list(source.optimizers)
    networks = tuple(Name(source.names[n]) for n in source.networks)
    made = tuple(optimizer(u.optimizer) for u in updates)
    trainer = Name("trainer")
    if len(updates) == 1:
        body = (
            Assign(trainer, Call(Name(source.name), networks)),
            Expression(trainer.attr("compile")(optimizer=made[0])),
        )
    else:
        body = (
            Assign(trainer, Call(Name(source.name), (*networks, *made))),
            Expression(trainer.attr("compile")(optimizer=None)),
        )
    parameters = tuple(Parameter(n.text, Name("keras.Model")) for n in networks)
    return FunctionDef(
        source.make, parameters, (*body, Return(trainer)), returns=Name("keras.Model")
    )


def trainer_class(source: Trainer) -> Stmt:
    """The class."""
    figures = tuple(Literal(r.name) for r in program.reports(source.training))
    given = list(source.networks.values())
    if len(source.optimizers) > 1:
        given += source.optimizers.values()
    parameters = [identifier(name) for name in given]
    start = Name("super")().attr("__init__")(Tuple(figures))
    init = (
        Expression(start),
        *(Assign(Name(f"self.{n}"), Name(p)) for n, p in zip(given, parameters, strict=True)),
    )
    own = (Parameter("self"), Parameter("data"))
    doc = source.training.doc or f"Takes the steps of {source.training.name}."
    functions = (
        FunctionDef("__init__", (Parameter("self"), *map(Parameter, parameters)), init),
        FunctionDef("train_step", own, _step(source, update=True)),
        FunctionDef("test_step", own, _step(source, update=False)),
    )
    return ClassDef(source.name, (Name("Trainer"),), functions, doc=doc)


def _step(source: Trainer, *, update: bool) -> tuple[Stmt, ...]:
    training = source.training
    reports = program.reports(training)
    steps = [s for s in training.steps if update or not isinstance(s, Minimize)]
    tapes = _tape_names(source)
    columns = [(c, source.names[c]) for c in training.batch]

    def layer(name: str) -> Expr:
        return Applied(f"self.{source.networks[name]}", update)

    def minimize(step: Minimize, loss: Expr, forward: Forward) -> None:
        weights = forward.fresh("weights")
        gradients = Name(tapes[step]).attr("gradient")(loss, weights)
        forward.emit(Assign(weights, _variables(source, step)))
        used = Name(f"self.{source.optimizers[step]}")
        forward.emit(Expression(used.attr("apply")(gradients, weights)))

    forward = Forward(
        source.dialect,
        columns,
        steps,
        [r.value for r in reports],
        layer=layer,
        weight=lambda wanted: _weight(source, wanted),
        minimize=minimize,
        reserved=["data", *tapes.values()],
        returned=False,
        wanted={r.value: r.name for r in reports},
    )
    _write(forward, steps, tapes)
    results = tuple((Literal(r.name), forward.result(r.value)) for r in reports)
    read = [(c, n) for c, n in columns if c in forward.readers]
    rows = Name("ops.shape")(Name("data")[training.batch[0].name or "x"])[0]
    return (
        *(Assign(Name(n), Name("data")[c.name or "x"]) for c, n in read),
        *forward.body(),
        Return(Name("self.report")(Dict(results), rows)),
    )


def _write(forward: Forward, steps: Sequence[TrainStep], tapes: Mapping[Minimize, str]) -> None:
    """Write the steps, each stretch that a gradient flows back through inside its tape."""
    updates = [i for i, s in enumerate(steps) if isinstance(s, Minimize)]
    if not updates:
        forward.run(steps)
        return
    end = updates[-1]
    update = steps[end]
    assert isinstance(update, Minimize)
    start = _start(steps, end)
    for other in reversed(updates[:-1]):
        # A tape lies wholly inside another or wholly before it.
        if start < other:
            start = min(start, _start(steps, other))
    _write(forward, steps[:start], tapes)
    with forward.capture() as body:
        _write(forward, steps[start:end], tapes)
    context = Name("tf.GradientTape")()
    forward.emit(With(((context, Name(tapes[update])),), tuple(body)))
    forward.run([update])
    forward.run(steps[end + 1 :])


def _start(steps: Sequence[TrainStep], end: int) -> int:
    """The first step that the gradient of a loss flows back through."""
    makers = {v: i for i, s in enumerate(steps) if not isinstance(s, Minimize) for v in s.outputs}
    update = steps[end]
    assert isinstance(update, Minimize)
    waiting, found = [update.loss], {end}
    while waiting:
        place = makers.get(waiting.pop())
        if place is None or place in found:
            continue
        step = steps[place]
        assert not isinstance(step, Minimize)
        if isinstance(step, Node) and step.op.name == "stop_gradient":
            continue
        if isinstance(step, GraphCall) or step.inputs:
            found.add(place)
        waiting += step.inputs
    return min(found)


def _tape_names(source: Trainer) -> dict[Minimize, str]:
    updates = program.minimizes(source.training)
    if len(updates) == 1:
        return {updates[0]: "tape"}
    found: dict[Minimize, str] = {}
    for update in updates:
        over = "_".join("_".join(path).replace(".", "_") for path in update.over)
        found[update] = distinct(f"tape_{over}", found.values())
    return found


# What an update reaches.


def _variables(source: Trainer, update: Minimize) -> Expr:
    """`self.net.trainable_variables`, or a list of those of several."""
    found: list[Expr] = []
    for name, *path in update.over:
        network = f"self.{source.networks[name]}"
        model = next(n.model for n in source.training.networks if n.name == name)
        found += _parts(source.plans[model], network, ".".join(path))
    if len(found) == 1:
        return found[0]
    spread = [e.elements if isinstance(e, List) else (Unary("*", e),) for e in found]
    return List(tuple(element for elements in spread for element in elements))


def _parts(plan: Plan, network: str, path: str) -> list[Expr]:
    """Lists of the variables that a path of the spec leads to."""
    if not path:
        return [Name(f"{network}.trainable_variables")]
    for owner in owners(plan):
        if owner.node is None and owner.weight.path == path:
            return [List((reference(network, owner.path),))]
    inside = [o for o in owners(plan) if o.weight.path.startswith(path + ".")]
    depth = path.count(".") + 1
    place = inside[0].path[:depth]
    slot = plan.slots.get(place[0])
    if depth == 1 and isinstance(slot, ListSlot):
        each = [reference(network, (*place, str(i))) for i in range(len(slot.slots))]
    else:
        each = [reference(network, place)]
    return [layer.attr("trainable_variables") for layer in each]


def _weight(source: Trainer, wanted: Weight) -> Expr:
    for network in source.training.networks:
        for owner in owners(source.plans[network.model]):
            if owner.weight is wanted:
                path = owner.path if owner.node else owner.path[:-1]
                holder = reference(f"self.{source.networks[network.name]}", path)
                return weight_ref(wanted, holder, owner.node)
    raise KeyError(wanted.path)
