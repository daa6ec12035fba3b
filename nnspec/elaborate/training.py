"""Training programs: the same statements over a batch, and `batch minimize metric` besides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from nnspec.catalogue.data.catalogue import DataSource
from nnspec.catalogue.ops.counts import OverPass
from nnspec.catalogue.ops.shaping import Slice
from nnspec.catalogue.settings import Settings
from nnspec.core.fields import Field
from nnspec.core.types import TensorType
from nnspec.elaborate import arguments, optimizers, statements
from nnspec.elaborate.blocks import bind_parameters, later_names, model_graph
from nnspec.elaborate.builder import Builder
from nnspec.elaborate.errors import error
from nnspec.elaborate.expressions import evaluate
from nnspec.elaborate.limits import NODE
from nnspec.elaborate.lints import lint
from nnspec.elaborate.modules import Module
from nnspec.elaborate.parts import check_part
from nnspec.elaborate.rules import update
from nnspec.elaborate.scope import Scope
from nnspec.elaborate.session import Body, Session
from nnspec.elaborate.statements import tensor_type
from nnspec.elaborate.values import (
    Average,
    BlockLayer,
    BlockReference,
    Layer,
    OptimizerValue,
    Part,
    Poisoned,
    Reference,
    describe,
)
from nnspec.graph.flow import named, passages
from nnspec.graph.graph import Call, Node, Value, Weight, weights
from nnspec.graph.training import (
    Metric,
    Minimize,
    Network,
    Training,
    TrainStep,
)
from nnspec.graph.updates import Update
from nnspec.report.diagnostics import Label, did_you_mean
from nnspec.report.source import Span
from nnspec.syntax import tree

SETTINGS: dict[str, Field] = {field.name: field for field in Settings.arguments()}

FROZEN = "frozen"
LATER = {
    "checkpoint": "checkpoints: `nnspec train --checkpoint-every` writes them",
    "init": "starting from a file: give the program `--weights` instead",
}
"""Settings of the language that no target carries out yet."""


@dataclass
class Program:
    """What only a training program has; `statements` hands such statements to `execute`."""

    networks: dict[str, Network] = field(default_factory=dict)
    batch: list[Value] = field(default_factory=list)
    metrics: list[Metric] = field(default_factory=list)
    settings: dict[str, tuple[Any, Span]] = field(default_factory=dict)
    assigned: set[str] = field(default_factory=set)
    frozen: tuple[tuple[tuple[str, ...], ...], Span] | None = None
    inline: dict[tuple[int, str], OptimizerValue] = field(default_factory=dict)
    updates: dict[OptimizerValue, Update] = field(default_factory=dict)

    def bound(self, body: Body, target: tree.Identifier, value: Any) -> Any:
        """An assignment: of an instance, which becomes a network, of a setting, or of a value."""
        name = target.text
        self.assigned.add(name)
        value = optimizers.optimizer(value, target.span)
        if isinstance(value, BlockReference):
            value = BlockLayer(target.span, value, {})
        if isinstance(value, BlockLayer) and value.owner is None:
            return self._network(body, target, value)
        if isinstance(value, Average):
            return self._follower(body, target, value)
        if isinstance(value, Layer):
            raise error(
                "E0506",
                "weights belong to a model",
                target.span,
                f"`{name}` would be {describe(value)}",
                helps=("put the layer into the model and bind an instance of that",),
            )
        if name == FROZEN:
            self._freeze(body, value, target)
        elif name in SETTINGS and not isinstance(value, Value):
            self._setting(body, name, value, target.span)
        elif name in LATER and not isinstance(value, Value):
            raise error("E0504", f"`{name}` is not available yet", target.span, LATER[name])
        return value

    def _network(self, body: Body, target: tree.Identifier, layer: BlockLayer) -> Network:
        name, declaration = target.text, layer.block.declaration
        if not declaration.is_model:
            raise error(
                "E0506",
                f"`{layer.block.name}` is a block: only a model is trained",
                target.span,
                "",
                (Label(declaration.name.span, "declared here"),),
                ("declare it with `model` and typed inputs",),
            )
        self._refuse_second(target)
        body.session.chain.append((layer.block.name, layer.span))
        try:
            given = body.session.parameters(declaration) | layer.arguments
            graph = model_graph(body.session, layer.block.module, declaration, given)
        finally:
            body.session.chain.pop()
        if graph is None:
            raise Poisoned
        network = self.networks[name] = Network(name, graph, target.span)
        body.scope.read.add(name)
        return network

    def _follower(self, body: Body, target: tree.Identifier, value: Average) -> Network:
        """`teacher = average(net, decay = 0.99)`"""
        self._refuse_second(target)
        network = Network(
            target.text, value.network.model, target.span, value.network.name, value.decay
        )
        self.networks[target.text] = network
        body.scope.read |= {target.text, value.network.name}
        return network

    def _refuse_second(self, target: tree.Identifier) -> None:
        if (first := self.networks.get(target.text)) is not None:
            raise error(
                "E0203",
                f"there are two networks `{target.text}`",
                target.span,
                "again here",
                (Label(first.span or target.span, "first here"),),
            )

    def _setting(self, body: Body, name: str, value: Any, span: Span) -> None:
        if name in self.settings:
            raise error(
                "E0203",
                f"`{name}` is set twice",
                span,
                "again here",
                (Label(self.settings[name][1], "first here"),),
            )
        if isinstance(value, Reference) and value.kind == "data":
            value = arguments.construct(value.target, (), {}, span).source()
        setting = SETTINGS[name]
        if name == "precision" and value in ("bf16", "f16"):
            raise error(
                "E0504", f'`precision = "{value}"` is not available yet', span, "only f32 is"
            )
        try:
            value = setting.kind(value)
        except ValueError as wrong:
            raise error(
                "E0502", f"`{name}` expects {wrong}", span, f"found {describe(value)}"
            ) from None
        self.settings[name] = value, span
        body.scope.read.add(name)

    def _freeze(self, body: Body, value: Any, target: tree.Identifier) -> None:
        """`frozen = [net.backbone]`"""
        parts = list(value) if isinstance(value, (list, tuple)) else [value]
        if self.frozen is not None:
            raise error(
                "E0203",
                f"`{FROZEN}` is set twice",
                target.span,
                "again here",
                (Label(self.frozen[1], "first here"),),
            )
        paths: list[tuple[str, ...]] = []
        self._pay(body, len(parts), target.span)
        for part in parts:
            if not isinstance(part, (Network, Part)):
                raise error(
                    "E0502",
                    f"`{FROZEN}` expects a list of networks and their parts",
                    target.span,
                    f"found {describe(part)}",
                    helps=("write, for example, `frozen = [net.backbone]`",),
                )
            path = (part.name,) if isinstance(part, Network) else tuple(part.path.split("."))
            self._check_part(path, target.span)
            paths.append(path)
        self.frozen = tuple(paths), target.span
        body.scope.read.add(FROZEN)

    def _pay(self, body: Body, times: int, span: Span) -> None:
        """For looking through all weights that often."""
        size = sum(len(weights(n.model)) for n in self.networks.values())
        body.session.budget.spend(times * (NODE + size), span)

    def _check_part(self, path: tuple[str, ...], span: Span) -> None:
        check_part(self.networks[path[0]], path[1:], span)

    def execute(self, body: Body, statement: tree.Statement) -> None:
        """`batch`, `minimize`, `metric`."""
        match statement:
            case tree.Batch():
                for name in statement.names:
                    self._column(body, name)
            case tree.Minimize():
                body.builder.steps.append(self._minimize(body, statement))
            case tree.Metric():
                for item in statement.values:
                    self._metric(body, item)

    def _column(self, body: Body, written: tree.TypedName) -> None:
        name = written.name.text
        if written.type is None:
            raise error(
                "E0402",
                f"column `{name}` of a batch needs a type",
                written.name.span,
                "no type",
                helps=(f"write, for example, `{name}: f32[N, 28, 28, 1]`",),
            )
        if written.initial is not None:
            raise error(
                "E0505",
                f"column `{name}` of a batch comes from the data",
                written.initial.span,
                "no initial value",
            )
        if any(v.name == name for v in self.batch):
            first = next(v.span for v in self.batch if v.name == name)
            raise error(
                "E0203",
                f"the batch has two columns `{name}`",
                written.name.span,
                "again here",
                (Label(first, "first here"),) if first else (),
            )
        value = Value(tensor_type(body, written.type, True), name, written.name.span)
        self.batch.append(value)
        body.scope.bind(name, value, written.name.span, is_parameter=True)

    def _minimize(self, body: Body, statement: tree.Minimize) -> Minimize:
        loss = evaluate(body, statement.loss)
        if not isinstance(loss, Value):
            raise error(
                "E0308", "`minimize` takes a tensor", statement.loss.span, f"found {describe(loss)}"
            )
        if loss.type.rank or not loss.type.is_float:
            raise error(
                "E0503",
                "what is minimized is one number",
                statement.loss.span,
                f"found {loss.type}",
                helps=("take the `mean` of it",),
            )
        self._pay(body, 1 + len(statement.over), statement.span)
        optimizer = self._optimizer(body, statement.optimizer)
        over = tuple(self._target(body, t) for t in statement.over) or self._reached(body, loss)
        if not over:
            raise error(
                "E0503",
                "the loss reaches no network's weights",
                statement.loss.span,
                "nothing to update",
            )
        update = self._update(body, optimizer, over)
        return Minimize(loss, over, update, statement.span, body.builder.take_doc())

    def _optimizer(self, body: Body, expr: tree.Expr) -> OptimizerValue:
        value = optimizers.optimizer(evaluate(body, expr), expr.span)
        if not isinstance(value, OptimizerValue):
            raise error(
                "E0301",
                "`using` takes an optimizer",
                expr.span,
                f"found {describe(value)}",
                helps=("write, for example, `Adam(lr = 1e-3)`",),
            )
        if isinstance(expr, tree.Name):
            return value
        # A loop that comes here again, with the same numbers, means the same optimizer.
        return self.inline.setdefault((id(expr), value.key()), value)

    def _update(
        self, body: Body, optimizer: OptimizerValue, over: tuple[tuple[str, ...], ...]
    ) -> Update:
        for selected in optimizer.making.no_decay:
            if not isinstance(selected, str):
                self._check_part(selected, optimizer.span)
        moved = [w.type for name, *path in over for w in named(self.networks[name], path)]
        # By element type and number of axes; `verify` has every program in f64.
        kinds = {(t.dtype, t.rank): t for t in moved if t.is_float}
        kinds |= {("f64", t.rank): TensorType("f64", t.shape) for t in kinds.values()}
        if optimizer not in self.updates:
            sample = next(iter(kinds.values()), TensorType("f32", (1,)))
            self.updates[optimizer] = update(body.session, optimizer, sample)
        self.updates[optimizer].check(kinds.values())
        return self.updates[optimizer]

    def _target(self, body: Body, path: tuple[tree.Identifier, ...]) -> tuple[str, ...]:
        first, *rest = path
        if first.text not in self.networks:
            raise error(
                "E0503",
                f"`{first.text}` is no network of this program",
                first.span,
                "unknown",
                helps=did_you_mean(first.text, self.networks)
                or (f"networks are {', '.join(f'`{n}`' for n in self.networks)}",),
            )
        if (followed := self.networks[first.text].follows) is not None:
            raise error(
                "E0503",
                f"`{first.text}` is an average, which no update moves",
                first.span,
                f"it follows `{followed}`",
                helps=(f"update `{followed}`",),
            )
        self._check_part(tuple(p.text for p in path), rest[0].span if rest else first.span)
        return tuple(p.text for p in path)

    def _reached(self, body: Body, loss: Value) -> tuple[tuple[str, ...], ...]:
        """Networks whose weights the loss depends on, not looking through `stop_gradient`."""
        passed = passages(body.builder.steps, [loss], tuple(self.networks.values()))
        found = {name for passage in passed for name, _ in passage.weights}
        return tuple((n,) for n, net in self.networks.items() if n in found and not net.follows)

    def _metric(self, body: Body, item: tree.NamedExpr) -> None:
        value = evaluate(body, item.value)
        made = (s.op for s in body.builder.steps if isinstance(s, Node) and value in s.outputs)
        op = next(made, None)
        summary = op.summary if isinstance(op, OverPass) else None
        if not isinstance(value, Value) or (value.type.rank and summary is None):
            raise error(
                "E0503", "a metric is one number", item.value.span, f"found {describe(value)}"
            )
        if summary is None:
            _refuse_counts(body, value, item)
        name = item.name.text if item.name else _function_name(item.value)
        if any(m.name == name for m in self.metrics):
            raise error(
                "E0203",
                f"there are two metrics `{name}`",
                item.span,
                "again here",
                helps=("name one: `metric NAME = ...`",),
            )
        if name.startswith("val_"):
            raise error(
                "E0203",
                f"`{name}` is what validation would call `{name.removeprefix('val_')}`",
                (item.name or item).span,
                "taken",
                helps=("begin it otherwise",),
            )
        if item.name is not None:
            body.scope.bind(name, value, item.name.span)
            body.scope.read.add(name)
        self.metrics.append(Metric(name, value, item.span, summary))


def _refuse_counts(body: Body, value: Value, item: tree.NamedExpr) -> None:
    """What a metric over a pass counts of a batch is read element by element, or not at all."""
    body.session.budget.spend(len(body.builder.steps), item.span)
    makers = {v: s for s in body.builder.steps if isinstance(s, (Node, Call)) for v in s.outputs}
    left, seen = [value], {value}
    while left:
        step = makers.get(left.pop())
        if step is None:
            continue
        for operand in step.inputs:
            counts = makers.get(operand)
            if (
                isinstance(counts, Node)
                and isinstance(counts.op, OverPass)
                and not (isinstance(step, Node) and isinstance(step.op, Slice))
            ):
                name = counts.op.name
                raise error(
                    "E0503",
                    f"what `{name}` counts of a batch is no number before the pass is over",
                    item.value.span,
                    "of its counts",
                    (Label(counts.span, "counted here"),) if counts.span else (),
                    (f"`metric {name}(...)` alone makes one number of the whole pass",),
                )
            if operand not in seen:
                seen.add(operand)
                left.append(operand)


def _function_name(expr: tree.Expr) -> str:
    match expr:
        case tree.Call(function=tree.Name(text=text)) | tree.Name(text=text):
            return text
        case tree.Pipe(function=function):
            return _function_name(function)
        case _:
            return "metric"


def training(session: Session, module: Module, declaration: tree.Train) -> Training | None:
    """A training program; None where it failed (which is reported)."""
    builder = Builder("", session.budget, {})
    program = Program()
    scope = Scope(later=later_names(declaration.body), index=session.index)
    body = Body(
        session, module, builder, scope, "train", declaration.name.text, extra=program, trains=True
    )
    given = session.parameters(declaration)
    bind_parameters(body, declaration.name.text, declaration.parameters, given)
    statements.run(body, declaration.body)
    _check(body, program, declaration)
    steps = _accumulating(body, program)
    _check_accumulation(body, steps, declaration.name.span)
    if body.failed:
        return None
    lint(body, declaration.body)
    plain = {name: value for name, (value, _) in program.settings.items()}
    if "steps" in plain:
        plain["epochs"] = None
    return Training(
        declaration.name.text,
        tuple(program.networks.values()),
        tuple(program.batch),
        steps,
        tuple(program.metrics),
        Settings(**plain),
        {p.name.text: scope.bindings[p.name.text].value for p in declaration.parameters},
        declaration.name.span,
        declaration.doc,
        program.frozen[0] if program.frozen else (),
    )


def _accumulating(body: Body, program: Program) -> tuple[TrainStep, ...]:
    """The steps, with the program's `accumulate` for each update that says nothing of its turns."""
    if "accumulate" not in program.settings:
        return tuple(body.builder.steps)
    number, _ = program.settings["accumulate"]
    silent = {u for o, u in program.updates.items() if not o.making.says_when}

    @cache
    def new(update: Update) -> Update:
        return replace(update, accumulate=number) if update in silent else update

    steps = body.builder.steps
    return tuple(replace(s, update=new(s.update)) if isinstance(s, Minimize) else s for s in steps)


