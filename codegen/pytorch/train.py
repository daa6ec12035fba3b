"""Training programs as a plain PyTorch loop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from codegen.python import program
from codegen.python.dialect import Dialect, Unsupported
from codegen.python.forward import Forward
from codegen.python.plan import Plan, owners, reference
from codegen.python.source import (
    Call,
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
)
from codegen.pytorch.functions import DTYPES
from codegen.pytorch.module import weight_ref
from codegen.pytorch.optimizers import optimizer
from nnspec.graph.graph import Call as GraphCall
from nnspec.graph.graph import Graph, Node, Value, Weight
from nnspec.graph.layouts import Layouts
from nnspec.graph.training import Minimize, Network, Training

TENSOR, MODULE = Name("Tensor"), Name("nn.Module")
FIGURES = Name("dict")[Tuple((Name("str"), Name("float")))]


@dataclass(frozen=True)
class TrainingSource:
    """What the statements of a program are made from.

    training: with the networks' graphs as they are written; classes, plans: of those graphs.
    layouts: of the batch's columns; suffix: of function names.
    """

    training: Training
    classes: Mapping[Graph, str]
    plans: Mapping[Graph, Plan]
    layouts: Layouts
    suffix: str
    dialect: Dialect

    @property
    def names(self) -> Mapping[object, str]:
        return program.variables(self.training, self.dialect, self.suffix)

    @property
    def networks(self) -> tuple[str, ...]:
        return tuple(self.names[n.name] for n in self.training.networks)

    @property
    def optimizers(self) -> tuple[str, ...]:
        return tuple(self.names[u] for u in program.minimizes(self.training))

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self.names[c] for c in self.training.batch)


def definitions(source: TrainingSource) -> tuple[Stmt, ...]:
    """The functions of one program, `main` apart."""
    return (make_optimizers(source), train_step(source), evaluate(source), to_tensors(source))


def _network(source: TrainingSource, name: str) -> Network:
    return next(n for n in source.training.networks if n.name == name)


def _parameters(source: TrainingSource, update: Minimize) -> Expr:
    """`net.parameters()`, or a list of the parameters of several."""
    parts = []
    for name, *path in update.over:
        network = source.names[name]
        plan = source.plans[_network(source, name).model]
        parts.append(_module_at(plan, network, ".".join(path)))
    found: list[Expr] = []
    for module, is_weight in parts:
        found.append(module if is_weight else module.attr("parameters")())
    if len(found) == 1 and not parts[0][1]:
        return found[0]
    spread = [e if w else Unary("*", e) for e, (_, w) in zip(found, parts, strict=True)]
    return List(tuple(spread))


def _module_at(plan: Plan, network: str, path: str) -> tuple[Expr, bool]:
    """The module (or weight) that a path of the spec leads to."""
    if not path:
        return Name(network), False
    for owner in owners(plan):
        if owner.node is None and owner.weight.path == path:
            return reference(network, owner.path), True
    inside = [o for o in owners(plan) if o.weight.path.startswith(path + ".")]
    depth = path.count(".") + 1
    return reference(network, inside[0].path[:depth]), False


def make_optimizers(source: TrainingSource) -> Stmt:
    updates = program.minimizes(source.training)
    made = tuple(optimizer(u.optimizer, _parameters(source, u)) for u in updates)
    kind = Name("torch.optim.Optimizer")
    single = len(made) == 1
    return FunctionDef(
        ("make_optimizer" if single else "make_optimizers") + source.suffix,
        tuple(Parameter(name, MODULE) for name in source.networks),
        (Return(made[0] if single else Tuple(made)),),
        returns=kind if single else Name("tuple")[Tuple((kind,) * len(made))],
    )


def _forward(source: TrainingSource, *, update: bool) -> Forward:
    training, names = source.training, source.names

    def layer(name: str) -> Expr:
        return Name(names[name])

    def weight(wanted: Weight) -> Expr:
        for network in training.networks:
            for owner in owners(source.plans[network.model]):
                if owner.weight is wanted:
                    path = owner.path if owner.node else owner.path[:-1]
                    holder = reference(names[network.name], path)
                    return weight_ref(wanted, holder, owner.node)
        raise KeyError(wanted.path)

    def minimize(step: Minimize, loss: Expr, forward: Forward) -> None:
        used = Name(names[step])
        forward.emit(Expression(used.attr("zero_grad")()))
        forward.emit(Expression(Call(loss.attr("backward"), (), _how(source, step))))
        forward.emit(Expression(used.attr("step")()))

    found = program.reports(training)
    steps = [s for s in training.steps if update or not isinstance(s, Minimize)]
    forward = Forward(
        source.dialect,
        [(c, names[c]) for c in training.batch],
        steps,
        [r.value for r in found],
        layer=layer,
        weight=weight,
        minimize=minimize,
        reserved=[*names.values(), *(n + source.suffix for n in program.FUNCTIONS)],
        returned=False,
        wanted={r.value: r.name for r in found},
    )
    forward.run()
    figures = Dict(tuple((Literal(r.name), _figure(forward.result(r.value))) for r in found))
    forward.emit(Return(figures))
    return forward


def _figure(value: Expr) -> Expr:
    return value if isinstance(value, Literal) else value.attr("item")()


def train_step(source: TrainingSource) -> Stmt:
    parameters = (
        *(Parameter(name, MODULE) for name in source.networks),
        *(Parameter(name, Name("torch.optim.Optimizer")) for name in source.optimizers),
        *(Parameter(name, TENSOR) for name in source.columns),
    )
    return FunctionDef(
        "train_step" + source.suffix,
        parameters,
        _forward(source, update=True).body(),
        returns=FIGURES,
        doc=source.training.doc or "One update on a batch.",
    )


def evaluate(source: TrainingSource) -> Stmt:
    parameters = (
        *(Parameter(name, MODULE) for name in source.networks),
        *(Parameter(name, TENSOR) for name in source.columns),
    )
    return FunctionDef(
        "evaluate" + source.suffix,
        parameters,
        _forward(source, update=False).body(),
        returns=FIGURES,
        decorators=(Name("torch.no_grad")(),),
        doc="Losses and metrics of a batch.",
    )


def to_tensors(source: TrainingSource) -> Stmt:
    """The function that brings the columns into PyTorch's dtype and layout."""
    made: list[Expr] = []
    moved: set[str] = set()
    columns = zip(source.training.batch, source.columns, source.layouts, strict=True)
    for column, name, layout in columns:
        array: Expr = Name(name)
        if not layout.is_spec:
            array = array.attr("transpose")(*layout.order)
            moved.add(", ".join(str(layout)))
        made.append(Name("torch.tensor")(array, dtype=Name(DTYPES[column.type.dtype])))
    doc = (
        "Columns of a data set as tensors"
        + f"{''.join(f', images as {axes}' for axes in sorted(moved))}."
    )
    return FunctionDef(
        "to_tensors" + source.suffix,
        tuple(Parameter(name, Name("np.ndarray")) for name in source.columns),
        (Return(List(tuple(made))),),
        returns=Name("list")[TENSOR],
        doc=doc,
    )


