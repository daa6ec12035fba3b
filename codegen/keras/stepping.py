"""Training programs that need a `train_step` of their own: several networks or updates, other losses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from codegen import program
from codegen.forward import Forward
from codegen.keras.module import DIALECT, weight_ref
from codegen.keras.optimizers import optimizer
from codegen.plan import Plan, owners, reference
from codegen.python_source import (
    Assign,
    Call,
    ClassDef,
    Conditional,
    Dict,
    Expr,
    Expression,
    FunctionDef,
    Item,
    List,
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
from nnspec.graph import Graph, Weight
from nnspec.training.program import Minimize, Training


@dataclass(frozen=True)
class _Network(Name):
    """A network: whoever calls it says whether it is trained."""

    training: bool = True

    def __call__(self, *arguments: object, **keywords: object) -> Call:
        return super().__call__(*arguments, **keywords, training=self.training)


@dataclass(frozen=True)
class Step:
    """A training program to be written as a subclass of `Figures` (see `helpers.py`)."""

    training: Training
    names: Mapping[object, str]
    plans: Mapping[Graph, Plan]
    suffix: str

    @property
    def class_name(self) -> str:
        return f"{self.training.name}Trainer"

    def definitions(self) -> tuple[Stmt, ...]:
        """The class, and the function that makes one ready to `fit`."""
        doc = self.training.doc or "Takes the steps of the training program."
        methods = (self._init(), self._compile(), self._step(True), self._step(False))
        return ClassDef(self.class_name, (Name("Figures"),), methods, doc=doc), self._maker()

    def _networks(self) -> list[str]:
        return [self.names[n.name] for n in self.training.networks]

    def _optimizers(self) -> list[str]:
        return [self.names[u] for u in program.minimizes(self.training)]

    def _init(self) -> Stmt:
        figures = [r.name for r in program.reports(self.training)]
        body = [Expression(Name("super")().attr("__init__")(*figures))]
        kept: list[Stmt] = [Assign(Name(f"self.{n}"), Name(n)) for n in self._networks()]
        parameters = (Parameter("self"), *map(Parameter, self._networks()))
        return FunctionDef("__init__", parameters, (*body, *kept))

    def _compile(self) -> Stmt:
        body: list[Stmt] = [Expression(Name("super")().attr("compile")())]
        body += [Assign(Name(f"self.{_own(o)}"), Name(o)) for o in self._optimizers()]
        return FunctionDef(
            "compile", (Parameter("self"), *map(Parameter, self._optimizers())), tuple(body)
        )

    def _maker(self) -> Stmt:
        trainer = Name("trainer")
        made = [optimizer(u.optimizer) for u in program.minimizes(self.training)]
        return FunctionDef(
            "make_trainer" + self.suffix,
            tuple(Parameter(n, Name("keras.Model")) for n in self._networks()),
            (
                Assign(trainer, Name(self.class_name)(*map(Name, self._networks()))),
                Expression(trainer.attr("compile")(*made)),
                Return(trainer),
            ),
            returns=Name(self.class_name),
        )

    def _step(self, update: bool) -> Stmt:
        training, names = self.training, self.names
        columns = tuple(Name(names[c]) for c in training.batch)
        writer = _Tapes(self)
        found = program.reports(training)
        forward = Forward(
            DIALECT,
            [(c, names[c]) for c in training.batch],
            [s for s in training.steps if update or not isinstance(s, Minimize)],
            [r.value for r in found],
            layer=lambda name: _Network(f"self.{names[name]}", update),
            weight=self._weight,
            minimize=writer.minimize,
            reserved=["data", "tape", "variables", "count"],
            returned=False,
            wanted={r.value: r.name for r in found},
        )
        forward.run()
        figures = Dict(tuple((Literal(r.name), forward.result(r.value)) for r in found))
        count = Item(Name("ops.shape")(columns[0]), lift(0))
        forward.emit(Return(Name("self.report")(figures, count)))
        unpack = Assign(Tuple(columns), Name("data"))
        return FunctionDef(
            "train_step" if update else "test_step",
            (Parameter("self"), Parameter("data")),
            (unpack, *forward.body()),
        )

    def _weight(self, wanted: Weight) -> Expr:
        for network in self.training.networks:
            for owner in owners(self.plans[network.model]):
                if owner.weight is wanted:
                    path = owner.path if owner.node else owner.path[:-1]
                    holder = reference(f"self.{self.names[network.name]}", path)
                    return weight_ref(wanted, holder, owner.node)
        raise KeyError(wanted.path)

    def variables(self, update: Minimize) -> Expr:
        """What an update changes."""
        parts: list[Expr] = []
        for name, *path in update.over:
            network = next(n for n in self.training.networks if n.name == name)
            holder = f"self.{self.names[name]}"
            parts.append(_variables(self.plans[network.model], holder, ".".join(path)))
        total = parts[0]
        for part in parts[1:]:
            total = Operator("+", total, part)
        return total


def _own(name: str) -> str:
    """An attribute that is not Keras's own `optimizer`."""
    return "update" if name == "optimizer" else name


def _variables(plan: Plan, holder: str, path: str) -> Expr:
    if not path:
        return Name(f"{holder}.trainable_variables")
    inside = [o for o in owners(plan) if f"{o.weight.path}.".startswith(path + ".")]
    (first, *_) = inside
    if first.weight.path == path and first.node is None:
        return List((reference(holder, first.path),))
    depth = path.count(".") + 1
    return reference(holder, first.path[:depth]).attr("trainable_variables")


class _Tapes:
    """Puts what comes before each update into a `with` over the one tape of the step.

    The tape goes on after an update, so that a value from before it (a generated image) still has its
    gradient; what is applied after an update sees the new weights.
    """

    def __init__(self, step: Step) -> None:
        self.step, self.begun, self.mark = step, False, 0

    def minimize(self, update: Minimize, loss: Expr, forward: Forward) -> None:
        inside = forward.statements[self.mark :]
        del forward.statements[self.mark :]
        tape, variables = Name("tape"), Name("variables")
        if not isinstance(loss, Name):
            inside.append(Assign(Name("objective"), loss))
            loss = Name("objective")
        several = len(program.minimizes(self.step.training)) > 1
        if self.begun:
            forward.emit(With(((tape, None),), tuple(inside)))
        else:
            opened = (
                Name("tf.GradientTape")(persistent=True) if several else Name("tf.GradientTape")()
            )
            forward.emit(With(((opened, tape),), tuple(inside)))
        self.begun = True
        used = Name(f"self.{_own(self.step.names[update])}")
        forward.emit(Assign(variables, self.step.variables(update)))
        gradient = tape.attr("gradient")(loss, variables)
        forward.emit(Expression(used.attr("apply")(gradient, variables)))
        self.mark = len(forward.statements)


def training_loop(step: Step, epochs: Expr, size: Expr, steps: int | None) -> list[Stmt]:
    """The statements of `main` that train."""
    networks = [Name(step.names[n.name]) for n in step.training.networks]
    batches = Name("batches")
    data, held = Name("data"), Name("held_out")
    if steps is not None:
        each = Name("len")(data)
        epochs = Operator("or", epochs, Operator("//", lift(steps) + each - 1, each))
    return [
        Assign(data, batches(Name("columns"), size, Name("args.seed"))),
        Assign(held, Conditional(held, batches(held, size), Literal(None))),
        Assign(Name("trainer"), Name("make_trainer" + step.suffix)(*networks)),
        Expression(Name("trainer.fit")(data, epochs=epochs, validation_data=held, verbose=2)),
    ]