def _check_accumulation(body: Body, steps: Sequence[TrainStep], at: Span) -> None:
    """Gradients add up for one update at one place."""
    made = [s for s in steps if isinstance(s, Minimize)]
    uses = Counter(s.update for s in made)
    for step in made:
        if step.update.accumulate > 1 and uses[step.update] > 1:
            body.fail(
                error(
                    "E0502",
                    "gradients add up for one `minimize` with an optimizer of its own",
                    step.span or at,
                    f"its optimizer makes {uses[step.update]} updates of a step",
                    helps=("leave `accumulate` out, or give each `minimize` an optimizer",),
                )
            )
            return


def _check(body: Body, program: Program, declaration: tree.Train) -> None:
    settings = [*SETTINGS, FROZEN]
    for name, binding in body.scope.bindings.items():
        if name in body.scope.read or name not in program.assigned or name.startswith("_"):
            continue
        if isinstance(binding.value, (int, float, str, list, tuple, DataSource, type(None))):
            body.fail(
                error(
                    "E0501",
                    f"there is no setting `{name}`",
                    binding.span,
                    "nothing reads it",
                    helps=did_you_mean(name, [*settings, *LATER])
                    or (f"settings are {', '.join(f'`{s}`' for s in settings)}",),
                )
            )
    for step in body.builder.steps:
        _check_step(body, program, step, declaration.name.span)
        _check_weights(body, program, step, declaration.name.span)
    if "epochs" in program.settings and "steps" in program.settings:
        body.fail(
            error(
                "E0502",
                "a program runs for `epochs` or for `steps`, not both",
                program.settings["steps"][1],
                "here `steps`",
                (Label(program.settings["epochs"][1], "here `epochs`"),),
            )
        )
    if not any(isinstance(s, Minimize) for s in body.builder.steps) and not body.failed:
        body.fail(
            error(
                "E0503",
                f"program `{declaration.name.text}` minimizes nothing",
                declaration.name.span,
                helps=("add `minimize LOSS using Adam()`",),
            )
        )
    if not program.batch and not body.failed:
        body.fail(
            error(
                "E0505",
                f"program `{declaration.name.text}` reads no batch",
                declaration.name.span,
                helps=("add `batch image: f32[N, 28, 28, 1], label: i64[N]`",),
            )
        )


