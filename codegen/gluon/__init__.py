"""Gluon (MXNet 1.9.1): `HybridBlock`s and a plain training loop, or pure symbols (`style="symbol"`)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from codegen.dtypes import check_types
from codegen.gluon import train
from codegen.gluon.derivatives import derived
from codegen.gluon.dialect import DIALECT, moving_batch_norm, training_dialect
from codegen.gluon.dtypes import DTYPES
from codegen.gluon.namespace import under
from codegen.gluon.optimizers import NATIVE
from codegen.gluon.records import moves_once
from codegen.gluon.source import file_text
from codegen.gluon.symbol import RESERVED, build_symbol
from codegen.gluon.weights import native_name, transforms
from codegen.python.classes import build_classes
from codegen.python.dialect import Dialect
from codegen.python.emission import LoweredProgram, described, lowered_program, weight_map
from codegen.python.file import module_doc
from codegen.python.functions import Functions, applied, parameter_names
from codegen.python.names import distinct
from codegen.python.optimizers import class_of
from codegen.python.rules import rates, written
from codegen.python.scalars import scalars
from codegen.python.source import ClassDef, FunctionDef
from codegen.python.training import Source, reserved, snake
from codegen.target import AFTER_STEPS, Emitted, EmittedModel, Fault
from nnspec.catalogue.ops.gated import Gelu
from nnspec.catalogue.ops.normalization import BatchNorm
from nnspec.catalogue.ops.numeric import Erf
from nnspec.catalogue.ops.recurrent import RNN
from nnspec.core.declare import Declaration, declaration
from nnspec.core.fields import arg
from nnspec.core.kinds import choice
from nnspec.graph.graph import Graph, Program, Value
from nnspec.graph.layouts import Layouts
from nnspec.graph.updates import Update
from nnspec.graph.weight_map import WeightMap

if TYPE_CHECKING:
    from codegen.foreign import Foreign

name = "gluon"
extra: str | None = "gluon"
modules = ("mxnet",)
suffix = ".params"
foreign: tuple[str, ...] = (".params",)
holds_weights = False
COARSE_ERF = "MXNet's derivative of the error function has the digits of f32 only"
faults = (
    Fault(
        BatchNorm,
        ("running statistics", *AFTER_STEPS),
        1e-6,
        "MXNet keeps the momentum of a batch norm as f32",
    ),
    *(
        Fault("SGD", quantities, bound, "MXNet's SGD keeps its rate and momentum as f32")
        # What is off adds up in the velocity.
        for quantities, bound in ((AFTER_STEPS[:2], 1e-6), (AFTER_STEPS[2:], 1e-5))
    ),
    *(
        Fault(op, quantities, bound, reason, spreads=True)
        for op in (Erf, Gelu)
        # Adam divides a gradient by its own size, where it cancels too.
        for quantities, bound, reason in (
            (("gradients",), 1e-7, COARSE_ERF),
            (AFTER_STEPS, 1e-5, f"{COARSE_ERF}, and an optimizer enlarges what is off"),
        )
    ),
    Fault(
        RNN,
        ("outputs in training", "loss", "gradients", *AFTER_STEPS),
        1e-6,
        "MXNet's RNN takes relu in f32",
        spreads=True,
        uses=lambda op: op.activation == "relu",
    ),
)


@declaration
class Options(Declaration):
    """What can be chosen."""

    name = "gluon"
    style: str = arg(
        "`HybridBlock`s with a training loop, or pure symbols",
        choice("block", "symbol"),
        default="block",
    )


BIND = "To bind a symbol: `mx.mod.Module(symbol, data_names=[...], label_names=None)`."


def native_optimizer(update: Update) -> str | None:
    """The class that stands for an optimizer; None where its block is written."""
    return class_of(NATIVE, update)


def read_foreign(path: Path) -> Foreign:
    """The arrays of a file of parameters."""
    from codegen.gluon.stored import read

    return read(path)


def emit(
    program: Program,
    *,
    stem: str,
    provenance: str,
    style: str = Options.style,
) -> Emitted:
    """`<stem>_gluon.py`, with a class for each model and a loop for each training program; in the style
    "symbol" `<stem>_symbol.py`, with a function for each model that gives its graph."""
    check_types(program, "Gluon", DTYPES, "MXNet 1.9.1 has no such arrays")
    dialect = replace(DIALECT, standing_in=Functions())
    if style == "symbol":  # its layers are operators, and their weights no loop's
        dialect = replace(dialect, scan=None)
    lowered = lowered_program(derived(program), dialect.legality)
    if style == "symbol":
        return _symbols(program, lowered, dialect, stem, provenance)
    trainings = [train.losses_named(t.training) for t in lowered.trainings]
    named = [train.names(t, trainings) for t in trainings]
    dialect.standing_in.avoid([*parameter_names(program), *reserved(named)])
    hybridize = all(map(moves_once, trainings))
    classes = build_classes(
        lowered.graphs,
        dialect if hybridize else _counting(dialect),
        describe=described(lowered),
        reserved=reserved(named),
    )
    held = [d.name for d in classes.definitions if isinstance(d, ClassDef)]
    dialect.standing_in.avoid(held)
    taken = [*reserved(named), *held]
    steps = training_dialect(dialect, taken)
    dialect.standing_in.learn(applied(trainings), steps)
    rules = written(trainings, steps, NATIVE, taken)
    changing = rates(trainings, scalars(steps), NATIVE, taken)
    sources = [
        Source(
            training, declared, trainings, names, classes, t.batch_layouts, steps, rules, changing
        )
        for training, declared, names, t in zip(
            trainings, program.trainings, named, lowered.trainings, strict=True
        )
    ]
    loops = under("nd", train.definitions(sources, hybridize))
    models = {
        logical: EmittedModel(
            classes.names[model.graph],
            weight_map(
                classes.plans[model.graph],
                model.reorders,
                native_name,
                lambda owner: transforms(owner.weight),
            ),
            layouts_of(model.graph.inputs, model.input_layouts),
            layouts_of(model.graph.outputs, model.output_layouts),
        )
        for logical, model in lowered.models.items()
    }
    layouts = {
        t.training.name: layouts_of(t.training.batch, t.batch_layouts) for t in lowered.trainings
    }
    text = file_text(module_doc(provenance, program), classes.definitions, dialect, loops)
    programs = {
        t.name: replace(names, hybrid=hybridize) for t, names in zip(trainings, named, strict=True)
    }
    return Emitted({f"{stem}_gluon.py": text}, models, layouts, programs)


def layouts_of(values: tuple[Value, ...], layouts: Layouts) -> Layouts:
    """MXNet has no arrays without axes: a scalar is an array of one element."""
    return tuple(
        replace(layout, boxed=v.type.rank == 0) for v, layout in zip(values, layouts, strict=True)
    )


def _counting(dialect: Dialect) -> Dialect:
    """With batch norms that move their statistics in the forward pass."""
    return replace(dialect, layers={**dialect.layers, BatchNorm: moving_batch_norm})


def _symbols(
    program: Program, lowered: LoweredProgram, dialect: Dialect, stem: str, provenance: str
) -> Emitted:
    """A function for each model (one for those that are alike); `get_symbol` where there is only one."""
    describe = described(lowered)
    getters = {graph: f"get_{snake(model.graph.name)}" for graph, model in lowered.models.items()}
    dialect.standing_in.avoid([*parameter_names(program), *getters.values(), "get_symbol"])
    functions: dict[FunctionDef, str] = {}
    built: dict[Graph, tuple[FunctionDef, WeightMap]] = {}
    for logical, model in lowered.models.items():
        doc = "\n\n".join(t for t in (model.graph.doc, describe(model.graph)) if t)
        wanted = getters[logical]
        definition, weights = build_symbol(model.graph, wanted, doc, model.reorders, dialect)
        built[logical] = definition, weights
        if definition not in functions:
            functions[definition] = distinct(wanted, {*RESERVED, *functions.values()})
    if len(functions) == 1:
        functions = dict.fromkeys(functions, "get_symbol")
    body = [replace(d, name=name) for d, name in functions.items()]
    models = {
        logical: EmittedModel(
            functions[built[logical][0]],
            built[logical][1],
            layouts_of(model.graph.inputs, model.input_layouts),
            layouts_of(model.graph.outputs, model.output_layouts),
        )
        for logical, model in lowered.models.items()
    }
    text = file_text(module_doc(provenance, program, BIND), body, dialect)
    layouts = {t.training.name: t.batch_layouts for t in lowered.trainings}
    return Emitted({f"{stem}_symbol.py": text}, models, layouts)