# What a loss sends its gradient through.


def _reached(source: TrainingSource, value: Value) -> list[Node | GraphCall]:
    """Steps that a gradient flows back through, from a value."""
    makers = {v: s for s in source.training.steps if not isinstance(s, Minimize) for v in s.outputs}
    found: list[Node | GraphCall] = []
    waiting = [value]
    while waiting:
        step = makers.get(waiting.pop())
        stops = isinstance(step, Node) and step.op.name == "stop_gradient"
        if step is None or stops or step in found:
            continue
        found.append(step)
        waiting += step.inputs
    return found


def _how(source: TrainingSource, update: Minimize) -> tuple[tuple[str, Expr], ...]:
    """Arguments of `backward`: where a later loss still needs what this one would use up."""
    steps = source.training.steps
    place = steps.index(update)
    mine = {s for s in _reached(source, update.loss) if isinstance(s, GraphCall)}
    later = [u for u in program.minimizes(source.training) if steps.index(u) > place]
    shared: set[Node | GraphCall] = set()
    for other in later:
        before = [s for s in _reached(source, other.loss) if steps.index(s) < place]
        for step in before:
            if not isinstance(step, GraphCall):
                continue
            if step.layer in {path[0] for path in update.over}:
                raise Unsupported(
                    f"a gradient through `{step.layer}` as it was before an update of it",
                    other.span,
                    "PyTorch",
                    "its weights change in place; apply the network again after the update",
                )
            if step in mine:
                shared.add(step)
    if not shared:
        return ()
    parameters = _parameters(source, update)
    return (("inputs", parameters if isinstance(parameters, List) else Name("list")(parameters)),)