def _check_step(body: Body, program: Program, step: Any, at: Span) -> None:
    """Layers stand in models; and an update has something to update."""
    if isinstance(step, (Node, Call)):
        if step.layer and step.layer not in program.networks:
            body.fail(
                error(
                    "E0506",
                    "layers belong to a model",
                    step.span or at,
                    f"`{step.layer}`",
                    helps=("put the layer into the model and bind an instance of that",),
                )
            )
    elif program.frozen is not None and all(
        _lies_in((path[0], *weight.path.split(".")), program.frozen[0])
        for path in step.over
        for weight in weights(program.networks[path[0]].model)
        if weight.trainable and _lies_in((path[0], *weight.path.split(".")), (path,))
    ):
        body.fail(
            error(
                "E0503",
                "everything that this would update is frozen",
                step.span or at,
                "nothing to update",
                (Label(program.frozen[1], "frozen here"),),
            )
        )


def _check_weights(body: Body, program: Program, step: Any, at: Span) -> None:
    """A weight that a program reads belongs to one network: two instances of a model have its weights in common."""
    read = [v for v in step.inputs if isinstance(v, Weight)] if isinstance(step, Node) else []
    if not read:
        return
    holders = [n.name for n in program.networks.values() if read[0] in weights(n.model)]
    if len(holders) > 1:
        body.fail(
            error(
                "E0503",
                f"{' and '.join(f'`{n}`' for n in holders)} are one model",
                step.span or at,
                "its weights would be those of which?",
                helps=("let the model put it out: `output logits, size = l2(head.weight)`",),
            )
        )


def _lies_in(path: tuple[str, ...], parts: tuple[tuple[str, ...], ...]) -> bool:
    return any(path[: len(part)] == part for part in parts)
